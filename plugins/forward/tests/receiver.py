"""Receivers of what `forward` posts, and the runner that makes it post.

They listen on free ports of 127.0.0.1 and end with the test."""

import collections
import contextlib
import hashlib
import hmac
import http.server
import os
import pathlib
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

import pegboard

RUNNER = pegboard.BUILD / "bin" / "pegboard-runner"
PLUGIN = pegboard.PLUGINS / "more" / "forward.so"
SOURCE = pathlib.Path(__file__).resolve().parents[1]
EVENT = SOURCE / "event.json"
SECRET = "whsec_of_the_receiver_0123456789"
KEY = "evt_1PegForwardSample0001:forward"

Request = collections.namedtuple("Request", "connection path headers body")
Reply = collections.namedtuple("Reply", "status headers body",
                               defaults=((), b""))


def verifies(body, header, secret=SECRET, tolerance_s=300):
    """As Stripe's libraries do."""
    found = re.fullmatch(r"t=(\d+)((?:,v1=[0-9a-f]{64})+)", header)
    mac = hmac.new(secret.encode(), found[1].encode() + b"." + body,
                   hashlib.sha256).hexdigest()
    return (mac in found[2].split(",v1=")
            and abs(time.time() - int(found[1])) < tolerance_s)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        with self.server.lock:
            self.server.connections += 1
            self.number = self.server.connections

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request(self.number, self.path, self.headers, body)
        with self.server.lock:
            self.server.requests.append(request)
        reply = self.server.answer(request)
        if callable(reply):
            self.close_connection = True
            with contextlib.suppress(OSError):
                reply(self)
            return
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in reply.headers):
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_):
        pass


class Receiver(http.server.ThreadingHTTPServer):
    """An HTTP server whose answer(request) makes a Reply, or a function of the
    handler that says all there is to say, after which the connection ends."""

    block_on_close = False

    def __init__(self, answer=lambda request: Reply(200), context=None,
                 port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.answer, self.context = answer, context
        self.lock = threading.Lock()
        self.requests, self.connections = [], 0  # guarded by lock
        self.port = self.server_address[1]
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}/hook?a=1"
        self.sockets = set()
        self.thread = threading.Thread(target=self.serve_forever, args=[0.02])
        self.thread.start()

    def finish_request(self, request, address):
        """In the thread of the connection, so that a TLS handshake that fails
        holds up nobody."""
        request.settimeout(pegboard.PATIENCE_S)
        if self.context:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:
                return
        with self.lock:
            self.sockets.add(request)
        with request, contextlib.suppress(OSError):
            super().finish_request(request, address)

    def handle_error(self, *_):
        pass

    def cut_all(self):
        """End every connection, as a server does with idle ones."""
        with self.lock:
            for connection in self.sockets:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self.sockets.clear()

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()
        self.cut_all()


class Wire:
    """A server that runs talk(socket) for each connection, and closes it."""

    def __init__(self, talk):
        self.talk, self.connections = talk, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=[connection],
                             daemon=True).start()

    def _talk(self, connection):
        connection.settimeout(pegboard.PATIENCE_S)
        with connection, contextlib.suppress(OSError):
            self.talk(connection)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


def read_request(connection):
    """Read one whole request; return its head."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise OSError("the end")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    left = (int(length[1]) if length else 0) - len(body)
    while left > 0:
        left -= len(connection.recv(65536))
    return head


def reset(connection):
    """End it with a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack("ii", 1, 0))
    connection.close()


def drip(connection, byte, every_s=0.05, seconds=10):
    """Send a byte now and then, until the other side has enough."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection.sendall(byte)
        time.sleep(every_s)


class Tried:
    """What `pegboard-runner try` said."""

    def __init__(self, done, took_s):
        self.status, self.stderr = done.returncode, done.stderr
        self.verdicts = done.stdout.splitlines()
        self.took_s = took_s

    @property
    def verdict(self):
        assert len(self.verdicts) == 1, (self.verdicts, self.stderr)
        return self.verdicts[0]


def try_event(url, *options, event=EVENT, repeat=1, timeout_ms=30000, env=None,
              plugin=PLUGIN):
    words = [RUNNER, "try", plugin, event if isinstance(event, pathlib.Path)
             else "-", "--repeat", str(repeat), "--timeout", str(timeout_ms)]
    for option in (f"url={url}", *options):
        words += ["--option", option]
    started = time.monotonic()
    done = subprocess.run(
        words, input=None if isinstance(event, pathlib.Path) else event,
        capture_output=True, env=dict(os.environ, **(env or {})),
        timeout=2 * pegboard.PATIENCE_S)
    took_s = time.monotonic() - started
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return Tried(done, took_s)


class TestCase(pegboard.TestCase):

    def receiver(self, *args, **kwargs):
        receiver = Receiver(*args, **kwargs)
        self.addCleanup(receiver.close)
        return receiver

    def silent_port(self):
        """A port where nobody listens, and which no other process can take;
        our own servers may."""
        holder = socket.socket()
        self.addCleanup(holder.close)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        return holder.getsockname()[1]

    def wire_server(self, talk):
        server = Wire(talk)
        self.addCleanup(server.close)
        return server

    def assert_retry(self, tried, pattern):
        self.assertRegex(tried.verdict, rf"^retry: .*{pattern}")
        self.assertEqual(tried.status, 1, tried.stderr)
