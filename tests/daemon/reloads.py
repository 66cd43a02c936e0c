"""What tests of reloads have in common."""

import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import commands
import faults
import pegboard
from commands import CONFIG, OK
from pegboard import BIN, FAULTS, id_of, wait_for

# How a reload by signal is told to have ended.
ENDS = r'msg="(reloaded|reload refused)" kind=apply .*'


def code_of(so):
    """The bytes of one of our plugins."""
    return (FAULTS / f"{so}.so").read_bytes()


def version_of(so, number):
    """Another version of it, which does the same: something stands behind its
    end."""
    return code_of(so) + b"version %06d" % number


def digest_of(code):
    return hashlib.sha256(code).hexdigest()


def mark_of(code):
    """How the log tells a runner of that code from others."""
    return digest_of(code)[:12]


def put(path, content):
    """Put a new version in place as one should: nobody sees half of it."""
    path = pathlib.Path(path)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.chmod(0o644)
    fresh.rename(path)
    return path


def with_file(text, so, path):
    """A plugin's sections, with another file."""
    assert f"/{so}.so\n" in text, text
    return re.sub(rf"(?m)^path = .*/{so}\.so$", f"path = {path}", text)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Asked:
    """`pegboard reload` in the background."""

    def __init__(self, test, daemon, *args):
        self.test = test
        self.process = subprocess.Popen(
            [BIN, "reload", "-c", daemon.ini, "--json", *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        test.addCleanup(self.process.communicate)
        test.addCleanup(self.process.kill)

    def answer(self, exits=OK):
        out, err = self.process.communicate(timeout=pegboard.PATIENCE_S)
        self.test.assertEqual(self.process.returncode, exits, out + err)
        return json.loads(out)


class TestCase(faults.TestCase, commands.TestCase):

    # -- the file ----------------------------------------------------------

    def write_ini(self, daemon, plugins="", server="", listen="127.0.0.1:0",
                  log="level = debug\nformat = logfmt", autoload=False,
                  secrets="file:secret", more=""):
        """As the daemon's own, but all can be set, and at once."""
        text = (f"[server]\nlisten = {listen}\nthreads = 32\n"
                f"state_dir = {daemon.state}\n{server}\n"
                f"[admin]\nlisten = 127.0.0.1:0\n[log]\n{log}\n"
                f"[plugins]\ndir = {self.plugins_dir(daemon)}\n"
                f"autoload = {'yes' if autoload else 'no'}\n"
                f"[endpoint main]\npath = /webhook\nsecrets = {secrets}\n"
                f"{plugins}\n{more}\n")
        fresh = daemon.folder / ".new.ini"
        fresh.write_text(text)
        fresh.rename(daemon.ini)

    def plugins_dir(self, daemon):
        folder = daemon.folder / "plugins"
        folder.mkdir(exist_ok=True)
        return folder

    def serve(self, plugins="", **kwargs):
        """A daemon with this file."""
        daemon = self.daemon(start=False)
        self.write_ini(daemon, plugins, **kwargs)
        return daemon.start()

    # -- asking ------------------------------------------------------------

    def ends(self, daemon):
        """How the reloads by signal ended so far."""
        return re.findall(ENDS, daemon.log_since_start())

    def send_hup(self, daemon):
        daemon.process.send_signal(signal.SIGHUP)

    def hup(self, daemon):
        """SIGHUP, to its end: "reloaded" or "reload refused"."""
        before = len(self.ends(daemon))
        self.send_hup(daemon)
        return wait_for(lambda: self.ends(daemon)[before:],
                        "the reload to end")[0]

    def reload(self, daemon, *args, exits=OK):
        """`pegboard reload`: its answer."""
        answer = json.loads(self.run_command(
            "reload", "-c", daemon.ini, "--json", *args, exits=exits))
        self.assertEqual(answer["object"], "reload")
        return answer

    def refuse(self, daemon, *patterns):
        """A reload is refused, with one mistake like each pattern."""
        before = self.generation(daemon)
        answer = self.reload(daemon, exits=CONFIG)
        self.assertEqual(answer["result"], "refused")
        self.assertEqual(answer["generation"], before)
        self.assertEqual(self.generation(daemon), before)
        said = [error["message"] for error in answer["errors"]]
        self.assertEqual(len(said), len(patterns), said)
        for pattern in patterns:
            self.assertTrue(any(re.search(pattern, text) for text in said),
                            f"{pattern!r} is not in {said}")
        return answer

    def in_background(self, daemon, *args):
        return Asked(self, daemon, *args)

    def status(self, daemon):
        return self.api(daemon, "GET", "/status")

    def generation(self, daemon):
        return self.status(daemon)["generation"]

    def plugin(self, daemon, name):
        return self.api(daemon, "GET", f"/plugins/{name}")

    def changes(self, answer):
        """{(kind, what)}, of what a reload changed."""
        return {(change["kind"], change["what"])
                for change in answer["changes"]}

    def refuses(self, port):
        """Whether nobody listens there."""
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except ConnectionRefusedError:
            return True
        return False

    # -- runners and events ------------------------------------------------

    def pids(self, daemon, plugin, count=1):
        """The plugin's runners, once all others of it are gone."""
        return set(wait_for(lambda: (
            pids if len(pids := daemon.runners(plugin)) == count else None),
            f"{count} runners of {plugin}"))

    def pid(self, daemon, plugin):
        return self.pids(daemon, plugin).pop()

    def check_no_others(self, daemon, count):
        """No process is left but this many runners."""
        wait_for(lambda: len(daemon.runners()) == count and
                 daemon.children().keys() == set(daemon.runners()),
                 f"{count} runners and no zombie: {daemon.children()}")

    def code_in(self, daemon, pid):
        """The mark of the code in a runner; pids come again."""
        return re.findall(rf'msg="runner ready" .* pid={pid} digest=(\w+)',
                          daemon.log())[-1]

    def handled(self, daemon, plugin):
        """Post an event; the mark of the code that handled it, if that is a
        tells_pid."""
        body = pegboard.event()
        self.assertEqual(daemon.post(body).status, 200)
        return self.wait_handled(daemon, body, plugin)

    def wait_handled(self, daemon, body, plugin):
        def notes():
            return [attempt.note for attempt in
                    self.attempts(daemon, body, plugin)
                    if attempt.outcome == pegboard.DONE]

        note, = wait_for(notes, f"{plugin} to handle {id_of(body)}")
        pid = re.match(r"pid (\d+)", note or "")
        return self.code_in(daemon, pid[1]) if pid else None

    def kill_runner(self, pid):
        os.kill(pid, signal.SIGKILL)


class Writer:
    """A thread that does something over and over."""

    def __init__(self, test, act):
        self.act, self.ended = act, threading.Event()
        self.thread = threading.Thread(target=self._run)
        test.addCleanup(self.stop)
        self.thread.start()

    def _run(self):
        while not self.ended.is_set():
            self.act()

    def stop(self):
        self.ended.set()
        self.thread.join()
