"""A Pegboard daemon under test, and the hands to prod it with.

Real processes, real sockets, real signals. Each Daemon owns a fresh folder,
listens on a free port, and is gone, with its folder, when its test ends.
"""

import collections
import contextlib
import hashlib
import hmac
import http.client
import io
import itertools
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

BUILD = pathlib.Path(os.environ.get("PEGBOARD_BUILD", "build")).resolve()
BIN = BUILD / "bin" / "pegboard"
CRASHING = BUILD / "tests" / "bin" / "pegboard-crashing"
PLUGINS = BUILD / "plugins"
FAULTS = BUILD / "tests" / "plugins"
SHARED = pathlib.Path(os.environ.get(
    "PEGBOARD_SHARED", pathlib.Path(__file__).parents[3] / "shared"))
SECRET = "whsec_test_of_the_daemon_0123456789"
PATIENCE_S = 30  # for conditions that a sound daemon meets at once

# How an attempt ended, as the inbox keeps it.
DONE, SKIP, RETRY, FAIL, CRASH, TIMEOUT, LOST = range(7)

# Keys of a plugin whose signals shall be deadly in sanitized builds as well.
DEADLY = "\n".join(f"env.{name}_OPTIONS = handle_segv=0:handle_abort=0:"
                   "detect_leaks=0" for name in ("ASAN", "TSAN", "UBSAN"))

_numbers = itertools.count(1)


def is_alive(pid):
    """Whether that process runs: a zombie does not."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def wait_for(condition, what, patience_s=PATIENCE_S):
    """Wait until condition() is true; return what it returned."""
    deadline = time.monotonic() + patience_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_s} s for: {what}")
        time.sleep(0.01)


def event(type="payment_intent.succeeded", id=None, obj=None, **members):
    """The bytes of a snapshot event with an id of its own."""
    if id is None:
        id = f"evt_{time.time_ns():020d}{next(_numbers):06d}"
    body = {
        "id": id, "object": "event", "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "data": {"object": obj or {
            "id": f"pi_{next(_numbers)}", "object": "payment_intent",
            "amount": 1099, "currency": "usd", "status": "succeeded"}},
        "livemode": False, "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None}, "type": type,
    }
    body.update(members)
    return json.dumps(body, indent=2).encode()


def id_of(body):
    return json.loads(body)["id"]


def sign(body, secret=SECRET, at=None):
    """The Stripe-Signature header, made without our own code."""
    at = int(time.time()) if at is None else at
    mac = hmac.new(secret.encode(), str(at).encode() + b"." + body,
                   hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


def post_bytes(body, path="/webhook", signature=None, length=None, fields=b"",
               version="1.1"):
    """A POST as it goes over the wire; `fields` are whole lines before the
    length, and `length` is that line's text (b"" for no such line)."""
    if length is None:
        length = b"Content-Length: %d\r\n" % len(body)
    return (f"POST {path} HTTP/{version}\r\nHost: pegboard\r\n"
            f"Stripe-Signature: {signature or sign(body)}\r\n".encode() +
            fields + length + b"\r\n" + body)


def section(name, so, *keys, **options):
    """The sections of one plugin; `so` is a path, or the name of one of
    ours."""
    for folder in (FAULTS, PLUGINS):
        if (folder / f"{so}.so").exists():
            so = folder / f"{so}.so"
    lines = [f"[plugin {name}]", f"path = {so}", *keys]
    if options:
        lines.append(f"[plugin {name} options]")
        lines += [f"{key} = {value}" for key, value in options.items()]
    return "\n".join(lines) + "\n"


def command(*args, env=None, input=None, cwd=None):
    """Run `pegboard ARGS` to its end: returncode, stdout, stderr."""
    return subprocess.run([BIN, *args], env=dict(os.environ, **(env or {})),
                          input=input or "", cwd=cwd, capture_output=True,
                          text=True, timeout=PATIENCE_S)


class Ledger:
    """What ledger.so, the plugin, wrote down; made as a section of the ini."""

    Run = collections.namedtuple("Run", "id type attempt pid begin_us end_us")

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def section(self, name, *keys, **options):
        return section(name, "ledger", *keys, file=self.path, **options)

    def runs(self):
        """Whole lines only: the last one may be in the making."""
        if not self.path.exists():
            return []
        lines = self.path.read_text().split("\n")[:-1]
        return [self.Run(id, type, *map(int, numbers))
                for id, type, *numbers in map(str.split, lines)]

    def ids(self):
        return [run.id for run in self.runs()]

    def begun(self):
        """The ids of events that take their time (`sleep_ms`)."""
        path = pathlib.Path(f"{self.path}.begun")
        return path.read_text().split() if path.exists() else []


class Answer:
    """One HTTP answer."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    @property
    def closes(self):
        return self.headers.get("Connection") == "close"


def read_answer(stream):
    """The next answer from a stream, or None at its end."""
    line = stream.readline()
    if not line:
        return None
    status = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [ -~]+\r\n", line)
    if not status:
        raise AssertionError(f"not a status line: {line!r}")
    headers = http.client.parse_headers(stream)
    body = stream.read(int(headers.get("Content-Length", 0)))
    return Answer(int(status[1]), headers, body)


def read_answers(received):
    """All answers in the bytes of a connection, which hold nothing else."""
    stream = io.BytesIO(received)
    return list(iter(lambda: read_answer(stream), None))


class Wire:
    """One connection to a daemon, byte by byte."""

    def __init__(self, daemon, timeout_s=PATIENCE_S):
        self.socket = daemon.connect(timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)
        return self

    def finish(self):
        """Send no more; still listen."""
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def answer(self):
        """The next answer, or None when the daemon closed the connection."""
        try:
            return read_answer(self.stream)
        except (ConnectionResetError, BrokenPipeError):
            return None

    def heard(self, within_s=0):
        """Whether there is something to read, or the end."""
        return bool(select.select([self.socket], [], [], within_s)[0])

    def drip(self, byte, every_s=0.05, patience_s=10):
        """Send a byte now and then, until something comes back."""
        deadline = time.monotonic() + patience_s
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while not self.heard(every_s) and time.monotonic() < deadline:
                self.socket.sendall(byte)
        return self

    def close(self):
        self.stream.close()
        self.socket.close()


class Daemon:
    """`pegboard serve` on a folder of its own; use it with `with`."""

    def __init__(self, plugins="", server="", endpoint="", more="",
                 secret=SECRET, folder=None, env=None, start=True,
                 wrapper=(), state_dir=None):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(
            prefix="pegboard-test-"))
        self.state = pathlib.Path(state_dir or self.folder / "state")
        self.ini = self.folder / "pegboard.ini"
        self.log_path = self.folder / "log"
        self.env = dict(os.environ, **(env or {}))
        self.wrapper = list(wrapper)
        self.binary = BIN
        self.process = None
        self.port = None
        (self.folder / "secret").write_text(secret)
        (self.folder / "secret").chmod(0o600)
        self.write_ini(plugins, server, endpoint, more)
        if start:
            self.start()

    def write_ini(self, plugins="", server="", endpoint="", more=""):
        threads = "" if "threads" in server else "threads = 32\n"
        self.ini.write_text(
            f"[server]\nlisten = 127.0.0.1:0\n{threads}"
            f"state_dir = {self.state}\n{server}\n"
            f"[admin]\nlisten = 127.0.0.1:0\n"
            f"[log]\nlevel = debug\nformat = logfmt\n"
            f"[plugins]\nautoload = no\n"
            f"[endpoint main]\npath = /webhook\nsecrets = file:secret\n"
            f"{endpoint}\n{plugins}\n{more}\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- life --------------------------------------------------------------

    def start(self, ready=True):
        self.mark = (self.log_path.stat().st_size
                     if self.log_path.exists() else 0)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, self.binary, "serve", "-c", self.ini],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.env)
        if ready:
            wait_for(self._serving, "the daemon to serve")
        return self

    def _serving(self):
        if self.process.poll() is not None:
            raise AssertionError(
                f"daemon ended with {self.process.returncode}:\n{self.log()}")
        found = re.search(r'msg="serving" url=http://[\d.]+:(\d+)',
                          self.log_since_start())
        if found:
            self.port = int(found.group(1))
        return found

    def stop(self, number=signal.SIGTERM, patience_s=PATIENCE_S):
        """Ask it to end; return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(patience_s)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def runners(self, plugin=None):
        """Pids of our runners, of one plugin or of all."""
        pids = []
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):
                stat = (path / "stat").read_text()
                name = stat[stat.index("(") + 1:stat.rindex(")")]
                parent = int(stat[stat.rindex(")") + 2:].split()[1])
                state = stat[stat.rindex(")") + 2]
                if (parent == self.process.pid and name.startswith("peg:")
                        and state != "Z"
                        and (plugin is None or name == f"peg:{plugin}"[:15])):
                    pids.append(int(path.name))
        return pids

    def wait_runner(self, plugin, count=1):
        """Wait for the plugin's runner number `count` since the start to be
        ready; return its pid."""
        line = rf'msg="runner ready" plugin={plugin} .*? pid=(\d+)'
        pids = wait_for(lambda: re.findall(line, self.log_since_start())[
            count - 1:], f"runner {count} of {plugin}")
        return int(pids[0])

    def children(self):
        """The states of our children by pid: "S", "R", "Z" and so on."""
        states = {}
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                state, parent = (path / "stat").read_text().rsplit(
                    ")", 1)[1].split()[:2]
                if int(parent) == self.process.pid:
                    states[int(path.name)] = state
        return states

    def descriptors(self):
        """How many descriptors the daemon has open; None when that is hidden,
        since it is not dumpable and we are not root."""
        try:
            return len(os.listdir(f"/proc/{self.process.pid}/fd"))
        except PermissionError:
            return None

    # -- log ---------------------------------------------------------------

    def log(self):
        return self.log_path.read_text(errors="replace")

    def log_since_start(self):
        with open(self.log_path, "rb") as log:
            log.seek(self.mark)
            return log.read().decode(errors="replace")

    def wait_log(self, pattern, patience_s=PATIENCE_S):
        return wait_for(lambda: re.search(pattern, self.log_since_start()),
                        f"log line {pattern!r} in:\n{self.log()[-4000:]}",
                        patience_s)

    # -- HTTP --------------------------------------------------------------

    def connect(self, timeout_s=PATIENCE_S):
        return socket.create_connection(("127.0.0.1", self.port), timeout_s)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def post(self, body=None, path="/webhook", signature=None, **headers):
        body = event() if body is None else body
        fields = {"Content-Type": "application/json",
                  "Stripe-Signature": signature or sign(body)}
        fields.update({k.replace("_", "-"): v for k, v in headers.items()})
        return self.request("POST", path, body, fields)

    def post_all(self, bodies, threads=4, at=None):
        """Post events, signed `at` a time, over a few connections; all must be
        acknowledged."""
        bodies = list(bodies)
        left, lock, answers = iter(bodies), threading.Lock(), []

        def post_some():
            connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=PATIENCE_S)
            with contextlib.closing(connection):
                while True:
                    with lock:
                        body = next(left, None)
                    if body is None:
                        return
                    connection.request("POST", "/webhook", body, {
                        "Stripe-Signature": sign(body, at=at)})
                    answer = connection.getresponse()
                    answer.read()
                    answers.append(answer.status)

        workers = [threading.Thread(target=post_some) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if answers != [200] * len(bodies):
            raise AssertionError(f"not all of {len(bodies)} acknowledged: "
                                 f"{collections.Counter(answers)}")

    def raw(self, data, timeout_s=PATIENCE_S, finish=False):
        """Send bytes as they are; return all that comes until the end."""
        with self.connect(timeout_s) as sock:
            # A daemon that refuses may close before it has read all.
            with contextlib.suppress(OSError):
                sock.sendall(data)
                if finish:
                    sock.shutdown(socket.SHUT_WR)
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while chunk := sock.recv(65536):
                    received += chunk
            return received

    def talk(self, data, **kwargs):
        """As raw(), but return the answers."""
        return read_answers(self.raw(data, **kwargs))

    # -- inbox -------------------------------------------------------------

    def query(self, sql, *args):
        """Read the inbox file, read-only, beside the daemon."""
        db = sqlite3.connect(f"file:{self.state}/inbox.db?mode=ro", uri=True,
                             timeout=10)
        try:
            return db.execute(sql, args).fetchall()
        finally:
            db.close()

    def stored(self):
        """The ids of all events in the inbox."""
        return {row[0] for row in self.query("SELECT event_id FROM event")}

    def attempts(self, body=None, plugin=None):
        """(n, outcome, note) of all attempts, or of an event's or a plugin's,
        in order."""
        return self.query(
            "SELECT n, outcome, note FROM attempt a JOIN event e USING(seq)"
            " JOIN plugin p ON p.id = a.plugin WHERE (?1 IS NULL OR"
            " event_id = ?1) AND (?2 IS NULL OR name = ?2)"
            " ORDER BY seq, a.plugin, n", body and id_of(body), plugin)

    def seqs(self):
        """The numbers of all events by their ids: the order of arrival."""
        return dict(self.query("SELECT event_id, seq FROM event"))

    def handlers(self, body):
        """The names of the plugins that got an event."""
        return [name for name, in self.query(
            "SELECT DISTINCT name FROM attempt a JOIN event e USING(seq)"
            " JOIN plugin p ON p.id = a.plugin WHERE event_id = ?"
            " ORDER BY name", id_of(body))]

    def unfinished(self):
        return self.query(
            "SELECT count(*) FROM delivery WHERE state <> 3")[0][0]

    def dead(self):
        return self.query("SELECT count(*) FROM delivery WHERE state = 3")[0][0]

    def wait_finished(self, patience_s=PATIENCE_S):
        wait_for(lambda: self.unfinished() == 0, "no delivery left to do",
                 patience_s)


class TestCase(unittest.TestCase):
    """A test that shows the daemon's log when it fails."""

    def daemon(self, *args, start=True, **kwargs):
        daemon = Daemon(*args, start=False, **kwargs)
        self.addCleanup(daemon.__exit__)
        self.addCleanup(self._show_log, daemon)
        self.addCleanup(self._check_log, daemon)
        return daemon.start() if start else daemon

    def wire(self, daemon, *args, **kwargs):
        wire = Wire(daemon, *args, **kwargs)
        self.addCleanup(wire.close)
        return wire

    def _check_log(self, daemon):
        """No sanitizer has spoken; plugins' output is in lines of ours."""
        if daemon.log_path.exists():
            self.assertIsNone(re.search(
                r"(?m)^(?!ts=).*(ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|"
                r": runtime error: ).*", daemon.log()))

    def _show_log(self, daemon):
        outcome = self._outcome.result
        failed = any(test is self for test, _ in
                     itertools.chain(outcome.failures, outcome.errors))
        if failed and daemon.log_path.exists():
            print(f"--- log of {daemon.folder} ---\n{daemon.log()[-8000:]}")


class SharedTestCase(TestCase):
    """Tests that share one daemon, since they leave nothing behind in it but
    events of their own."""

    OPTIONS = {}

    @classmethod
    def setUpClass(cls):
        cls.shared = Daemon(start=False, **cls.OPTIONS)
        cls.addClassCleanup(cls.shared.__exit__)
        cls.shared.start()

    def setUp(self):
        self.addCleanup(self._show_log, self.shared)
        self.addCleanup(self._check_log, self.shared)


def main():
    unittest.main(verbosity=2)
