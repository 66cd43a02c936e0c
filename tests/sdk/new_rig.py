"""What the tests of `pegboard new` have in common."""

import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import unittest

BUILD = pathlib.Path(os.environ.get("PEGBOARD_BUILD", "build")).resolve()
PATIENCE_S = 60  # the promise: from nothing to an event in under a minute
OK, FAILED, USAGE, CONFIG, MISSING, _, REFUSED = range(7)


class Dev:
    """A `pegboard dev` that runs, and the lines that it prints."""

    def __init__(self, command, folder, env):
        self.lines = []
        self.process = subprocess.Popen(
            ["bash", "-c", f"exec {command} --listen 127.0.0.1:0"], cwd=folder,
            env=env, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def wait_line(self, pattern):
        deadline = time.monotonic() + PATIENCE_S
        while not any(re.search(pattern, line) for line in self.lines):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"no {pattern!r}:\n{''.join(self.lines)}")
            time.sleep(0.02)

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.thread.join()
        self.process.stdout.close()


class TestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="pegboard-new-")
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name)
        cls.prefix = cls.root / "installed"
        subprocess.run(["cmake", "--install", BUILD, "--prefix", cls.prefix],
                       check=True, capture_output=True, timeout=PATIENCE_S)
        cls.programs = {"build": BUILD / "bin" / "pegboard",
                        "installed": cls.prefix / "bin" / "pegboard"}

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.root))
        # `pegboard dev` of this test is no other test's.
        self.env = {**os.environ, "XDG_RUNTIME_DIR": str(self.folder)}

    def sh(self, command, cwd=None, **env):
        done = subprocess.run(["bash", "-c", command], cwd=cwd or self.folder,
                              env={**self.env, **env}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=PATIENCE_S)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}")
        return done.stdout

    def new(self, *args, where="build", exits=OK, cwd=None, **env):
        done = subprocess.run([self.programs[where], "new", *map(str, args)],
                              cwd=cwd or self.folder, env={**self.env, **env},
                              text=True, capture_output=True,
                              timeout=PATIENCE_S)
        self.assertEqual(done.returncode, exits,
                         f"{args}\n{done.stdout}\n{done.stderr}")
        self.said = done.stderr
        return done.stdout

    def files(self, name):
        return {path.name for path in (self.folder / name).iterdir()}
