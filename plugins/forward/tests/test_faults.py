"""Faults of the receiver and of what is in between: each means try again, in
time; and connections, which are kept and made anew."""

import contextlib
import re
import socket
import time

import pegboard
import receiver
from receiver import Reply, drip, read_request, reset, try_event

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
SLACK_S = 4  # for a busy machine; less than what the bounds are against


class Faults(receiver.TestCase):

    def talk(self, talk, *options, **kwargs):
        return try_event(self.wire_server(talk).url, *options, **kwargs)

    def test_refused(self):
        self.assert_retry(try_event(f"http://127.0.0.1:{self.silent_port()}/"),
                          "no connection: Failed to connect to 127.0.0.1")

    def test_reset_before_the_answer(self):
        def talk(connection):
            read_request(connection)
            reset(connection)

        self.assert_retry(self.talk(talk), "no answer: .*reset")

    def test_reset_at_once(self):
        self.assert_retry(self.talk(reset), "no (answer|connection): ")

    def test_closed_without_an_answer(self):
        self.assert_retry(self.talk(read_request),
                          "no answer: Empty reply from server")

    def test_closed_within_the_head(self):
        def talk(connection):
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")

        self.assert_retry(self.talk(talk), "no answer: ")

    def test_only_a_head_before_the_last(self):
        def talk(connection):
            read_request(connection)
            connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")

        self.assert_retry(self.talk(talk), "no answer: ")

    def test_no_http(self):
        for said in (b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/9.9 200 OK\r\n\r\n",
                     b"200 OK\r\n\r\n", b"\0" * 5000):
            def talk(connection):
                read_request(connection)
                connection.sendall(said)

            self.assert_retry(self.talk(talk), "no answer: ")

    def test_a_head_without_an_end(self):
        def talk(connection):
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                connection.sendall(b"X-Long: %s\r\n" % (b"x" * 1000))

        self.assert_retry(self.talk(talk), "its head is too long")

    def test_heads_without_an_end(self):
        def talk(connection):
            read_request(connection)
            while True:
                connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")

        self.assert_retry(self.talk(talk), "its head is too long")

    def check_slow(self, talk):
        """Our own timeout, and the attempt's end, less a margin, if that comes
        before it."""
        for timeout, left_ms, limit_ms in (("700ms", 30000, 700),
                                           ("20s", 1600, 1200),
                                           ("20s", 3000, 2500)):
            tried = self.talk(talk, f"timeout={timeout}", timeout_ms=left_ms)
            self.assert_retry(tried, "no answer in time")
            told_ms = int(re.search(r"\((\d+) ms\)", tried.verdict)[1])
            self.assertLessEqual(told_ms, limit_ms)
            self.assertGreater(told_ms, limit_ms / 2)
            self.assertLess(tried.took_s, limit_ms / 1000 + SLACK_S)

    def test_silent(self):
        self.check_slow(lambda connection: connection.recv(1) and
                        drip(connection, b""))

    def test_a_head_that_drips_for_ever(self):
        def talk(connection):
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            drip(connection, b"x")

        self.check_slow(talk)

    def test_a_body_that_drips_for_ever(self):
        """The head has said all: but the connection is given up."""
        for status, verdict in (200, "done"), (500, "retry: HTTP 500: xx"):
            def talk(connection):
                read_request(connection)
                connection.sendall(b"HTTP/1.1 %d So\r\nContent-Length: 9999\r\n"
                                   b"\r\n" % status)
                drip(connection, b"x")

            server = self.wire_server(talk)
            tried = try_event(server.url, "timeout=500ms", repeat=2)
            for said in tried.verdicts:
                self.assertTrue(said.startswith(verdict), said)
            self.assertEqual(server.connections, 2)
            self.assertLess(tried.took_s, 1 + SLACK_S)

    def test_a_body_that_is_cut_off(self):
        def talk(connection):
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
            reset(connection)

        self.assertEqual(self.talk(talk).verdict, "done")

    def test_a_receiver_that_does_not_read(self):
        """A large event, and nobody takes it."""
        event = receiver.EVENT.read_bytes() + b" " * 8_000_000
        tried = self.talk(lambda connection: time.sleep(3), "timeout=700ms",
                          event=event)
        self.assert_retry(tried, "no answer in time")
        self.assertLess(tried.took_s, 0.7 + SLACK_S)

    def test_an_answer_before_all_is_sent(self):
        def talk(connection):
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n"
                               b"Connection: close\r\n\r\n")
            time.sleep(0.2)

        tried = self.talk(talk,
                          event=receiver.EVENT.read_bytes() + b" " * 8_000_000)
        self.assert_retry(tried, "(HTTP 413|no answer)")

    def test_a_port_that_drops_connections(self):
        """A backlog that is full: the kernel drops what comes."""
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            self.addCleanup(filler.close)
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        tried = try_event(url, "connect_timeout=300ms")
        self.assert_retry(tried, "no answer in time.*(connect|Connect)")
        self.assertLess(tried.took_s, 0.3 + SLACK_S)

    NAMES = {"LD_PRELOAD": str(pegboard.FAULTS / "slow_names.so"),
             "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def test_a_name_server_that_is_silent(self):
        for option, timeout_ms in (("connect_timeout=300ms", 30000),
                                   ("timeout=300ms", 30000),
                                   ("timeout=20s", 400)):
            tried = try_event("https://hooks.example/", option, env=self.NAMES,
                              timeout_ms=timeout_ms, repeat=2)
            for verdict in tried.verdicts:
                self.assertRegex(verdict, "no answer in time .*Resolving")
            self.assertLess(tried.took_s, 0.8 + SLACK_S)

    def test_a_first_name_server_that_is_dead(self):
        """glibc asks the next one after 5 s: it gets that time."""
        server = self.receiver()
        tried = try_event(f"http://late-hooks.example:{server.port}/",
                          "insecure_http=yes", env=self.NAMES)
        self.assertEqual(tried.verdict, "done")

    def test_a_name_that_is_not_there(self):
        self.assert_retry(
            try_event("https://no-such.example/", env=self.NAMES),
            "no connection: Could not resolve host: no-such.example")


class Connections(receiver.TestCase):

    def test_one_is_kept_for_many_events(self):
        server = self.receiver()
        tried = try_event(server.url, repeat=200)
        self.assertEqual(tried.verdicts, ["done"] * 200)
        self.assertEqual(server.connections, 1)

    def test_one_is_kept_after_errors_too(self):
        server = self.receiver(lambda request: Reply(500, (), b"x" * 5000))
        try_event(server.url, repeat=20)
        self.assertEqual(server.connections, 1)

    def test_it_is_made_anew_when_the_server_says_close(self):
        server = self.receiver(
            lambda request: Reply(200, [("Connection", "close")]))
        tried = try_event(server.url, repeat=3)
        self.assertEqual(tried.verdicts, ["done"] * 3)
        self.assertEqual(server.connections, 3)

    def test_it_is_made_anew_when_the_server_closed_it(self):
        """Without a word, when it was idle, or as the next event came."""
        for closes_late in False, True:
            def talk(connection):
                read_request(connection)
                connection.sendall(OK)
                if closes_late:
                    read_request(connection)

            server = self.wire_server(talk)
            tried = try_event(server.url, repeat=5)
            self.assertEqual(tried.verdicts, ["done"] * 5)
            self.assertGreater(server.connections, 1)

    def test_it_is_made_anew_after_a_reset(self):
        def talk(connection):
            read_request(connection)
            connection.sendall(OK)
            read_request(connection)
            reset(connection)

        tried = try_event(self.wire_server(talk).url, repeat=6)
        self.assertEqual(tried.verdicts[0], "done")
        self.assertGreaterEqual(tried.verdicts.count("done"), 3)

    def test_one_that_is_half_open(self):
        """The other side is gone without a word: the event that finds it so
        waits for its time, the next one gets a new connection."""
        heads = []

        def talk(connection):
            heads.append(read_request(connection))
            connection.sendall(OK)
            connection.recv(1)
            drip(connection, b"")

        server = self.wire_server(talk)
        tried = try_event(server.url, "timeout=500ms", repeat=4)
        self.assertEqual([said[:22] for said in tried.verdicts],
                         ["done", "retry: no answer in ti"] * 2)
        self.assertEqual((server.connections, len(heads)), (2, 2))

    def test_an_answer_too_many_is_not_taken_for_the_next(self):
        """What a server says unasked is not the answer to the next event."""
        seen = []

        def talk(connection):
            seen.append(read_request(connection))
            connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
                               + OK)
            time.sleep(0.3)

        tried = try_event(self.wire_server(talk).url, repeat=3)
        self.assertEqual(tried.verdicts, ["retry: HTTP 500"] * 3)
        self.assertEqual(len(seen), 3)


class Proxies(receiver.TestCase):

    ENV = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
           "all_proxy", "ALL_PROXY")

    def test_none_is_taken_from_the_environment(self):
        server = self.receiver()
        proxy = self.wire_server(read_request)
        tried = try_event(server.url, env=dict.fromkeys(self.ENV, proxy.url))
        self.assertEqual(tried.verdict, "done")
        self.assertEqual(proxy.connections, 0)

    def test_the_environment_makes_no_exception_from_it(self):
        server = self.receiver()
        tried = try_event(server.url, "insecure_http=yes",
                          f"proxy=http://127.0.0.1:{self.silent_port()}",
                          env={"no_proxy": "*", "NO_PROXY": "*"})
        self.assert_retry(tried, "no connection")
        self.assertEqual(server.connections, 0)

    def test_its_own_answer_is_not_the_receivers(self):
        """A tunnel that opens, and leads nowhere."""
        heads = []

        def talk(connection):
            heads.append(read_request(connection))
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

        proxy = self.wire_server(talk)
        tried = try_event("https://hooks.example/", f"proxy={proxy.url}",
                          "headers=Authorization: Bearer x")
        self.assert_retry(tried, "TLS: ")
        self.assertTrue(heads[0].startswith(b"CONNECT hooks.example:443 "))
        self.assertNotIn(b"Bearer", heads[0])
        self.assertNotIn(b"Idempotency", heads[0])

    def test_one_that_refuses(self):
        def talk(connection):
            read_request(connection)
            connection.sendall(b"HTTP/1.1 407 Who are you\r\n"
                               b"Content-Length: 0\r\n\r\n")

        proxy = self.wire_server(talk)
        self.assert_retry(try_event("https://hooks.example/",
                                    f"proxy={proxy.url}"), "407")

    def test_one_passes_events_on(self):
        server = self.receiver()
        heads = []

        def talk(connection):
            heads.append(read_request(connection))
            connection.sendall(OK)

        proxy = self.wire_server(talk)
        tried = try_event(server.url, f"proxy={proxy.url}",
                          "insecure_http=yes")
        self.assertEqual(tried.verdict, "done")
        self.assertTrue(heads[0].startswith(f"POST {server.url} ".encode()))


if __name__ == "__main__":
    pegboard.main()
