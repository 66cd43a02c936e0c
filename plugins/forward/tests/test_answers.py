"""What is sent, and what each answer leads to."""

import email.utils
import re
import time

import pegboard
from receiver import (EVENT, KEY, SECRET, Reply, read_request, try_event,
                      verifies)
import receiver

BODY = EVENT.read_bytes()


class Requests(receiver.TestCase):

    def post(self, *options, **kwargs):
        server = self.receiver()
        tried = try_event(server.url, *options, **kwargs)
        self.assertEqual(set(tried.verdicts), {"done"}, tried.stderr)
        return server.requests

    def test_the_exact_bytes_and_the_headers(self):
        request, = self.post()
        self.assertEqual(request.body, BODY)
        self.assertEqual(request.path, "/hook?a=1")
        self.assertEqual(
            {name: value for name, value in request.headers.items()
             if name not in ("Host", "Accept")},
            {"Content-Type": "application/json; charset=utf-8",
             "Content-Length": str(len(BODY)),
             "User-Agent": "pegboard-forward/1.0",
             "Idempotency-Key": KEY,
             "Pegboard-Event-Id": "evt_1PegForwardSample0001",
             "Pegboard-Attempt": "1",
             "Stripe-Account": "acct_1PegForwardSample"})

    def test_odd_bytes_pass_as_they_are(self):
        body = b"\n\t " + BODY.replace(b"\n", b"\r\n") + b" \r\n\n"
        self.assertEqual(self.post(event=body)[0].body, body)

    def test_an_event_without_account(self):
        body = BODY.replace(b'"account"', b'"no_account"')
        self.assertIsNone(self.post(event=body)[0].headers["Stripe-Account"])

    def test_a_large_event_waits_for_nothing(self):
        body = BODY.replace(b"jenny", b"x" * 3_000_000)
        request, = self.post(event=body)
        self.assertIsNone(request.headers["Expect"])
        self.assertEqual(request.body, body)

    def test_called_twice_it_sends_the_same_key(self):
        requests = self.post(repeat=2)
        self.assertEqual([r.headers["Idempotency-Key"] for r in requests],
                         [KEY, KEY])
        self.assertEqual([r.headers["Pegboard-Attempt"] for r in requests],
                         ["1", "2"])
        self.assertEqual([r.body for r in requests], [BODY, BODY])

    def test_headers_of_ones_own(self):
        headers = self.post("headers=Authorization: Bearer a:b,  X-Shop:7 , "
                            "User-Agent: shop/2")[0].headers
        self.assertEqual(headers["Authorization"], "Bearer a:b")
        self.assertEqual(headers["X-Shop"], "7")
        self.assertEqual(headers.get_all("User-Agent"), ["shop/2"])

    def test_a_signature_of_its_own(self):
        thin = (b'{"id":"evt_2","object":"v2.core.event","type":"v1.billing.'
                b'meter.no_meter_found","livemode":false,"created":'
                b'"2026-01-01T00:00:00.000Z","context":"acct_9"}')
        for body in BODY, thin, BODY + b" " * 100_000:
            request, = self.post("signature=own", f"secret={SECRET}",
                                 event=body)
            self.assertEqual(len(request.headers.get_all("Stripe-Signature")),
                             1)
            self.assertTrue(verifies(request.body,
                                     request.headers["Stripe-Signature"]))
            self.assertFalse(verifies(request.body + b" ",
                                      request.headers["Stripe-Signature"]))

    def test_two_secrets_while_the_receiver_changes_its_own(self):
        old = "whsec_that_goes"
        request, = self.post("signature=own", f"secret={SECRET}, {old}")
        header = request.headers["Stripe-Signature"]
        self.assertEqual(header.count("v1="), 2)
        for secret in SECRET, old:
            self.assertTrue(verifies(request.body, header, secret))
        self.assertFalse(verifies(request.body, header, "whsec_other"))

    def test_a_line_break_in_the_event_makes_no_header(self):
        for what, name in ((b"evt_1PegForwardSample0001", "Idempotency-Key|"
                            "Pegboard-Event-Id"),
                           (b"acct_1PegForwardSample", "Stripe-Account")):
            server = self.receiver()
            for end in b"\\r\\nX-Injected: 1", b"\\u0001", b"\\n":
                tried = try_event(server.url,
                                  event=BODY.replace(what, what + end))
                self.assertRegex(tried.verdict,
                                 f"^fail: a control character .*({name})$")
            self.assertEqual(server.requests, [])


class Answers(receiver.TestCase):

    def answered(self, reply, *options, **kwargs):
        server = self.receiver(lambda request: reply)
        tried = try_event(server.url, *options, **kwargs)
        self.assertEqual(len(server.requests), 1)
        return tried

    def test_2xx_is_done(self):
        for status in 200, 201, 202, 204, 299:
            tried = self.answered(Reply(status))
            self.assertEqual((tried.verdict, tried.status), ("done", 0))

    def test_410_is_the_end(self):
        tried = self.answered(Reply(410, (), b"endpoint\r\n\x1b[31m removed "))
        self.assertEqual((tried.verdict, tried.status),
                         ("fail: HTTP 410: endpoint   [31m removed", 1))

    def test_others_are_tried_again(self):
        for status in 400, 401, 403, 404, 405, 409, 422, 429, 500, 502, 503, \
                504, 599:
            tried = self.answered(Reply(status, (), b'{"why": "no\xc3\xa9"}'))
            self.assertEqual(tried.verdict,
                             f'retry: HTTP {status}: {{"why": "no\u00e9"}}')
            self.assertEqual(tried.status, 1)

    def test_an_answer_without_a_body(self):
        self.assertEqual(self.answered(Reply(500)).verdict, "retry: HTTP 500")

    def asked_ms(self, tried):
        found = re.fullmatch(r"retry(?: in (\d+) ms)?: HTTP \d+", tried.verdict)
        return found[1] and int(found[1])

    def test_retry_after_in_seconds(self):
        for status in 429, 503:
            for text, wanted_ms in (
                    ("7", 7000), (" 120 ", 120_000), ("3601", 3_600_000),
                    ("9" * 30, 3_600_000), ("0", None), ("-5", None),
                    ("soon", None), ("7s", None), ("", None)):
                tried = self.answered(Reply(status, [("Retry-After", text)]))
                self.assertEqual(self.asked_ms(tried), wanted_ms, text)

    def test_retry_after_as_a_date(self):
        for ahead_s, low_ms, high_ms in (
                (100, 90_000, 100_000), (10**6, 3_600_000, 3_600_000)):
            date = email.utils.formatdate(time.time() + ahead_s, usegmt=True)
            asked_ms = self.asked_ms(
                self.answered(Reply(503, [("Retry-After", date)])))
            self.assertGreaterEqual(asked_ms, low_ms)
            self.assertLessEqual(asked_ms, high_ms)
        past = email.utils.formatdate(time.time() - 100, usegmt=True)
        self.assertIsNone(self.asked_ms(
            self.answered(Reply(429, [("Retry-After", past)]))))

    def test_max_retry_after(self):
        tried = self.answered(Reply(429, [("Retry-After", "60")]),
                              "max_retry_after=9s")
        self.assertEqual(self.asked_ms(tried), 9000)

    def test_retry_after_counts_with_429_and_503_alone(self):
        for status in 400, 500, 502:
            tried = self.answered(Reply(status, [("Retry-After", "60")]))
            self.assertIsNone(self.asked_ms(tried))

    def test_retry_after_of_one_answer_is_not_that_of_the_next(self):
        replies = [Reply(503, [("Retry-After", "60")]), Reply(503)]
        server = self.receiver(lambda request: replies[
            len(server.requests) - 1])
        tried = try_event(server.url, repeat=2)
        self.assertEqual(tried.verdicts,
                         ["retry in 60000 ms: HTTP 503", "retry: HTTP 503"])

    def test_the_shortest_retry_after_doubles(self):
        """So that max_attempts lasts."""
        server = self.receiver(
            lambda request: Reply(503, [("Retry-After", "3")]))
        tried = try_event(server.url, "max_retry_after=1m", repeat=40)
        waits_s = [3, 3, 4, 8, 16, 32] + [60] * 34
        self.assertEqual(tried.verdicts, [f"retry in {s}000 ms: HTTP 503"
                                          for s in waits_s])

    def test_of_several_retry_after_the_first_counts(self):
        tried = self.answered(Reply(503, [("Retry-After", "7"),
                                          ("Retry-After", "60")]))
        self.assertEqual(self.asked_ms(tried), 7000)
        for text in "7, 60", "7;x", "1e9", "0x10", "+7":
            tried = self.answered(Reply(503, [("Retry-After", text)]))
            self.assertIn(self.asked_ms(tried), (None, 3_600_000), text)

    def test_a_redirect_is_not_followed(self):
        other = self.receiver()
        for status in 301, 302, 303, 307, 308:
            for to, host in ((other.url, "127.0.0.1"),
                             ("https://user:pass@shop.example/x",
                              "shop.example"),
                             ("//elsewhere.example/x", "elsewhere.example"),
                             ("https://%1b[31m%0ax/", "nowhere"),
                             ("/other", "127.0.0.1")):
                tried = self.answered(Reply(status, [("Location", to)]))
                self.assertEqual(
                    tried.verdict, f"retry: HTTP {status} leads to {host}, "
                    "which is not followed: set `url`")
        self.assertEqual(other.connections, 0)

    def test_a_redirect_to_nowhere(self):
        for headers in [], [("Location", "")], [("Location", "http://")]:
            self.assertRegex(self.answered(Reply(302, headers)).verdict,
                             "^retry: HTTP 302 leads to .*not followed")

    def test_a_body_that_shows_our_headers(self):
        """As pages for debugging do: it is told up to the first secret,
        however near that is to where the reason is cut off."""
        secret = "s3cret_" * 9
        for field in f"Authorization: Bearer {secret}", f"X-Key:{secret}":
            for before in "got ", "x" * 970, "x" * 2000:
                said = before + secret + " and more"
                tried = self.answered(Reply(500, (), said.encode()),
                                      f"headers=X-Short: got, {field}")
                self.assertNotIn("s3cret", tried.verdict + tried.stderr)
                self.assertTrue(tried.verdict.startswith(
                    f"retry: HTTP 500: {before.strip()[:900]}"))

    def test_only_the_beginning_of_a_body_is_told(self):
        # The host cuts reasons at 1000 bytes; no character is cut.
        tried = self.answered(Reply(500, (), "a\u00e9".encode() * 20_000))
        self.assertRegex(tried.verdict, "^retry: HTTP 500: (a\u00e9)+a?$")
        self.assertLess(len(tried.verdict.encode()), 1100)

    def test_heads_before_the_last_do_not_count(self):
        def talk(connection):
            read_request(connection)
            connection.sendall(
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
                b"Link: </a>\r\n\r\nHTTP/1.1 500 No\r\n"
                b"Content-Length: 0\r\n\r\n")

        self.assertEqual(try_event(self.wire_server(talk).url).verdict,
                         "retry: HTTP 500")

    def test_the_rest_of_a_body_is_dropped_up_to_a_bound(self):
        """Within it the connection is kept; beyond it is given up."""
        for size, connections in (60_000, 1), (10_000_000, 3):
            for status, verdict in (200, "done$"), (500, "retry: HTTP 500: x"):
                server = self.receiver(
                    lambda request: Reply(status, (), b"x" * size))
                tried = try_event(server.url, repeat=3)
                for said in tried.verdicts:
                    self.assertRegex(said, f"^{verdict}")
                self.assertEqual(server.connections, connections)


class Options(receiver.TestCase):

    def assert_refused(self, pattern, *options, url="https://a.example/"):
        tried = try_event(url, *options)
        self.assertRegex(tried.stderr, f"(?m)^error forward: {pattern}")
        self.assertEqual((tried.status, tried.verdicts), (3, []))
        return tried

    def test_urls(self):
        for url in "127.0.0.1/x", "", "https://", "https://a b/", "/x", \
                "https://a.example:99999/":
            self.assert_refused("url: it is no URL", url=url)
        self.assert_refused("url: ftp is not spoken", url="ftp://a.example/")
        self.assert_refused("url: gopher is not", url="gopher://a.example/")
        self.assert_refused("url: a user has no place in it",
                            url="https://u:p@a.example/")

    def test_plain_http_stays_here(self):
        for url in "http://a.example/", "http://128.0.0.1/", "http://[::2]/", \
                "http://127.0.0.1.a.example/", "http://10.0.0.1/":
            self.assert_refused("url: plain http", url=url)
        self.assert_refused("url: plain http", "proxy=http://127.0.0.1:9",
                            url="http://127.0.0.1/")
        port = self.silent_port()
        for url in "http://localhost", "http://127.9.9.9", "http://[::1]", \
                "http://127.1":
            self.assert_retry(try_event(f"{url}:{port}/"), "no connection")
        self.assert_retry(try_event(
            "http://0.0.0.0:%d/" % port, "insecure_http=yes"), "no connection")

    def test_nothing_needs_to_listen_at_the_start(self):
        self.assert_retry(try_event(
            f"https://127.0.0.1:{self.silent_port()}/"), "no connection")

    def test_signatures(self):
        self.assert_refused("signature: own needs", "signature=own")
        self.assert_refused("signature: own needs", "signature=own", "secret=")
        self.assert_refused("signature: it is one of", "signature=mine")
        self.assert_refused("secret: it is for", "secret=whsec_1")
        self.assert_refused("secret: there are more than 2", "signature=own",
                            "secret=whsec_1, whsec_2, whsec_3")

    def test_headers(self):
        for field in "Broken", ": value", "Two Words: x", "Name:", "Name: ", \
                "Na\u00efve: x":
            self.assert_refused("headers: ", f"headers={field}")
        for field in "X-A: b\r\nX-Injected: 1", "X-A: b\nX-Injected: 1", \
                "X-A: b\x01", "X-A: b\x7f":
            tried = try_event("https://a.example/", f"headers={field}")
            self.assertRegex(tried.stderr, "headers: .*control character")
            self.assertNotIn("Injected", tried.stderr)
            self.assertEqual((tried.status, tried.verdicts), (3, []))
        for name in "Content-Type", "content-length", "HOST", \
                "Stripe-Signature", "Idempotency-Key", "Transfer-Encoding", \
                "Proxy-Authorization", "upgrade", "TE":
            self.assert_refused(f"headers: {name} is set by the plugin",
                                f"headers={name}: 1")

    def test_times(self):
        for option in "timeout", "connect_timeout", "max_retry_after":
            for value in "0s", "2d":
                self.assert_refused(f"{option}: it is from 1ms",
                                    f"{option}={value}")

    def test_certificates(self):
        self.assert_refused("ca_file: no certificate", "ca_file=/nowhere")
        self.assert_refused("ca_file: no certificate", f"ca_file={EVENT}")

    def test_proxies(self):
        for scheme in "socks5", "https":
            self.assert_refused("proxy: write", f"proxy={scheme}://a.example:1")
        for proxy in "http://", "http:///x", "http://u:whsec_x@a b", \
                "http://u:whsec_x@127.0.0.1:99999":
            tried = self.assert_refused("proxy: write", f"proxy={proxy}")
            self.assertNotIn("whsec_x", tried.stderr)

    def test_secrets_are_not_told(self):
        for options, url in (
                (["headers=whsec_x"], None), (["headers=Host: whsec_x"], None),
                (["secret=whsec_x"], None), ([], "http://a.example/whsec_x"),
                ([], "https://a.example:port/whsec_x"),
                ([], "https://u:whsec_x@a.example/"),
                (["proxy=ftp://u:whsec_x@a.example/"], None)):
            tried = self.assert_refused("", *options,
                                        url=url or "https://a.example/")
            self.assertNotIn("whsec_x", tried.stderr)


if __name__ == "__main__":
    pegboard.main()
