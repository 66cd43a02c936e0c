"""What tests of commands have in common."""

import pathlib
import shutil
import tempfile

import pegboard

# Exit codes.
OK, FAILED, USAGE, CONFIG, MISSING, NO_DAEMON, REFUSED, PARTLY = range(8)


class TestCase(pegboard.TestCase):

    def folder(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="pegboard-test-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def run_command(self, *args, exits=OK, **kwargs):
        """Its standard output; the rest is in self.stderr."""
        result = pegboard.command(*args, **kwargs)
        self.stderr = result.stderr
        self.assertEqual(result.returncode, exits,
                         f"{args}\n{result.stdout}\n{result.stderr}")
        return result.stdout
