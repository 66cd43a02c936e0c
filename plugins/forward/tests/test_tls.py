"""TLS: who is trusted, and that nothing is sent to anybody else."""

import pathlib
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import warnings

import pegboard
import receiver
from authority import Authority
from receiver import EVENT, Reply, drip, reset, try_event


class Tls(receiver.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="pegboard-tls-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.ca = Authority(cls.folder, "ours")
        cls.other = Authority(cls.folder, "theirs")
        cls.context = cls.ca.context("here", "IP:127.0.0.1")

    def assert_nothing_sent(self, server, tried, pattern):
        self.assert_retry(tried, f"TLS: .*{pattern}")
        self.assertEqual(server.requests, [])

    def test_a_trusted_certificate(self):
        server = self.receiver(context=self.context)
        tried = try_event(server.url, f"ca_file={self.ca.file}", repeat=20)
        self.assertEqual(tried.verdicts, ["done"] * 20)
        self.assertEqual(server.connections, 1)

    def test_a_certificate_that_certifies_itself(self):
        """Trusted if it is the one, and nowhere else."""
        file = self.folder / "self.pem"
        self.ca.openssl("req", "-x509", *self.ca.key("self"), "-out", file,
                        "-subj", "/CN=self", "-days", "2",
                        "-addext", "subjectAltName=IP:127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file, self.folder / "self.key")
        server = self.receiver(context=context)
        for options in [], [f"ca_file={self.ca.file}"]:
            self.assert_nothing_sent(server, try_event(server.url, *options),
                                     "self.signed certificate")
        self.assertEqual(try_event(server.url, f"ca_file={file}").verdict,
                         "done")

    def test_an_untrusted_certificate(self):
        server = self.receiver(context=self.context)
        for options in [], [f"ca_file={self.other.file}"], \
                ["insecure_http=yes"]:
            self.assert_nothing_sent(server, try_event(server.url, *options),
                                     "certificate problem")

    def test_ones_own_authority_takes_the_place_of_the_systems(self):
        """The environment of libcurl and OpenSSL says nothing either."""
        server = self.receiver(context=self.context)
        env = dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE"),
                            str(self.ca.file))
        tried = try_event(server.url, f"ca_file={self.other.file}", env=env)
        self.assert_nothing_sent(server, tried, "certificate problem")

    def test_another_host_name(self):
        for alternative in "DNS:shop.example", "IP:127.0.0.2", \
                "DNS:127.0.0.1", "DNS:*":
            server = self.receiver(
                context=self.ca.context("elsewhere", alternative))
            tried = try_event(server.url, f"ca_file={self.ca.file}")
            self.assert_nothing_sent(server, tried, "(subject name|127.0.0.1)")

    def test_a_host_by_its_name(self):
        server = self.receiver(
            context=self.ca.context("named", "DNS:localhost"))
        trust = f"ca_file={self.ca.file}"
        port = server.port
        self.assertEqual(try_event(f"https://localhost:{port}/", trust).verdict,
                         "done")
        self.assert_retry(try_event(f"https://127.0.0.1:{port}/", trust),
                          "TLS: ")

    def test_an_expired_certificate(self):
        server = self.receiver(
            context=self.ca.context("late", "IP:127.0.0.1", days=-1))
        tried = try_event(server.url, f"ca_file={self.ca.file}")
        self.assert_nothing_sent(server, tried, "expired")

    def test_no_tls_at_all(self):
        server = self.receiver()
        tried = try_event(server.url.replace("http:", "https:"),
                          f"ca_file={self.ca.file}")
        self.assert_nothing_sent(server, tried, "")

    def test_plain_http_to_a_tls_port(self):
        server = self.receiver(context=self.context)
        self.assert_retry(try_event(server.url.replace("https:", "http:")),
                          "no answer")

    def test_an_old_tls(self):
        """Even if this machine's OpenSSL would."""
        lax = self.folder / "openssl.cnf"
        lax.write_text("openssl_conf = a\n[a]\nssl_conf = b\n"
                       "[b]\nsystem_default = c\n[c]\n"
                       "MinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n")
        context = self.ca.context("old", "IP:127.0.0.1")
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        server = self.receiver(context=context)
        tried = try_event(server.url, f"ca_file={self.ca.file}",
                          env={"OPENSSL_CONF": str(lax)})
        self.assert_nothing_sent(server, tried, "protocol version")

    def test_a_handshake_without_an_end(self):
        def talk(connection):
            while connection.recv(1000):
                pass

        server = self.wire_server(talk)
        tried = try_event(server.url.replace("http:", "https:"),
                          "connect_timeout=400ms")
        self.assert_retry(tried, "in time")
        self.assertLess(tried.took_s, 4.4)

    def test_cut_off_while_a_large_event_is_sent(self):
        """By a reset: neither SIGPIPE nor a half-sent event ends the runner,
        and the next event has a connection of its own."""
        def talk(connection):
            with self.context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1000)
                reset(tls)

        server = self.wire_server(talk)
        tried = try_event(server.url.replace("http:", "https:"),
                          f"ca_file={self.ca.file}", repeat=3,
                          event=EVENT.read_bytes() + b" " * 8_000_000)
        self.assertEqual(tried.status, 1, tried.stderr)
        self.assertEqual(len(tried.verdicts), 3)
        for said in tried.verdicts:
            self.assertRegex(said, "^retry: no answer: ")
        self.assertGreaterEqual(server.connections, 3)

    def test_a_kept_connection_that_was_closed_by_the_peer(self):
        """With TLS, too, it is made anew."""
        def say(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n"
                                b"Content-Length: 0\r\n\r\n")

        server = self.receiver(lambda request: say, self.context)
        tried = try_event(server.url, f"ca_file={self.ca.file}", repeat=5)
        self.assertEqual(tried.verdicts, ["done"] * 5)
        self.assertEqual(server.connections, 5)

    def test_answers_come_through(self):
        server = self.receiver(
            lambda request: Reply(503, [("Retry-After", "9")], b"later"),
            self.context)
        tried = try_event(server.url, f"ca_file={self.ca.file}")
        self.assertEqual(tried.verdict, "retry in 9000 ms: HTTP 503: later")



REQUEST_BYTES = 300  # a request has more; what ends a connection, fewer


class Http2(receiver.TestCase):
    """An nginx with HTTP/2, in a folder of its own."""

    def setUp(self):
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        if nginx is None:
            self.skipTest("no nginx")
        folder = pathlib.Path(tempfile.mkdtemp(prefix="pegboard-nginx-"))
        self.addCleanup(shutil.rmtree, folder)
        ca = Authority(folder, "ours")
        certificate, key = ca.certify("nginx", "IP:127.0.0.1")
        self.trust = f"ca_file={ca.file}"
        self.access = folder / "access"
        self.port = self.silent_port()
        conf = folder / "nginx.conf"
        conf.write_text(f"""
            daemon off;
            pid {folder}/nginx.pid;
            error_log {folder}/nginx.log;
            events {{}}
            http {{
                log_format ours "$server_protocol $connection $status";
                access_log {self.access} ours;
                client_body_temp_path {folder}/body;
                proxy_temp_path {folder}/proxy;
                fastcgi_temp_path {folder}/fastcgi;
                uwsgi_temp_path {folder}/uwsgi;
                scgi_temp_path {folder}/scgi;
                server {{
                    listen 127.0.0.1:{self.port} ssl http2;
                    ssl_certificate {certificate};
                    ssl_certificate_key {key};
                    keepalive_requests 10;
                    location /good {{ return 200; }}
                    location /gone {{ return 410 gone; }}
                }}
            }}""")
        server = subprocess.Popen([nginx, "-c", conf, "-p", folder],
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        pegboard.wait_for(
            lambda: self.post("gone").verdict == "fail: HTTP 410: gone",
            "nginx to serve")
        self.before = len(pegboard.wait_for(self.lines, "its log"))

    def lines(self):
        return self.access.read_text().splitlines()

    def post(self, path, *options, port=None, **kwargs):
        return try_event(f"https://127.0.0.1:{port or self.port}/{path}",
                         self.trust, *options, **kwargs)

    def test_it_is_spoken_over_connections_that_are_kept(self):
        """And made anew: nginx ends each after ten."""
        tried = self.post("good", repeat=50)
        self.assertEqual(tried.verdicts, ["done"] * 50)
        lines = pegboard.wait_for(
            lambda: self.lines()[self.before:][49:] and
            self.lines()[self.before:], "fifty lines")
        self.assertEqual({line.split()[0] for line in lines}, {"HTTP/2.0"})
        self.assertEqual(len({line.split()[1] for line in lines}), 5)

    def test_a_connection_that_is_half_open(self):
        """One stream that has no answer says that the connection is dead."""
        def talk(connection):
            """Pass on what is said. One connection is forgotten when it is
            used again."""
            before = len(self.lines())
            with socket.create_connection(("127.0.0.1", self.port)) as nginx:
                other = {connection: nginx, nginx: connection}
                while True:
                    for end in select.select(other, [], [])[0]:
                        data = end.recv(65536)
                        if not data:
                            return
                        if not forgotten and len(data) > REQUEST_BYTES and \
                                end is connection and \
                                len(self.lines()) > before:
                            forgotten.append(connection)
                            drip(connection, b"")
                        other[end].sendall(data)

        forgotten = []
        tried = self.post("good", "timeout=500ms", repeat=30,
                          port=self.wire_server(talk).port)
        late = [said for said in tried.verdicts if said != "done"]
        self.assertEqual(len(late), 1, tried.verdicts)
        self.assertRegex(late[0], "^retry: no answer in time")


if __name__ == "__main__":
    pegboard.main()
