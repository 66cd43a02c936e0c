"""No two readers may see two different requests in the same bytes.

Each refused request is followed by a second, good one on the same connection.
It must never be taken for a request: its event would show in the inbox.
"""

import pegboard
from pegboard import event, id_of, post_bytes, sign


class Refused(pegboard.SharedTestCase):

    def refuse(self, data, status=400, finish=False):
        """One answer, `status`, the end; and nothing behind it was read."""
        smuggled = event()
        before = self.shared.stored()
        answers = self.shared.talk(data + post_bytes(smuggled), finish=finish)
        self.assertEqual([answer.status for answer in answers], [status],
                         data[:300])
        self.assertTrue(answers[0].closes)
        self.assertNotIn(id_of(smuggled), self.shared.stored())
        self.assertEqual(self.shared.stored(), before)

    def each(self, shape, *values, **kwargs):
        """Refuse a post of a good event for each value in `shape`."""
        for value in values:
            body = event()
            with self.subTest(value):
                length = shape.replace(b"VALUE", value) \
                    .replace(b"LEN", b"%d" % len(body))
                self.refuse(post_bytes(body, length=length), **kwargs)

    # -- Where the body ends -----------------------------------------------

    def test_transfer_encoding_beside_a_length(self):
        self.each(b"VALUE\r\n",
                  b"Transfer-Encoding: chunked\r\nContent-Length: LEN",
                  b"Content-Length: LEN\r\nTransfer-Encoding: chunked",
                  b"Content-Length: LEN\r\ntransfer-encoding: identity",
                  b"Content-Length: 5\r\nA: b\r\nTransfer-Encoding: chunked")
        for encoding in b"chunked", b"identity":
            body = event()
            coded = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
            for length in len(body), len(coded), 0:
                fields = [b"Transfer-Encoding: %s\r\n" % encoding,
                          b"Content-Length: %d\r\n" % length]
                for order in fields, fields[::-1]:
                    head = post_bytes(body, length=b"".join(order))[:-len(body)]
                    self.refuse(head + coded)

    def test_transfer_encoding_other_than_chunked(self):
        self.each(b"Transfer-Encoding: VALUE\r\n", b"gzip", b"gzip, chunked",
                  b"chunked, gzip", b"chunked, chunked", b"identity",
                  b"xchunked", b"chunkedx", b"", b"chunked;x=1",
                  b'"chunked"', b"chunked ",
                  b"chunked\r\nTransfer-Encoding: chunked",
                  b"chunked\r\nTransfer-Encoding: identity",
                  b"identity\r\nTransfer-Encoding: chunked")

    def test_length_twice(self):
        self.each(b"VALUE\r\n", b"Content-Length: LEN\r\nContent-Length: LEN",
                  b"Content-Length: LEN\r\nContent-Length: 3",
                  b"Content-Length: 3\r\nA: b\r\ncontent-length: LEN",
                  b"Content-Length: LEN, LEN", b"Content-Length: LEN,3")

    def test_length_that_is_not_just_digits(self):
        self.each(b"Content-Length: VALUE\r\n", b"+LEN", b"LENabc", b"0xLEN",
                  b"-LEN", b"-0", b"", b" ", b"LEN LEN", b"LEN.0", b"1e3",
                  b"LEN;", b'"LEN"', b"\xb2", b"9" * 30, b"9" * 5000,
                  b"18446744073709551616", b"4294967296LEN0000000000")

    def test_length_between_blanks_is_fine(self):
        for length in b"LEN", b"  LEN", b"LEN  ", b"   LEN ", b"000LEN":
            body = event()
            answer, _ = self.shared.talk(post_bytes(
                body, length=b"Content-Length: " + length.replace(
                    b"LEN", b"%d" % len(body)) + b"\r\n") +
                b"GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n")
            self.assertEqual(answer.status, 200, length)
            self.assertIn(id_of(body), self.shared.stored())

    def test_no_length_means_no_body(self):
        self.refuse(post_bytes(event(), length=b""))

    # -- Lines -------------------------------------------------------------

    def test_blank_before_the_colon(self):
        self.each(b"VALUE\r\n", b"Content-Length : LEN", b"A : b\r\n"
                  b"Content-Length: LEN", b"Content-Length: LEN\r\nA  :b",
                  b"Transfer-Encoding : chunked\r\nContent-Length: LEN",
                  b"Content-Length\t: LEN", b"A b: c\r\nContent-Length: LEN")

    def test_odd_names(self):
        self.each(b"VALUE\r\nContent-Length: LEN\r\n", b": b", b"A", b'"A": b',
                  b"A(b): c", b"A\xc3\xa9: b", b"Transfer[Encoding]: chunked",
                  b"A,B: c", b"/A: b", b"A;: b")

    def test_folded_line(self):
        self.each(b"VALUE\r\n", b"A: b\r\n c\r\nContent-Length: LEN",
                  b"A: b\r\n\tc\r\nContent-Length: LEN",
                  b"Content-Length: LEN\r\nA: b\r\n c",
                  b"Content-Length:\r\n LEN",
                  b"Content-Length: 3\r\n Content-Length: LEN")
        body = event()
        self.refuse(post_bytes(body).replace(b"\r\nHost", b"\r\n Host"))

    def test_more_headers_than_are_read(self):
        for count in 62, 63, 70, 200:
            with self.subTest(count):
                self.refuse(post_bytes(event(), fields=b"".join(
                    b"A%d: b\r\n" % n for n in range(count))))
                body = event()
                self.refuse(post_bytes(body, length=b"Content-Length: %d\r\n" %
                                       len(body) + b"A: b\r\n" * count))

    def test_as_many_headers_as_are_read(self):
        for fields in (b"A: b\r\n" * 61, b""):
            body = event()
            wire = self.wire(self.shared).send(post_bytes(body, fields=fields))
            self.assertEqual(wire.answer().status, 200)

    def test_line_that_ends_in_a_bare_lf(self):
        body = event()
        good = post_bytes(body)
        head, _ = good.split(b"\r\n\r\n")
        self.refuse(head.replace(b"\r\n", b"\n") + b"\n\n" + body)
        self.refuse(head + b"\n\n" + body)
        self.refuse(head + b"\n\n\r\x00" + body)
        self.refuse(head + b"\r\n\n" + body)
        self.refuse(head + b"\n\r\n" + body)
        for n in range(1, head.count(b"\r\n") + 1):
            with self.subTest(n):
                parts = good.split(b"\r\n")
                self.refuse(b"\r\n".join(parts[:n]) + b"\n" +
                            b"\r\n".join(parts[n:]))

    def test_control_bytes_in_the_head(self):
        good = post_bytes(event(), fields=b"A: b#c\r\n")
        for byte in (0, 1, 7, 8, 9, 11, 12, 13, 27, 31, 127):
            for mark in b"#", b"/webhook", b"HTTP", b"Host", b"POST":
                with self.subTest(byte, mark=mark):
                    self.refuse(good.replace(mark, mark + bytes([byte]), 1))

    # -- Request line ------------------------------------------------------

    def test_request_line_in_any_other_shape(self):
        body = event()
        good = post_bytes(body)
        for line in (b"POST  /webhook HTTP/1.1", b"POST /webhook  HTTP/1.1",
                     b"POST\t/webhook HTTP/1.1", b"POST /webhook HTTP/1.1 ",
                     b"POST \r\n/webhook HTTP/1.1",
                     b"POST /webhook \r\nHTTP/1.1", b"POST /webhook HTTP/1.1x",
                     b"POST /webhook", b"POST /webhook HTTP/", b"/webhook",
                     b"post /webhook HTTP/1.1", b"POST webhook HTTP/1.1",
                     b"POST /web hook HTTP/1.1", b"POST /webhook http/1.1",
                     b"POST /webhook\xff HTTP/1.1",
                     b"P\xffST /webhook HTTP/1.1",
                     b"POST http://[::1]/webhook HTTP/1.1"):
            with self.subTest(line):
                status = 505 if line.endswith((b"1x", b"P/")) else 400
                self.refuse(good.replace(b"POST /webhook HTTP/1.1", line),
                            status)

    def test_other_versions(self):
        for version in "0.9", "1.2", "2.0", "3", "1.10", "01.1":
            with self.subTest(version):
                self.refuse(post_bytes(event(), version=version), 505)

    def test_old_version_is_answered_and_closed(self):
        body, behind = event(), event()
        answer, = self.shared.talk(post_bytes(
            body, version="1.0", fields=b"Connection: keep-alive\r\n") +
            post_bytes(behind))
        self.assertEqual((answer.status, answer.closes), (200, True))
        self.assertNotIn(id_of(behind), self.shared.stored())

    def test_url_of_another_server(self):
        for url in "http://evil.example/webhook", "ftp://x/webhook", "*":
            with self.subTest(url):
                smuggled = event()
                answers = self.shared.talk(post_bytes(event(), url) +
                                           post_bytes(smuggled))
                self.assertIn([answer.status for answer in answers],
                              ([], [400]))
                self.assertNotIn(id_of(smuggled), self.shared.stored())

    def test_own_url_in_full_is_as_good_as_its_path(self):
        url = f"http://pegboard:{self.shared.port}/webhook"
        wire = self.wire(self.shared).send(post_bytes(event(), url))
        self.assertEqual(wire.answer().status, 200)

    # -- Size --------------------------------------------------------------

    def test_head_over_16_kilobytes(self):
        self.refuse(post_bytes(event(), fields=b"A: " + b"b" * 16384 + b"\r\n"))
        self.refuse(post_bytes(event(), "/" + "a" * 16384))
        self.refuse(post_bytes(event(), fields=b"A: b\r\n" * 4000))

    def test_head_of_nearly_16_kilobytes(self):
        body = event()
        for room in 1, 2, 3, 40, 400:
            length = len(post_bytes(body)) - len(body) + len("A: \r\n")
            fields = b"A: " + b"b" * (16384 - length - room) + b"\r\n"
            wire = self.wire(self.shared).send(post_bytes(body, fields=fields))
            answer = wire.answer()
            self.assertEqual(answer.status, 200, (room, answer.body))


class SeveralRequests(pegboard.SharedTestCase):

    def test_two_at_once_are_both_answered(self):
        bodies = [event(), event()]
        wire = self.wire(self.shared).send(b"".join(map(post_bytes, bodies)))
        for _ in bodies:
            answer = wire.answer()
            self.assertEqual((answer.status, answer.closes), (200, False))
        self.assertLessEqual({id_of(body) for body in bodies},
                             self.shared.stored())

    def test_many_in_a_row_are_all_answered(self):
        bodies = [event() for _ in range(200)]
        wire = self.wire(self.shared).send(b"".join(map(post_bytes, bodies)))
        for _ in bodies:
            self.assertEqual(wire.answer().status, 200)
        self.assertLessEqual({id_of(body) for body in bodies},
                             self.shared.stored())

    def test_refused_one_is_the_last(self):
        good, bad, behind = event(), event(), event()
        answers = self.shared.talk(
            post_bytes(good) + post_bytes(bad, signature="t=1,v1=00") +
            post_bytes(behind))
        self.assertEqual([(a.status, a.closes) for a in answers],
                         [(200, False), (400, True)])
        self.assertNotIn(id_of(behind), self.shared.stored())

    def test_wish_to_close_is_met(self):
        for wish in b"close", b"Close", b"keep-alive, close", b"upgrade", b"x":
            with self.subTest(wish):
                behind = event()
                answer, = self.shared.talk(
                    post_bytes(event(), fields=b"Connection: %s\r\n" % wish) +
                    post_bytes(behind))
                self.assertEqual((answer.status, answer.closes), (200, True))
                self.assertNotIn(id_of(behind), self.shared.stored())

    def test_body_of_a_get_is_not_the_next_request(self):
        inner, behind = post_bytes(event()), event()
        for fields, body in (
                (b"Content-Length: %d\r\n" % len(inner), inner),
                (b"Transfer-Encoding: chunked\r\n",
                 b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner))):
            before = self.shared.stored()
            answer, = self.shared.talk(
                b"GET /livez HTTP/1.1\r\n" + fields + b"\r\n" + body +
                post_bytes(behind))
            self.assertEqual((answer.status, answer.closes), (200, True))
            self.assertEqual(self.shared.stored(), before)

    def test_blank_lines_before_a_request_hide_nothing(self):
        for blank in b" ", b"\r\n", b"\n", b"\r\n\r\n", b"\n\n", b"\r\n" * 9:
            with self.subTest(blank):
                body, inner = event(), event()
                self.shared.raw(blank + post_bytes(
                    b'{"' + post_bytes(inner), signature="t=1,v1=00") +
                    blank + post_bytes(body), finish=True)
                self.assertNotIn(id_of(inner), self.shared.stored())

    def test_signature_twice_is_malformed(self):
        body = event()
        answer, = self.shared.talk(post_bytes(
            body, fields=f"Stripe-Signature: {sign(body)}\r\n".encode()))
        self.assertEqual(answer.status, 400)


if __name__ == "__main__":
    pegboard.main()
