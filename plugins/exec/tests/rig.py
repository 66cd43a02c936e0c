"""What the tests of exec have in common: handlers made on the spot, the plugin
tried in the foreground, and what it leaves behind."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import textwrap
import unittest
import uuid

import pegboard
from pegboard import BUILD, is_alive, wait_for

RUNNER = BUILD / "bin" / "pegboard-runner"
PLUGIN = BUILD / "plugins" / "more" / "exec.so"
SOURCE = pathlib.Path(__file__).resolve().parents[1]
EVENT = SOURCE / "event.json"
REFUSED = 3  # exit status of `pegboard-runner try`
PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")

# A handler of `lines` in short: `body` sees each message, and verdict() answers.
LINES = """\
import json, os, signal, sys, time
def say(**members):
    print(json.dumps(members), flush=True)
hello = json.loads(sys.stdin.readline())
{start}
for line in sys.stdin.buffer:
    message = json.loads(line)
    def verdict(verdict, **members):
        say(verdict=verdict, id=message["id"], **members)
{body}
"""
READY = "say(ready=True)"


class Tried:
    """What `pegboard-runner try` said: verdicts, and lines of its log."""

    def __init__(self, process):
        self.status = process.returncode
        self.stderr = process.stderr.decode(errors="replace")
        self.verdicts = process.stdout.decode(errors="replace").split("\n")[:-1]
        self.log = re.findall(r"(?m)^(error|warn|info|debug) exec: (.*)$",
                              self.stderr)

    @property
    def verdict(self):
        assert len(self.verdicts) == 1, (self.verdicts, self.stderr)
        return self.verdicts[0]


class Rig:
    """To be mixed into a test case: a folder with handlers."""

    def setUp(self):
        super().setUp()
        self.mark = uuid.uuid4().hex
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pegboard-exec-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.end_left_over)

    # -- handlers ----------------------------------------------------------

    def script(self, text, interpreter="/bin/sh", name="handler"):
        path = self.folder / name
        path.write_text(f"#!{interpreter}\n{textwrap.dedent(text)}")
        path.chmod(0o755)
        return path

    def python(self, text, name="handler"):
        return self.script(text, PYTHON, name)

    def lines(self, body, start=READY, name="handler"):
        return self.python(LINES.format(
            start=textwrap.dedent(start),
            body=textwrap.indent(textwrap.dedent(body), "    ")), name)

    # -- processes ---------------------------------------------------------

    def left_over(self):
        """Processes that began with our environment."""
        mark = f"EXEC_TEST={self.mark}".encode()
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if (mark in (path / "environ").read_bytes().split(b"\0") and
                        is_alive(path.name)):
                    found.append(int(path.name))
            except OSError:
                continue
        return found

    def check_nothing_left(self):
        wait_for(lambda: not self.left_over(), "all processes to be gone")

    def end_left_over(self):
        for pid in self.left_over():
            try:
                os.kill(pid, 9)
            except OSError:
                pass

    def pids(self, count, name="pids"):
        """Wait until handlers have written so many numbers into a file."""
        path = self.folder / name
        return wait_for(lambda: path.exists() and
                        len(path.read_text().split()) >= count and
                        [int(pid) for pid in path.read_text().split()],
                        f"{count} pids")


class TryCase(Rig, unittest.TestCase):

    def environment(self, **more):
        return {"EXEC_TEST": self.mark, "FOLDER": str(self.folder),
                "ASAN_OPTIONS": "handle_segv=0:detect_leaks=0", **more}

    def arguments(self, command, event, options):
        options = {"command": command, **options}
        timeout = options.pop("try_timeout", None)
        repeat = options.pop("repeat", None)
        return [RUNNER, "try", PLUGIN, event,
                *(["--timeout", str(timeout)] if timeout else []),
                *(["--repeat", str(repeat)] if repeat else []),
                *(word for key, value in options.items()
                  for word in ("--option", f"{key}={value}"))]

    def attempt(self, command, event=EVENT, env=None, pass_fds=(), **options):
        """Hand one event to a handler, or one event `repeat` times."""
        if isinstance(event, bytes):
            (self.folder / "event").write_bytes(event)
            event = self.folder / "event"
        tried = Tried(subprocess.run(
            self.arguments(command, event, options), cwd=self.folder,
            env=self.environment(**(env or {})), pass_fds=pass_fds,
            capture_output=True,
            timeout=pegboard.PATIENCE_S))
        self.assertGreaterEqual(tried.status, 0, tried.stderr)
        self.check_nothing_left()
        return tried

    def refused(self, command, **options):
        """Why init() said no."""
        tried = self.attempt(command, **options)
        self.assertEqual(tried.status, REFUSED, tried.verdicts)
        return "\n".join(text for level, text in tried.log if level == "error")

    def begin(self, command, **options):
        """Begin to; the process."""
        process = subprocess.Popen(
            self.arguments(command, EVENT, options), cwd=self.folder,
            env=self.environment(), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process


def big_event(size):
    """An event of at least so many bytes."""
    return json.dumps({
        "id": "evt_big", "object": "event", "type": "charge.updated",
        "data": {"object": {"id": "ch_1", "text": "x" * size}}}).encode()


def main():
    unittest.main(verbosity=2)
