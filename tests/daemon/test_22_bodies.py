"""Bodies: whole or not at all, of a bounded size, exactly as they were sent."""

import json
import time

import pegboard
from pegboard import event, id_of, post_bytes

MAX_BODY = 1 << 20
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def chunks(body, size):
    parts = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part)
                    for part in parts) + b"0\r\n\r\n"


def chunked(body, coded=None, size=1000, fields=b""):
    """A good signature over `body`, which is sent as `coded`."""
    head = post_bytes(body, length=CHUNKED, fields=fields)
    return head[:-len(body)] + (chunks(body, size) if coded is None else coded)


def padded(size):
    body = event()
    return body + b" " * (size - len(body))


class Bodies(pegboard.SharedTestCase):

    def stored_body(self, body):
        rows = self.shared.query("SELECT data FROM body JOIN event USING(seq)"
                                 " WHERE event_id = ?", id_of(body))
        return rows[0][0] if rows else None

    def refuse(self, data, status, code, finish=False):
        before = self.shared.stored()
        answers = self.shared.talk(data, finish=finish)
        self.assertEqual([(a.status, a.json()["code"], a.closes)
                          for a in answers], [(status, code, True)])
        self.assertEqual(self.shared.stored(), before)

    # -- Size --------------------------------------------------------------

    def test_largest_body_is_taken(self):
        for encode in post_bytes, lambda body: chunked(body, size=70000):
            body = padded(MAX_BODY)
            wire = self.wire(self.shared).send(encode(body))
            self.assertEqual(wire.answer().status, 200)
            self.assertEqual(self.stored_body(body), body)

    def test_one_byte_more_is_too_large(self):
        body = padded(MAX_BODY + 1)
        self.refuse(post_bytes(body), 413, "too-large")
        self.refuse(chunked(body, size=70000), 413, "too-large")
        self.refuse(chunked(body, size=len(body)), 413, "too-large")

    def test_large_body_is_refused_before_it_is_sent(self):
        head = post_bytes(b"", length=b"Content-Length: 3145728\r\n")
        wire = self.wire(self.shared).send(head + b"x" * 1000)
        answer = wire.answer()
        self.assertEqual((answer.status, answer.closes), (413, True))
        self.assertEqual(answer.json()["code"], "too-large")

    def test_three_megabytes_are_refused_to_one_who_sends_them_all(self):
        for encode in post_bytes, lambda body: chunked(body, size=70000):
            self.refuse(encode(padded(3 << 20)), 413, "too-large")

    def test_late_body_of_a_refused_request_does_not_reset_the_answer(self):
        body = event()
        for path, status in ("/nowhere", 404), ("/livez", 405):
            wire = self.wire(self.shared)
            wire.send(post_bytes(body, path)[:-len(body)])
            self.assertEqual(wire.answer().status, status)
            self.assertFalse(wire.heard(0.2), "closed on one who still sends")
            wire.send(body[:100]).send(body[100:])
            self.assertIsNone(wire.answer())

    # -- Short, slow and split ---------------------------------------------

    def test_short_body_is_refused(self):
        data = post_bytes(event())
        for cut in 1, 100, data.index(b"{") - len(data) + 1:
            self.refuse(data[:-abs(cut)], 400, "bad-request", finish=True)

    def test_vanished_sender_leaves_nothing(self):
        body = event()
        wire = self.wire(self.shared).send(post_bytes(body)[:-1])
        wire.close()
        self.assertEqual(self.shared.post().status, 200)
        self.assertNotIn(id_of(body), self.shared.stored())

    def test_body_in_many_segments_is_put_together(self):
        body = event()
        for data in post_bytes(body), chunked(body, size=7):
            wire = self.wire(self.shared)
            for at in range(0, len(data), 13):
                wire.send(data[at:at + 13])
            self.assertEqual(wire.answer().status, 200)
        self.assertEqual(self.stored_body(body), body)

    def test_continue_is_said_at_once(self):
        for encode in post_bytes, chunked:
            body = event()
            head, rest = encode(body, fields=b"Expect: 100-continue\r\n") \
                .split(b"\r\n\r\n", 1)
            wire = self.wire(self.shared)
            begun = time.monotonic()
            wire.send(head + b"\r\n\r\n")
            self.assertEqual(wire.answer().status, 100)
            self.assertLess(time.monotonic() - begun, 0.9)  # curl waits 1 s
            self.assertEqual(wire.send(rest).answer().status, 200)
            self.assertEqual(self.stored_body(body), body)

    def test_continue_is_not_said_to_what_is_refused(self):
        body = event()
        expect = b"Expect: 100-continue\r\n"
        for head, status in (
                (post_bytes(body, "/nowhere", fields=expect), 404),
                (post_bytes(body, fields=expect,
                            length=b"Content-Length: 3145728\r\n"), 413)):
            answer, = self.shared.talk(head[:-len(body)])
            self.assertEqual((answer.status, answer.closes), (status, True))

    def test_continue_is_not_said_to_an_old_client(self):
        answer, = self.shared.talk(post_bytes(
            event(), fields=b"Expect: 100-continue\r\n", version="1.0"))
        self.assertEqual(answer.status, 200)

    # -- Chunks ------------------------------------------------------------

    def test_chunked_body_is_taken_and_the_connection_closed(self):
        for size in 1, 7, 100000:
            body, behind = event(), event()
            answer, = self.shared.talk(chunked(body, size=size) +
                                       post_bytes(behind))
            self.assertEqual((answer.status, answer.closes), (200, True))
            self.assertEqual(self.stored_body(body), body)
            self.assertIsNone(self.stored_body(behind))

    def test_broken_chunks_are_refused(self):
        body = event()
        n = b"%x" % len(body)
        for coded in (n + b"\r\n" + body,
                      n + b"\r\n" + body + b"0\r\n\r\n",
                      n + b"\r\n" + body + b"xx0\r\n\r\n",
                      n + b"\n" + body + b"\n0\n\n",
                      n + b";a=b\r\n" + body + b"\r\n0\r\n\r\n",
                      b"0x" + n + b"\r\n" + body + b"\r\n0\r\n\r\n",
                      b"+" + n + b"\r\n" + body + b"\r\n0\r\n\r\n",
                      b"-1\r\n" + body + b"\r\n0\r\n\r\n",
                      b" " + n + b"\r\n" + body + b"\r\n0\r\n\r\n",
                      b"\r\n" + body + b"\r\n0\r\n\r\n", b"zz\r\n", b"",
                      b"f" * 16 + b"\r\n" + body + b"\r\n0\r\n\r\n",
                      b"7" + b"f" * 15 + b"\r\n" + body + b"\r\n0\r\n\r\n",
                      b"1" + b"0" * 16 + n + b"\r\n" + body + b"\r\n0\r\n\r\n",
                      b"f" * 70 + b"\r\n" + body + b"\r\n0\r\n\r\n"):
            with self.subTest(coded[:40]):
                self.refuse(chunked(body, coded) + post_bytes(event()), 400,
                            "bad-request", finish=True)

    # -- Bytes -------------------------------------------------------------

    def test_bytes_are_kept_as_they_came(self):
        for body in (b" \t\r\n" + event() + b"\r\n\r\n ",
                     event(note="\u00e9\U0001f600\\u0000\\ud83d"),
                     event(description='a " \\ / \b\f\n\r\t b'),
                     event().replace(b"1099", b"12345678901234567890.10e+2")):
            self.assertEqual(self.shared.post(body).status, 200, body)
            self.assertEqual(self.stored_body(body), body)

    def test_authentic_bytes_that_are_no_json_are_refused(self):
        good = event(note="#")
        for odd in (b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80",
                    b"\xf4\x90\x80\x80", b"\x00", b"\n", b"\x1f", b"\\x",
                    b"\\u12", b'"'):
            with self.subTest(odd):
                self.refuse(post_bytes(good.replace(b"#", odd)), 400,
                            "not-an-event")
        for body in good + b"\x00", b"\x00" + good, good + b"\x00junk", \
                good + good, good[:-1], good.decode().encode("utf-16"):
            with self.subTest(body[-20:]):
                self.refuse(post_bytes(body), 400, "not-an-event")

    def test_deep_json_is_taken_within_reason(self):
        def nested(levels, opening, closing):
            return event().replace(b'"endive"', b"0")[:-2] + b', "deep": ' + \
                opening * levels + b"1" + closing * levels + b"}"

        for opening, closing in (b"[", b"]"), (b'{"a":', b"}"):
            body = nested(90, opening, closing)
            json.loads(body)
            self.assertEqual(self.shared.post(body).status, 200)
            self.refuse(post_bytes(nested(100000, opening, closing)), 400,
                        "not-an-event")
        self.refuse(post_bytes(b"[" * 1000000), 400, "not-an-event")


if __name__ == "__main__":
    pegboard.main()
