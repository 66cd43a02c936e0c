"""The recipes of etc/ for TLS in front: real proxies, run from those files.

A recipe is used as it stands but for its host name, ports and certificates;
each replacement must find its text, so a recipe cannot drift from its test.
"""

import contextlib
import getpass
import http.client
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import pegboard
from pegboard import PATIENCE_S, event, id_of, sign, wait_for

ETC = pathlib.Path(__file__).parents[2] / "etc"
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
CLIENT = "127.0.0.2"  # not the proxy's own address, and not a trusted one
MAX_BODY = 1 << 20    # in the recipes and in the daemon
ESTABLISHED, TIME_WAIT = "01", "06"  # in /proc/net/tcp


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def replace(text, *pairs):
    for old, new in pairs:
        if old not in text:
            raise AssertionError(f"the recipe no longer says {old!r}")
        text = text.replace(old, new)
    return text


def event_of(size):
    """A valid event of exactly so many bytes."""
    body = event()
    return body + b" " * (size - len(body))


class Proxy:
    """One proxy in front of a daemon, in a folder of its own."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pegboard-proxy-"))
        self.log_path = self.folder / "log"
        self.certificate = self.folder / "certificate.pem"
        self.key = self.folder / "key.pem"
        self.process = None

    def __enter__(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost",
             "-keyout", self.key, "-out", self.certificate],
            check=True, stderr=subprocess.DEVNULL)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=dict(os.environ, HOME=str(self.folder),
                                     XDG_DATA_HOME=str(self.folder),
                                     XDG_CONFIG_HOME=str(self.folder)))
        wait_for(self.listens, "the proxy to listen")
        return self

    def listens(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the proxy ended:\n{self.log()}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def __exit__(self, *_):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def connect(self):
        """A TLS connection that trusts only the proxy's certificate."""
        return http.client.HTTPSConnection(
            "localhost", self.port, timeout=PATIENCE_S,
            source_address=(CLIENT, 0),
            context=ssl.create_default_context(cafile=self.certificate))

    def post(self, body, connection=None, path="/webhook", **headers):
        """Post a signed event; return the status and the answer."""
        fields = {"Content-Type": "application/json; charset=utf-8",
                  "Stripe-Signature": sign(body)}
        fields.update({k.replace("_", "-"): v for k, v in headers.items()})
        used = connection or self.connect()
        try:
            used.request("POST", path, body, fields)
            answer = used.getresponse()
            return answer.status, answer.read()
        finally:
            if connection is None:
                used.close()


class Nginx(Proxy):
    """nginx, as this user: the recipe within the little that nginx needs
    around it, with its files in our folder."""

    def command(self):
        recipe = replace(
            (ETC / "nginx.conf").read_text(),
            ("server 127.0.0.1:4242;",
             f"server 127.0.0.1:{self.daemon.port};"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;"),
            ("example.com;", "localhost;"),
            ("/etc/letsencrypt/live/example.com/fullchain.pem",
             str(self.certificate)),
            ("/etc/letsencrypt/live/example.com/privkey.pem", str(self.key)))
        (self.folder / "pegboard.conf").write_text(recipe)
        user = f"user {getpass.getuser()};\n" if os.geteuid() == 0 else ""
        temp = "".join(
            f"{name}_temp_path {self.folder}/{name};\n" for name in
            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "nginx.conf").write_text(
            f"{user}daemon off;\nworker_processes 2;\n"
            f"pid {self.folder}/pid;\nerror_log stderr info;\n"
            "events { worker_connections 256; }\n"
            f"http {{\naccess_log off;\n{temp}include pegboard.conf;\n}}\n")
        return [shutil.which("nginx", path=PATH), "-p", str(self.folder),
                "-e", "stderr", "-c", "nginx.conf"]


class Caddy(Proxy):
    """Caddy with the recipe, and a certificate given instead of fetched."""

    def command(self):
        recipe = replace(
            (ETC / "Caddyfile").read_text(),
            ("127.0.0.1:4242", f"127.0.0.1:{self.daemon.port}"),
            ("\nexample.com {\n",
             f"\nhttps://localhost:{self.port} {{\n"
             f"\tbind 127.0.0.1\n\ttls {self.certificate} {self.key}\n"),
            ("\n{\n", "\n{\n\tadmin off\n\tauto_https off\n"))
        (self.folder / "Caddyfile").write_text(recipe)
        return [shutil.which("caddy", path=PATH), "run", "--adapter",
                "caddyfile", "--config", str(self.folder / "Caddyfile")]


class Recipe:
    """What every recipe must do."""

    proxy_class = None

    def setUp(self):
        program = self.proxy_class.__name__.lower()
        if shutil.which(program, path=PATH) is None:
            self.skipTest(f"no {program}")

    def pair(self, **kwargs):
        daemon = self.daemon(**kwargs)
        # Started again it must be found on the same port.
        daemon.ini.write_text(replace(
            daemon.ini.read_text(),
            ("[server]\nlisten = 127.0.0.1:0",
             f"[server]\nlisten = 127.0.0.1:{daemon.port}")))
        proxy = self.enterContext(self.proxy_class(daemon))
        self.addCleanup(self._show_log, proxy)
        return daemon, proxy

    def enterContext(self, context):  # unittest has it since Python 3.11
        self.addCleanup(context.__exit__, None, None, None)
        return context.__enter__()

    def stored(self, daemon):
        return dict(daemon.query(
            "SELECT event_id, data FROM event JOIN body USING(seq)"))

    def connections(self, daemon, states=(ESTABLISHED, TIME_WAIT)):
        """The connections to the daemon, also those of the last minute."""
        # With its address: clients at 127.0.0.2 can have the same port.
        host = int.from_bytes(socket.inet_aton("127.0.0.1"), sys.byteorder)
        listener = f"{host:08X}:{daemon.port:04X}"
        found = set()
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines():
            local, remote, state = line.split()[1:4]
            if state in states and listener in (local, remote):
                found.add(frozenset((local, remote)))  # each has two sides
        return found

    def test_event_over_tls_is_stored_byte_for_byte(self):
        daemon, proxy = self.pair()
        bodies = [event(), event_of(MAX_BODY),
                  event(obj={"id": "cus_1", "name": "Łucja 🦔 \u2028"}) +
                  b"\r\n\t\n",
                  event(obj={"id": "cus_2", "text": "é" * 50000})]
        for body in bodies:
            self.assertEqual(proxy.post(body), (200, b'{"received":true}'))
        self.assertEqual(proxy.post(event(), path="/webhook/")[0], 200)
        for body in bodies:
            self.assertEqual(self.stored(daemon)[id_of(body)], body)

    def test_daemons_refusals_pass(self):
        _, proxy = self.pair()
        status, text = proxy.post(event(), Stripe_Signature="t=1,v1=00")
        self.assertEqual(status, 400)
        self.assertIn(b"invalid-signature", text)

    def test_other_paths_do_not_reach_the_daemon(self):
        _, proxy = self.pair()
        for path in ("/", "/readyz", "/livez", "/metrics"):
            status, text = proxy.post(event(), path=path)
            self.assertEqual(status, 404)
            self.assertNotIn(b"pegboard", text)  # as the daemon's own has

    def test_senders_address_is_in_the_log(self):
        daemon, proxy = self.pair(server="trusted_proxies = 127.0.0.1")
        body = event()
        proxy.post(body, X_Forwarded_For="203.0.113.9")  # a lie
        daemon.wait_log(f'event={id_of(body)} .*remote="{CLIENT}"')

    def test_without_trust_the_proxys_address_is_in_the_log(self):
        daemon, proxy = self.pair(server="trusted_proxies =")
        body = event()
        proxy.post(body)
        daemon.wait_log(f'event={id_of(body)} .*remote="127.0.0.1"')

    def test_large_body_is_refused_by_the_proxy(self):
        daemon, proxy = self.pair()
        for size in (MAX_BODY + 1, 3 << 20):
            self.assertEqual(proxy.post(event_of(size))[0], 413)
        self.assertEqual(proxy.post(event())[0], 200)
        self.assertNotIn("request refused", daemon.log())
        self.assertEqual(len(self.stored(daemon)), 1)

    def test_body_of_unknown_length_passes_whole_or_not_at_all(self):
        daemon, proxy = self.pair()
        for size in (5000, MAX_BODY, MAX_BODY + 1, 3 << 20):
            connection = proxy.connect()
            self.addCleanup(connection.close)
            body = event_of(size)
            connection.request(
                "POST", "/webhook", iter([body[:1000], body[1000:]]),
                {"Stripe-Signature": sign(body)}, encode_chunked=True)
            status = connection.getresponse().status
            if size <= MAX_BODY:
                self.assertEqual(status, 200)
                self.assertEqual(self.stored(daemon)[id_of(body)], body)
            else:  # 502: the daemon had hung up on the proxy
                self.assertIn(status, (413, 502))
                self.assertNotIn(id_of(body), self.stored(daemon))
        self.assertNotIn("signature refused", daemon.log())  # of a part

    def test_connections_are_kept_over_200_requests(self):
        daemon, proxy = self.pair()
        connection = proxy.connect()
        self.addCleanup(connection.close)
        before = self.connections(daemon)
        for _ in range(200):
            self.assertEqual(proxy.post(event(), connection)[0], 200)
        self.assertLessEqual(len(self.connections(daemon) - before), 4)
        self.assertEqual(len(self.stored(daemon)), 200)

    def test_half_sent_bodies_hold_no_thread(self):
        daemon, proxy = self.pair()
        body = event()
        slow = []
        for _ in range(40):  # more than the daemon has threads
            connection = proxy.connect()
            self.addCleanup(connection.close)
            connection.putrequest("POST", "/webhook")
            connection.putheader("Content-Length", str(len(body)))
            connection.putheader("Stripe-Signature", sign(body))
            connection.endheaders(body[:-1])
            slow.append(connection)
        begun = time.monotonic()
        self.assertEqual(proxy.post(event())[0], 200)
        self.assertLess(time.monotonic() - begun, 5)
        busy = self.connections(daemon, (ESTABLISHED,))
        self.assertLessEqual(len(busy), 1, busy)  # kept, of the request above
        slow[0].send(body[-1:])
        self.assertEqual(slow[0].getresponse().status, 200)

    def test_nothing_is_lost_when_the_daemon_restarts(self):
        daemon, proxy = self.pair()
        sender = Sender(proxy)
        self.enterContext(sender)
        for end in (daemon.stop, daemon.kill, daemon.stop):
            sender.wait_more(30)
            end()
            refused = len(sender.refused)
            wait_for(lambda: len(sender.refused) > refused, "a refusal")
            daemon.start()
        sender.wait_more(30)
        sender.stop()
        self.assertEqual(sender.failure, None)
        self.assertLessEqual(set(sender.refused), {502, 503})
        stored = self.stored(daemon)
        for body in sender.accepted:
            self.assertEqual(stored.get(id_of(body)), body)
        self.assertEqual(len(stored), len(sender.accepted))


class Sender:
    """Posts events, one after the other, each until it is answered 200."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.accepted, self.refused = [], []
        self.failure = None
        self.done, self.given_up = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.given_up.set()
        self.stop()

    def stop(self):
        self.done.set()
        self.thread.join()

    def run(self):
        try:
            while not self.done.is_set():
                body = event()
                while (status := self.proxy.post(body)[0]) != 200:
                    self.refused.append(status)
                    if self.given_up.wait(0.02):  # a sender's back-off
                        return
                self.accepted.append(body)
        except Exception as failure:  # told by the test
            self.failure = failure

    def wait_more(self, count):
        target = len(self.accepted) + count
        wait_for(lambda: self.failure or len(self.accepted) >= target,
                 "the sender to go on")


class NginxTest(Recipe, pegboard.TestCase):
    proxy_class = Nginx


class CaddyTest(Recipe, pegboard.TestCase):
    proxy_class = Caddy


if __name__ == "__main__":
    pegboard.main()
