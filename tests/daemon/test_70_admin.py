"""The admin port of a running daemon: who may speak to it, what it says, and
that it ends in time."""

import contextlib
import http.client
import json
import os
import socket
import stat
import time

import pegboard
from pegboard import Answer, event, id_of, section, wait_for

PROBLEM = "application/problem+json"
PATIENCE_S = pegboard.PATIENCE_S


class Admin:
    """One who knows the token."""

    def __init__(self, daemon):
        self.url = (daemon.state / "admin.url").read_text().strip()
        self.token = (daemon.state / "operator.token").read_text().strip()
        self.port = int(self.url.rsplit(":", 1)[1])

    def request(self, method, path, body=None, headers=(), token=None,
                host=None):
        """Headers whose value is None are left out."""
        fields = {"Authorization": f"Bearer {token or self.token}",
                  "Host": host or f"127.0.0.1:{self.port}"}
        if body is not None:
            fields["Content-Type"] = "application/json"
            body = body if isinstance(body, bytes) else json.dumps(body)
        fields.update(headers)
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=PATIENCE_S)
        try:
            connection.putrequest(method, path, skip_host=True,
                                  skip_accept_encoding=True)
            if body is not None:
                fields.setdefault("Content-Length", str(len(body)))
            for name, value in fields.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(
                body.encode() if isinstance(body, str) else body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **kwargs):
        return self.request("GET", f"/api/v1{path}", **kwargs)

    def post(self, path, body, **kwargs):
        return self.request("POST", f"/api/v1{path}", body, **kwargs)


class Stream:
    """A listener to the server-sent events."""

    def __init__(self, admin):
        self.socket = socket.create_connection(("127.0.0.1", admin.port),
                                               PATIENCE_S)
        self.socket.sendall(
            f"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{admin.port}\r\n"
            f"Authorization: Bearer {admin.token}\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = http.client.parse_headers(self.file)
        if self.status == 200:
            assert self.file.readline() == b": listening\n"

    def next(self):
        """(name, data) of the next event; None at the end."""
        name = None
        while line := self.file.readline().decode():
            if line.startswith("event: "):
                name = line[7:].strip()
            elif line.startswith("data: "):
                return name, json.loads(line[6:])
        return None

    def close(self):
        self.file.close()
        self.socket.close()


class Door(pegboard.SharedTestCase):
    """Who may speak to it."""

    def setUp(self):
        super().setUp()
        self.admin = Admin(self.shared)

    def check(self, answer, status, code):
        self.assertEqual(answer.status, status, answer.body)
        body = answer.json()
        self.assertEqual((body["code"], body["status"], body["type"]),
                         (code, status, f"urn:pegboard:problem:{code}"))
        self.assertEqual(answer.headers["Content-Type"], PROBLEM)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertTrue(answer.closes)

    def test_files_are_for_their_owner_alone(self):
        for name in "operator.token", "admin.url":
            mode = os.stat(self.shared.state / name).st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o600, name)
        self.assertRegex(self.admin.token, "^pgb_op_[0-9a-f]{64}$")

    def test_token_opens(self):
        answer = self.admin.get("/status")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertFalse(answer.closes)
        self.assertTrue(answer.json()["ready"])
        self.assertEqual(self.admin.get(
            "/status", host=f"LOCALHOST:{self.admin.port}").status, 200)

    def test_health_needs_no_token(self):
        for path in "/livez", "/readyz", "/healthz", "/readyz?verbosely":
            answer = self.admin.request("GET", path,
                                        headers={"Authorization": None})
            self.assertEqual((answer.status, answer.body), (200, b"ok\n"))

    def test_health_in_detail_needs_the_token(self):
        for path in "/livez", "/readyz", "/healthz":
            for query in "?verbose", "?verbose=1", "?verbose&x":
                self.check(self.admin.request(
                    "GET", path + query, headers={"Authorization": None}),
                    401, "unauthorized")
                answer = self.admin.request("GET", path + query)
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.headers["Content-Type"],
                                 "text/plain; charset=utf-8")
                lines = answer.body.decode().splitlines()
                self.assertIn("[+] store ok", lines)
                self.assertEqual(lines[-1], f"{path[1:]} check passed")
        self.check(self.admin.request("GET", "/readyz?verbose",
                                      host="evil.example"), 421, "wrong-host")
        answer = self.admin.request("POST", "/readyz?verbose", body={})
        self.assertEqual((answer.status, answer.headers["Allow"]),
                         (405, "GET, HEAD"))

    def test_no_token_is_401(self):
        answer = self.admin.get("/status", headers={"Authorization": None})
        self.check(answer, 401, "unauthorized")
        self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
        self.check(self.admin.get("/stream", headers={"Authorization": None}),
                   401, "unauthorized")
        # A path that is not there is no secret kept from those who may not
        # ask: they hear the same.
        self.check(self.admin.get("/none", headers={"Authorization": None}),
                   401, "unauthorized")

    def test_foreign_hosts_are_refused(self):
        port = self.admin.port
        for host in (f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port+1}",
                     f"127.1.0.1:{port}", f"localhost.evil.example:{port}",
                     f"127.0.0.1:{port}.evil.example", f"[::1]:{port}",
                     f"0.0.0.0:{port}"):
            self.check(self.admin.get("/status", host=host), 421, "wrong-host")
        self.check(self.admin.get("/status", headers={"Host": None}), 421,
                   "wrong-host")

    def test_foreign_origins_are_refused(self):
        port = self.admin.port
        for origin in ("null", "http://evil.example", "http://127.0.0.1",
                       f"https://127.0.0.1:{port}", f"http://127.0.0.1:1{port}",
                       "file://"):
            self.check(self.admin.post("/discards", {},
                                       headers={"Origin": origin}),
                       403, "forbidden-origin")
        self.check(self.admin.get("/status",
                                  headers={"Sec-Fetch-Site": "cross-site"}),
                   403, "forbidden-origin")
        self.assertEqual(self.admin.get("/status", headers={
            "Origin": f"http://localhost:{port}",
            "Sec-Fetch-Site": "same-origin"}).status, 200)

    def test_bodies_are_json_of_bounded_size(self):
        self.check(self.admin.post("/replays", b"{}", headers={
            "Content-Type": "text/plain"}), 415, "not-json")
        self.check(self.admin.post("/replays", b"{}", headers={
            "Content-Type": None}), 415, "not-json")
        self.check(self.admin.post("/replays", b"{}", headers={
            "Content-Type": "application/jsonp"}), 415, "not-json")
        self.assertEqual(self.admin.post("/replays", {
            "all": True, "dry_run": True}, headers={
            "Content-Type": "application/json; charset=utf-8"}).status, 200)
        most = b'{"reason":"x"}' + b" " * ((1 << 20) - 14)
        self.check(self.admin.post("/replays", most), 422, "too-wide")
        self.check(self.admin.post("/replays", most + b" "), 413, "too-large")
        self.check(self.admin.post("/replays", b"{"), 400, "invalid-body")
        self.check(self.admin.post("/replays", b"[" * 10000), 400,
                   "invalid-body")

    def test_requests_are_read_strictly(self):
        with socket.create_connection(("127.0.0.1", self.admin.port),
                                      PATIENCE_S) as sock:
            sock.sendall(
                f"POST /api/v1/replays HTTP/1.1\r\n"
                f"Host: 127.0.0.1:{self.admin.port}\r\n"
                f"Authorization: Bearer {self.admin.token}\r\n"
                "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"
                .encode())
            answer = pegboard.read_answer(sock.makefile("rb"))
        self.check(answer, 400, "bad-request")
        with socket.create_connection(("127.0.0.1", self.admin.port),
                                      PATIENCE_S) as sock:
            sock.sendall(b"\x16\x03\x01 hello\r\n\r\n")
            answer = pegboard.read_answer(sock.makefile("rb"))
        self.check(answer, 400, "bad-request")

    def test_wrong_method_and_path(self):
        answer = self.admin.request("DELETE", "/api/v1/status")
        self.check(answer, 405, "method-not-allowed")
        self.assertEqual(answer.headers["Allow"], "GET")
        answer = self.admin.post("/stream", {})
        self.check(answer, 405, "method-not-allowed")
        self.assertEqual(answer.headers["Allow"], "GET")
        self.check(self.admin.request("GET", "/"), 404, "not-found")
        self.check(self.admin.request("GET", "/api/v2/status"), 404,
                   "not-found")

    def test_webhook_port_knows_nothing_of_it(self):
        answer = self.shared.request(
            "GET", "/api/v1/status",
            headers={"Authorization": f"Bearer {self.admin.token}"})
        self.assertEqual(answer.status, 404)


class Tries(pegboard.TestCase):

    def test_ten_wrong_tokens_a_minute(self):
        admin = Admin(self.daemon())
        for _ in range(10):
            self.assertEqual(admin.get("/status", token="x").status, 401)
        answer = admin.get("/status", token="x")
        self.assertEqual(answer.status, 429)
        self.assertEqual(answer.json()["code"], "too-many-tries")
        self.assertEqual(answer.headers["Retry-After"], "60")
        # Who knows it is not locked out by one who does not.
        self.assertEqual(admin.get("/status").status, 200)

    def test_token_is_never_logged(self):
        daemon = self.daemon()
        admin = Admin(daemon)
        admin.get("/none")
        admin.get("/status", token="pgb_op_wrong")
        daemon.wait_log("request refused.*not the token")
        self.assertNotIn(admin.token, daemon.log())
        self.assertNotIn("pgb_op_wrong", daemon.log())


class Life(pegboard.TestCase):

    def test_token_stays_and_url_goes(self):
        daemon = self.daemon()
        first = Admin(daemon)
        daemon.stop()
        self.assertFalse((daemon.state / "admin.url").exists())
        daemon.start()
        self.assertEqual(Admin(daemon).token, first.token)

    def test_token_that_others_can_read_is_refused(self):
        daemon = self.daemon()
        daemon.stop()
        (daemon.state / "operator.token").chmod(0o644)
        daemon.start(ready=False)
        self.assertNotEqual(daemon.process.wait(PATIENCE_S), 0)
        self.assertIn("open to other users", daemon.log())

    def test_streams_end_at_once_when_the_daemon_does(self):
        daemon = self.daemon()
        stream = Stream(Admin(daemon))
        self.addCleanup(stream.close)
        began = time.monotonic()
        self.assertEqual(daemon.stop(), 0)
        self.assertLess(time.monotonic() - began, 5)
        self.assertIsNone(stream.next())


class Work(pegboard.TestCase):
    """What operators do with it."""

    def test_event_is_found_shown_and_given_byte_by_byte(self):
        daemon = self.daemon(section("noop", "noop"))
        admin = Admin(daemon)
        body = event("invoice.paid")
        daemon.post(body)
        daemon.wait_finished()
        events = admin.get("/events?type=invoice.*").json()
        self.assertEqual([row["id"] for row in events["data"]], [id_of(body)])
        shown = admin.get(f"/events/{id_of(body)}").json()
        self.assertEqual((shown["state"], shown["type"]),
                         ("done", "invoice.paid"))
        self.assertEqual(shown["deliveries"][0]["plugin"], "noop")
        self.assertEqual(shown["attempts"][0]["outcome"], "done")
        answer = admin.get(f"/events/{id_of(body)}/body")
        self.assertEqual(answer.body, body)
        self.assertEqual(answer.headers["Content-Type"], "application/json")

    def test_dead_letters_are_replayed_by_a_job(self):
        daemon = self.daemon(section("fail", "fail"))
        admin = Admin(daemon)
        for _ in range(3):
            daemon.post(event("charge.captured"))
        wait_for(lambda: daemon.dead() == 3, "three dead letters")
        groups = admin.get("/dead-letters").json()["data"]
        self.assertEqual([(g["plugin"], g["count"]) for g in groups],
                         [("fail", 3)])
        wanted = {"filter": {"plugin": "fail", "state": "dead"},
                  "reason": "tried again", "rate_per_second": 0}
        dry = admin.post("/replays", dict(wanted, dry_run=True))
        self.assertEqual((dry.status, dry.json()["count"]), (200, 3))
        answer = admin.post("/replays", wanted)
        self.assertEqual(answer.status, 202)
        place = answer.headers["Location"]

        def ended():
            job = admin.request("GET", place).json()
            return job["state"] == "done" and job["waiting"] == 0 and job
        job = wait_for(ended, "the job to end")
        self.assertEqual((job["moved"], job["done"], job["dead"]), (3, 0, 3))
        self.assertEqual(job["reason"], "tried again")

    def test_pause_holds_and_resume_lets_go(self):
        daemon = self.daemon(section("noop", "noop"))
        admin = Admin(daemon)
        wait_for(lambda: admin.get("/plugins/noop").json()["state"] ==
                 "running", "the plugin to run")
        answer = admin.post("/plugins/noop/pause", {"reason": "migration"})
        self.assertEqual(answer.json()["state"], "paused")
        body = event("charge.captured")
        daemon.post(body)
        self.assertEqual(admin.get(f"/events/{id_of(body)}").json()["state"],
                         "held")
        daemon.stop()
        daemon.start()
        admin = Admin(daemon)
        self.assertEqual(
            admin.get("/plugins/noop").json()["paused"]["reason"], "migration")
        self.assertEqual(daemon.unfinished(), 1)
        self.assertEqual(admin.post("/plugins/noop/resume", {}).status, 200)
        daemon.wait_finished()

    def test_orphaned_deliveries_are_shown(self):
        daemon = self.daemon(section("retry", "retry"))
        daemon.post(event("charge.captured"))
        daemon.stop()
        daemon.write_ini()
        daemon.start()
        plugin = Admin(daemon).get("/plugins/retry").json()
        self.assertEqual((plugin["state"], plugin["pending"]), ("orphaned", 1))

    def test_stream_tells_of_an_event(self):
        daemon = self.daemon(section("noop", "noop"))
        admin = Admin(daemon)
        stream = Stream(admin)
        self.addCleanup(stream.close)
        self.assertEqual(stream.headers["Content-Type"], "text/event-stream")
        body = event("charge.captured")
        daemon.post(body)
        told = {}
        while len(told) < 3:
            name, data = stream.next()
            self.assertEqual(data["event_id"], id_of(body))
            told[name] = data
        self.assertEqual(told["arrived"]["type"], "charge.captured")
        self.assertEqual((told["answered"]["status"], told["answered"]["path"]),
                         (200, "/webhook"))
        self.assertEqual((told["delivered"]["plugin"],
                          told["delivered"]["verdict"]), ("noop", "done"))

    def test_streams_are_bounded_and_leave_room(self):
        admin = Admin(self.daemon())
        streams = [Stream(admin) for _ in range(8)]
        for stream in streams:
            self.addCleanup(stream.close)
            self.assertEqual(stream.status, 200)
        ninth = Stream(admin)
        self.addCleanup(ninth.close)
        self.assertEqual(ninth.status, 503)
        self.assertEqual(admin.get("/status").status, 200)

    def test_idle_connections_leave_room(self):
        admin = Admin(self.daemon())
        with contextlib.ExitStack() as stack:
            for _ in range(12):
                idle = http.client.HTTPConnection("127.0.0.1", admin.port,
                                                  timeout=PATIENCE_S)
                stack.callback(idle.close)
                idle.request("GET", "/api/v1/status", headers={
                    "Authorization": f"Bearer {admin.token}"})
                self.assertEqual(idle.getresponse().read()[:1], b"{")
            began = time.monotonic()
            self.assertEqual(admin.get("/status").status, 200)
            self.assertLess(time.monotonic() - began, 3)


if __name__ == "__main__":
    pegboard.main()
