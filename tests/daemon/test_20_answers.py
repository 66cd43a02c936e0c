"""What the webhook port says, row by row of the table in its README."""

import json
import re
import time

import pegboard
from pegboard import FAULTS, SECRET, event, id_of, post_bytes, sign

PROBLEM = "application/problem+json"
OTHER = "whsec_of_another_endpoint_987654"
NEW = "whsec_the_one_rolled_in_00000001"


def problem(code, title, status):
    return {"type": f"urn:pegboard:problem:{code}", "title": title,
            "status": status, "code": code}


BAD_SIGNATURE = problem("invalid-signature", "Signature not accepted", 400)
NOT_AN_EVENT = problem("not-an-event", "The body is not an event", 400)
NOT_FOUND = problem("not-found", "No such path", 404)
POST_ONLY = problem("method-not-allowed", "Events are sent with POST", 405)
GET_ONLY = problem("method-not-allowed", "Health is read with GET", 405)


class Table(pegboard.SharedTestCase):

    OPTIONS = {"more": f"[plugin noop]\npath = {FAULTS}/noop.so\n"
                       "events = charge.*\n"
                       "[endpoint other]\npath = /other\n"
                       "secrets = env:OTHER\n"
                       "[endpoint rolling]\npath = /rolling\n"
                       "secrets = file:secret, env:NEW\n"
                       "[endpoint testing]\npath = /testing\n"
                       "secrets = file:secret\nlivemode = test\n",
               "env": {"OTHER": OTHER, "NEW": NEW}}

    def check(self, answer, status, body, type=PROBLEM):
        self.assertEqual((answer.status, answer.json()), (status, body))
        self.assertEqual(answer.headers["Content-Type"], type)
        self.assertEqual(answer.closes, status >= 300)

    def events_of(self, body):
        return self.shared.query(
            "SELECT routed, endpoint, secret FROM event WHERE event_id = ?",
            id_of(body))

    # -- 200 ---------------------------------------------------------------

    def test_new_event_is_received_and_a_repeat_is_a_duplicate(self):
        body = event("charge.succeeded")
        first = self.shared.post(body)
        again = self.shared.post(body)
        self.check(first, 200, {"received": True}, "application/json")
        self.assertEqual(first.body, b'{"received":true}')
        self.check(again, 200, {"received": True, "duplicate": True},
                   "application/json")
        self.assertEqual(again.body, b'{"received":true,"duplicate":true}')
        self.assertEqual(self.events_of(body), [(1, "main", "file:secret")])

    def test_same_id_with_other_bytes_is_a_duplicate_and_flagged(self):
        body = event("charge.succeeded")
        self.shared.post(body)
        answer = self.shared.post(body + b"\n")
        self.assertEqual(answer.json(), {"received": True, "duplicate": True})
        self.assertEqual(self.shared.query(
            "SELECT conflict FROM receipt JOIN event USING(seq)"
            " WHERE event_id = ?", id_of(body)), [(body + b"\n",)])
        self.shared.wait_log(f"same event id with other bytes.*{id_of(body)}")

    def test_type_without_a_plugin_is_stored_unrouted_and_said(self):
        body = event("no_such.type")
        self.check(self.shared.post(body), 200, {"received": True},
                   "application/json")
        self.assertEqual(self.events_of(body), [(0, "main", "file:secret")])
        self.shared.wait_log(
            f'unhandled event type" type="no_such.type" event={id_of(body)}')

    def test_event_of_the_other_mode_is_stored_unrouted(self):
        live = event("charge.succeeded", livemode=True)
        test = event("charge.succeeded", livemode=False)
        for body in live, test:
            self.assertEqual(self.shared.post(body, "/testing").status, 200)
        self.assertEqual(self.events_of(live), [(0, "testing", "file:secret")])
        self.assertEqual(self.events_of(test), [(1, "testing", "file:secret")])

    def test_thin_event_is_received(self):
        body = json.dumps({
            "id": f"evt_thin{time.time_ns()}", "object": "v2.core.event",
            "type": "v1.billing.meter.no_meter_found", "livemode": False,
            "created": "2026-10-28T09:16:42.337Z"}).encode()
        self.assertEqual(self.shared.post(body).json(), {"received": True})

    def test_slash_at_the_end_and_a_query_make_no_difference(self):
        for path in "/webhook/", "/webhook?source=stripe", "/webhook/?a=b&c":
            with self.subTest(path):
                self.check(self.shared.post(path=path), 200,
                           {"received": True}, "application/json")

    # -- 400 ---------------------------------------------------------------

    def test_secret_of_another_endpoint_is_not_accepted(self):
        body = event()
        for path, secret in ("/webhook", OTHER), ("/other", SECRET):
            self.check(self.shared.post(body, path, sign(body, secret)), 400,
                       BAD_SIGNATURE)
        self.assertEqual(self.events_of(body), [])

    def test_either_of_two_secrets_is_accepted_and_named(self):
        for secret, name in (SECRET, "file:secret"), (NEW, "env:NEW"):
            body = event()
            self.assertEqual(self.shared.post(
                body, "/rolling", sign(body, secret)).status, 200)
            self.assertEqual(self.events_of(body), [(0, "rolling", name)])

    def test_any_v1_that_fits_is_enough(self):
        body = event()
        wrong = sign(body, OTHER).split(",")[1]
        signature = sign(body, NEW).replace(",", f", {wrong}, ")
        self.assertEqual(
            self.shared.post(body, "/rolling", signature).status, 200)

    def test_tolerance_counts_both_ways(self):
        now = int(time.time())
        for offset, status in ((-310, 400), (-290, 200), (290, 200),
                               (310, 400)):
            with self.subTest(offset):
                body = event()
                answer = self.shared.post(
                    body, signature=sign(body, at=now + offset))
                self.assertEqual(answer.status, status)

    def test_authentic_body_that_is_no_event_is_not_stored(self):
        before = self.shared.stored()
        for body in (b"", b"hello", b"[]", b"null", b'"x"', b"1", b"{}",
                     b'{"id":"evt_1"}', b'{"type":"charge.succeeded"}',
                     b'{"id":1,"type":"charge.succeeded"}',
                     b'{"id":"","type":"charge.succeeded"}',
                     b'{"id":"evt_1","type":["charge.succeeded"]}',
                     b'{"id":"evt_1","type":"a"} {}',
                     b'{"id":"evt_1","type":"a"', b"\xef\xbb\xbf" + event(),
                     b'{"id":"evt_1\\u0000","type":"a"}',
                     b"id=evt_1&type=charge.succeeded"):
            with self.subTest(body):
                self.check(self.shared.post(body), 400, NOT_AN_EVENT)
        self.assertEqual(self.shared.stored(), before)

    # -- 404, 405 ----------------------------------------------------------

    def test_unknown_path_is_not_found(self):
        for path in ("/", "/webhookx", "/webhook/x", "/webhook//", "//webhook",
                     "/WEBHOOK", "/webhook%2f", "/%77ebhook", "/./webhook",
                     "/x/../webhook", "/webhook;x", "/etc/passwd", "/?/webhook",
                     "/livez/x", "/index.html", "/webhook.", "/~root"):
            for method in "GET", "POST", "HEAD":
                with self.subTest(path, method=method):
                    answer = self.shared.request(method, path)
                    self.assertEqual(answer.status, 404)
                    if method != "HEAD":
                        self.check(answer, 404, NOT_FOUND)

    def test_other_method_is_told_to_post(self):
        for method in "GET", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND":
            with self.subTest(method):
                answer = self.shared.request(method, "/webhook")
                self.check(answer, 405, POST_ONLY)
                self.assertEqual(answer.headers["Allow"], "POST")

    def test_health_is_for_reading_only(self):
        for path in "/livez", "/readyz":
            for method in "POST", "PUT", "OPTIONS":
                with self.subTest(path, method=method):
                    answer = self.shared.request(method, path)
                    self.check(answer, 405, GET_ONLY)
                    self.assertEqual(answer.headers["Allow"], "GET, HEAD")

    def test_preflight_of_a_browser_gets_no_leave(self):
        answer = self.shared.request("OPTIONS", "/webhook", headers={
            "Origin": "http://evil.example",
            "Access-Control-Request-Method": "POST"})
        self.check(answer, 405, POST_ONLY)
        self.assertFalse([name for name in answer.headers
                          if name.startswith("Access-Control")])

    def test_upgrade_is_not_taken_up(self):
        answer = self.shared.request("GET", "/livez", headers={
            "Connection": "Upgrade", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        self.assertEqual((answer.status, answer.body), (200, b"ok\n"))

    # -- Health, HEAD ------------------------------------------------------

    def test_health_is_bare(self):
        for path in "/livez", "/readyz", "/livez?verbose":
            answer = self.shared.request("GET", path)
            self.assertEqual((answer.status, answer.body), (200, b"ok\n"))
            self.assertEqual(answer.headers["Content-Type"], "text/plain")
            self.assertEqual(set(answer.headers),
                             {"Content-Type", "Content-Length"})

    def test_head_has_the_headers_of_get_and_no_body(self):
        for path in "/livez", "/webhook", "/nowhere":
            get = self.shared.request("GET", path)
            head = self.shared.request("HEAD", path)
            self.assertEqual(head.status, get.status)
            self.assertEqual(head.headers.items(), get.headers.items())
            self.assertEqual(head.body, b"")
        with self.shared.connect() as sock:
            sock.sendall(b"HEAD /nowhere HTTP/1.1\r\n\r\n")
            raw = b"".join(iter(lambda: sock.recv(4096), b""))
        self.assertTrue(raw.endswith(b"\r\n\r\n"), raw)

    # -- All of it ---------------------------------------------------------

    def test_no_answer_is_html_or_speaks_of_the_library(self):
        good = post_bytes(event())
        for data in (
                good, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
                b"hello\r\n\r\n", b"GET /\r\n\r\n", b"BREW / HTTP/1.1\r\n\r\n",
                b"GET /webhook HTTP/9.9\r\n\r\n",
                b"GET webhook HTTP/1.1\r\n\r\n",
                b"CONNECT a.example:443 HTTP/1.1\r\n\r\n",
                b"GET /<script> HTTP/1.1\r\n\r\n", b"TRACE / HTTP/1.1\r\n\r\n",
                b"GET /%3Cb%3E HTTP/1.1\r\nHost: <b>\r\n\r\n",
                b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.1\r\nA: " + b"a" * 20000 + b"\r\n\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"POST /webhook HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                b"POST /webhook HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n",
                b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.1\r\n\x00\r\n"):
            with self.subTest(data[:60]):
                raw = self.shared.raw(data, finish=True)
                self.assertNotRegex(raw, rb"[<>]|(?i:civetweb|server:|date:)")
                for answer in pegboard.read_answers(raw):
                    self.assertNotIn(answer.status // 100, (1, 3))
                    self.assertIsNotNone(answer.json())
                    self.assertEqual(answer.headers["Content-Type"],
                                     PROBLEM if answer.status >= 300
                                     else "application/json")


class Log(pegboard.TestCase):
    """What only the log may tell."""

    def test_sender_cannot_see_why_a_signature_is_refused(self):
        daemon = self.daemon()
        body, now = event(), int(time.time())
        t, v1 = sign(body).split(",")
        reasons = [
            ("header_missing", b""),
            ("header_missing", b"Stripe-Signature: \r\n"),
            ("header_malformed",
             f"Stripe-Signature: {t},{v1}\r\n".encode() * 2),
            ("header_malformed",
             f"Stripe-Signature: {t},t=1,{v1}\r\n".encode()),
            ("timestamp_missing", f"Stripe-Signature: {v1}\r\n".encode()),
            ("timestamp_invalid", f"Stripe-Signature: t=0x1,{v1}\r\n".encode()),
            ("no_v1", f"Stripe-Signature: {t},v0{v1[2:]}\r\n".encode()),
            ("signature_mismatch",
             f"Stripe-Signature: {t},v1={'0' * 64}\r\n".encode()),
            ("timestamp_too_old",
             f"Stripe-Signature: {sign(body, at=now - 310)}\r\n".encode()),
            ("timestamp_ahead",
             f"Stripe-Signature: {sign(body, at=now + 310)}\r\n".encode()),
        ]
        answers = set()
        for reason, field in reasons:
            daemon.mark = daemon.log_path.stat().st_size
            answers.add(daemon.raw(
                b"POST /webhook HTTP/1.1\r\n" + field +
                b"Content-Length: %d\r\n\r\n" % len(body) + body))
            daemon.wait_log(f'"signature refused" endpoint=main '
                            f'reason={reason} .* remote="127.0.0.1"')
        self.assertEqual(len(answers), 1)
        answer, = pegboard.read_answers(answers.pop())
        self.assertEqual((answer.status, answer.json()), (400, BAD_SIGNATURE))
        self.assertEqual(daemon.stored(), set())
        self.assertNotIn(v1[3:], daemon.log())
        self.assertNotIn(SECRET, daemon.log())

    def remote_of(self, daemon, forwarded_for):
        body = event()
        daemon.post(body, X_Forwarded_For=forwarded_for)
        return daemon.wait_log(
            f'event stored" event={id_of(body)} .* remote="([^"]*)"').group(1)

    def test_trusted_proxy_is_believed(self):
        daemon = self.daemon(server="trusted_proxies = 127.0.0.1, 10.0.0.7")
        for forwarded_for, remote in (
                ("203.0.113.9", "203.0.113.9"),
                ("203.0.113.9, 10.0.0.7", "203.0.113.9"),
                ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
                ("198.51.100.1,203.0.113.9 ,10.0.0.7,127.0.0.1",
                 "203.0.113.9"),
                ("10.0.0.7", "10.0.0.7"), ("", "127.0.0.1")):
            with self.subTest(forwarded_for):
                self.assertEqual(self.remote_of(daemon, forwarded_for), remote)

    def test_nobody_else_is_believed(self):
        daemon = self.daemon(server="trusted_proxies =")
        self.assertEqual(self.remote_of(daemon, "203.0.113.9"), "127.0.0.1")

    def test_no_input_can_forge_a_line_or_a_field(self):
        daemon = self.daemon()
        forged = 'x" level=error msg="forged" a="'
        for text in forged, "x\\\" forged=1", "x\r\nlevel=error forged=1", \
                "x\u2028\u009b31m forged=1", "x\x1b[31m forged=1", "forged=1 ":
            body = event(type=text)
            daemon.post(body)
            daemon.post(body, signature=f"t=1,v1={text}".split("\r")[0]
                        .encode("ascii", "replace").decode())
            daemon.post(event(id=text))
            daemon.post(event(obj={"id": text, "object": text}))
            path = "/" + text.replace(" ", "\xa0")
            daemon.talk(b"GET " + path.encode("latin-1", "replace") +
                        b" HTTP/1.1\r\n\r\n", finish=True)
            daemon.talk(post_bytes(event(), fields=b"X-Forwarded-For: " +
                                   text.encode() + b"\r\n"), finish=True)
            daemon.talk(b'POST /' + forged.replace(" ", "_").encode() +
                        b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
                        b"Content-Length: 1\r\n\r\n", finish=True)
        daemon.stop()
        line = re.compile(r'ts=[\w:.+-]+ level=(info|warn|error|debug) '
                          r'module=\w+ msg="[a-z 0-9-]+"'
                          r'( \w+=("([ !#-\[\]-~]|\\["\\u])*"|[\w./:-]*))*')
        for text in daemon.log().splitlines():
            self.assertRegex(text, re.compile(line.pattern + "$"))
            self.assertNotRegex(re.sub(r'"(\\.|[^"\\])*"', "", text), "forged")


if __name__ == "__main__":
    pegboard.main()
