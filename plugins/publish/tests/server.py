"""A nats-server under test, and a client that speaks its text protocol.

The server owns a fresh folder, listens on a free port of 127.0.0.1, and is gone
when its test ends.
"""

import base64
import contextlib
import json
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

SERVER = shutil.which("nats-server") or shutil.which(
    "nats-server", path="/usr/sbin:/usr/local/sbin")
PATIENCE_S = 20


def free_port():
    """A port where nobody listens. Not one that the kernel gives to others
    while our server is down: below those of outgoing connections."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


class Server:
    """nats-server with JetStream; `config` is more of its configuration."""

    def __init__(self, config="", jetstream=True, storage="", tls=None,
                 start=True):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pegboard-nats-"))
        self.port = free_port()
        self.tls = tls  # an ssl.SSLContext for our own clients
        self.process = None
        store = f'jetstream {{ store_dir: "{self.folder}/js", {storage} }}\n'
        (self.folder / "conf").write_text(
            f'listen: "127.0.0.1:{self.port}"\n'
            f'{store if jetstream else ""}{config}\n')
        if start:
            self.start()

    @property
    def url(self):
        scheme = "tls" if self.tls else "nats"
        return f"{scheme}://127.0.0.1:{self.port}"

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [SERVER, "-c", self.folder / "conf"], stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            time.sleep(0.02)
        raise AssertionError("no nats-server:\n" +
                             (self.folder / "log").read_text())

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @contextlib.contextmanager
    def stopped(self):
        """As it is when its machine hangs: connections stay, nobody answers."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self, **login):
        return Client(self, **login)


class Message:
    def __init__(self, subject, reply, head, body):
        self.subject, self.reply, self.body = subject, reply, body
        lines = head.decode().split("\r\n")
        self.status = lines[0].removeprefix("NATS/1.0").strip()
        self.headers = dict(line.split(": ", 1) for line in lines[1:] if line)


class Client:
    """One connection; asks, and waits for the answer."""

    def __init__(self, server, **login):
        self.socket = socket.create_connection(("127.0.0.1", server.port),
                                               PATIENCE_S)
        self._line()  # INFO, in the clear
        if server.tls:
            self.socket = server.tls.wrap_socket(self.socket,
                                                 server_hostname="127.0.0.1")
        self.lines = self.socket.makefile("rb")
        self.inbox = f"_INBOX.{id(self)}"
        options = {"verbose": False, "pedantic": False, "headers": True,
                   "no_responders": True, "protocol": 1, **login}
        self._send(f"CONNECT {json.dumps(options)}\r\n"
                   f"SUB {self.inbox} 1\r\nPING\r\n".encode())
        while (line := self._line()) != b"PONG":
            if line.startswith(b"-ERR") or not line:
                raise AssertionError(f"nats-server: {line}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # ends another's next()
        if hasattr(self, "lines"):
            self.lines.close()
        self.socket.close()

    def _send(self, data):
        self.socket.sendall(data)

    def _line(self):
        if hasattr(self, "lines"):
            return self.lines.readline().rstrip(b"\r\n")
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.socket.recv(1)
        return line[:-2]

    def next(self):
        """The next message to our inbox."""
        while True:
            line = self._line()
            if line == b"PING":
                self._send(b"PONG\r\n")
            elif line.startswith((b"MSG ", b"HMSG ")):
                words = line.decode().split(" ")
                sizes = [int(word) for word in
                         words[-1 if words[0] == "MSG" else -2:]]
                whole = self.lines.read(sizes[-1] + 2)[:-2]
                head = whole[:sizes[0]] if words[0] == "HMSG" else b""
                reply = words[3] if len(words) == len(sizes) + 4 else ""
                return Message(words[1], reply, head, whole[len(head):])
            elif line.startswith(b"-ERR") or not line:
                raise AssertionError(f"nats-server: {line}")

    def subscribe(self, subject):
        """Its messages come by next(), as those to our inbox do."""
        self._send(f"SUB {subject} 2\r\nPING\r\n".encode())
        while self._line() != b"PONG":
            pass

    def publish(self, subject, body=b"", reply=""):
        self._send(f"PUB {subject} {reply} {len(body)}\r\n".encode() + body +
                   b"\r\n")

    def ask(self, subject, **question):
        """A question to JetStream; its answer, or an AssertionError."""
        body = json.dumps(question).encode() if question else b""
        self.publish(f"$JS.API.{subject}", body, self.inbox)
        answer = json.loads(self.next().body)
        if "error" in answer:
            raise AssertionError(f"{subject}: {answer['error']}")
        return answer

    def add_stream(self, name, *subjects, **config):
        return self.ask(f"STREAM.CREATE.{name}", name=name,
                        subjects=list(subjects), retention="limits",
                        storage="file", num_replicas=1, **config)

    def update_stream(self, name, *subjects, **config):
        return self.ask(f"STREAM.UPDATE.{name}", name=name,
                        subjects=list(subjects), retention="limits",
                        storage="file", num_replicas=1, **config)

    def stream(self, name):
        return self.ask(f"STREAM.INFO.{name}")

    def count(self, name):
        return self.stream(name)["state"]["messages"]

    def ids(self, name):
        """The Nats-Msg-Id of every message in a stream, in order."""
        found = []
        for seq in range(1, self.stream(name)["state"]["last_seq"] + 1):
            stored = self.ask(f"STREAM.MSG.GET.{name}", seq=seq)["message"]
            head = base64.b64decode(stored["hdrs"]).decode()
            found.append(re.search(r"Nats-Msg-Id: (.*)\r", head).group(1))
        return found

    def consume(self, stream, count):
        """As a program that works on the stream: pull and acknowledge."""
        self.ask(f"CONSUMER.DURABLE.CREATE.{stream}.reader",
                 stream_name=stream, config={
                     "durable_name": "reader", "ack_policy": "explicit",
                     "deliver_policy": "all"})
        self.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.reader",
                     json.dumps({"batch": count, "expires": 10 ** 10}).encode(),
                     self.inbox)
        messages = []
        while len(messages) < count:
            message = self.next()
            if message.status:
                raise AssertionError(f"{len(messages)} of {count} messages: "
                                     f"{message.status}")
            self.publish(message.reply, b"+ACK")
            messages.append(message)
        return messages


def certificate(folder, name, subject_alt="IP:127.0.0.1"):
    """Make a certificate that signs itself; return the paths of it and its
    key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         f"/CN={name}", "-addext", f"subjectAltName={subject_alt}",
         "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def tls_server(folder, subject_alt="IP:127.0.0.1"):
    """A server that waits long for a handshake."""
    cert, key = certificate(folder, "server", subject_alt)
    context = ssl.create_default_context(cafile=cert)
    context.check_hostname = False
    return Server(f'tls {{ cert_file: "{cert}", key_file: "{key}", '
                  f'timeout: {PATIENCE_S} }}', tls=context), cert
