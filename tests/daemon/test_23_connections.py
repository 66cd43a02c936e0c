"""Slow, silent, idle and many connections: none keeps others out."""

import contextlib
import re
import threading
import time

import pegboard
from pegboard import event, id_of, post_bytes

KEEP_ALIVE_S = 5


def head_of(size):
    return post_bytes(b"", length=b"Content-Length: %d\r\n" % size)


class Slow(pegboard.TestCase):

    def test_dripping_body_is_ended_and_its_thread_is_free_again(self):
        daemon = self.daemon(server="threads = 2\nrequest_timeout = 1s")
        wires = [self.wire(daemon).send(head_of(100000)) for _ in range(2)]
        threads = [threading.Thread(target=wire.drip, args=[b"x"])
                   for wire in wires]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertGreater(time.monotonic() - begun, 0.9)
        self.assertLess(time.monotonic() - begun, 4)
        for wire in wires:
            answer = wire.answer()
            self.assertEqual((answer.status, answer.closes), (408, True))
            self.assertEqual(answer.json()["code"], "timeout")
        self.assertEqual(daemon.post().status, 200)
        daemon.wait_log('request refused" path="/webhook" .* '
                        'reason="body took too long"')

    def test_dripping_chunks_are_ended(self):
        daemon = self.daemon(server="threads = 1\nrequest_timeout = 1s")
        wire = self.wire(daemon).send(
            post_bytes(b"", length=b"Transfer-Encoding: chunked\r\n"))
        begun = time.monotonic()
        self.assertEqual(wire.drip(b"1\r\n \r\n").answer().status, 408)
        self.assertLess(time.monotonic() - begun, 4)
        self.assertEqual(daemon.post().status, 200)

    def test_stalled_body_is_ended(self):
        daemon = self.daemon(server="threads = 1\nrequest_timeout = 1s")
        wire = self.wire(daemon).send(head_of(1000) + b"x" * 10)
        self.assertEqual(wire.answer().status, 408)
        self.assertEqual(daemon.post().status, 200)

    def test_slow_head_is_ended(self):
        daemon = self.daemon(server="threads = 1\nrequest_timeout = 1s")
        wire = self.wire(daemon).send(b"POST /webhook HTTP/1.1\r\nA: ")
        begun = time.monotonic()
        self.assertEqual(wire.drip(b"b").answer().status, 400)
        self.assertLess(time.monotonic() - begun, 4)
        self.assertEqual(daemon.post().status, 200)

    def test_silent_connection_is_ended(self):
        daemon = self.daemon(server="threads = 1\nrequest_timeout = 1s")
        silent = self.wire(daemon)
        begun = time.monotonic()
        self.assertEqual(daemon.post().status, 200)
        self.assertLess(time.monotonic() - begun, 4)
        self.assertIsNone(silent.answer())

    def test_slow_body_within_its_time_is_taken(self):
        daemon = self.daemon(server="request_timeout = 20s")
        data = post_bytes(event())
        wire = self.wire(daemon).send(data[:-4])
        for byte in data[-4:]:
            self.assertFalse(wire.heard(0.3))
            wire.send(bytes([byte]))
        self.assertEqual(wire.answer().status, 200)


class Idle(pegboard.TestCase):

    def use(self, daemon, count):
        """Open connections, post once on each; which of them were closed?"""
        wires = [self.wire(daemon) for _ in range(count)]
        answers = [wire.send(post_bytes(event())).answer() for wire in wires]
        self.assertEqual({answer.status for answer in answers}, {200})
        return [answer.closes for answer in answers]

    def test_idle_connections_do_not_lock_a_new_sender_out(self):
        daemon = self.daemon(server="threads = 8")
        closed = []
        for _ in range(12):
            closed += self.use(daemon, 1)
        self.assertEqual(closed, [False] * 6 + [True] * 6)
        begun = time.monotonic()
        for _ in range(5):
            self.assertEqual(daemon.post().status, 200)
        self.assertLess(time.monotonic() - begun, KEEP_ALIVE_S / 2)

    def test_even_a_single_thread_stays_free(self):
        daemon = self.daemon(server="threads = 1")
        begun = time.monotonic()
        for _ in range(3):
            self.assertEqual(self.use(daemon, 1), [True])
        self.assertLess(time.monotonic() - begun, KEEP_ALIVE_S / 2)

    def test_idle_connection_serves_again_and_is_ended_in_time(self):
        daemon = self.daemon()
        wire = self.wire(daemon)
        for _ in range(3):
            self.assertFalse(wire.send(post_bytes(event())).answer().closes)
            self.assertFalse(wire.heard(0.3))
        begun = time.monotonic()
        self.assertIsNone(wire.answer())
        self.assertLess(time.monotonic() - begun, KEEP_ALIVE_S * 2 + 2)


class Many(pegboard.TestCase):

    def test_same_event_on_32_connections_is_stored_once(self):
        daemon = self.daemon()
        body = event()
        wires = [self.wire(daemon) for _ in range(32)]
        gate = threading.Barrier(len(wires))
        answers = []

        def post(wire):
            gate.wait()
            answers.append(wire.send(post_bytes(body)).answer())

        threads = [threading.Thread(target=post, args=[wire])
                   for wire in wires]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({answer.status for answer in answers}, {200})
        bodies = sorted(answer.body for answer in answers)
        self.assertEqual(bodies, [b'{"received":true,"duplicate":true}'] * 31 +
                         [b'{"received":true}'])
        self.assertEqual(daemon.stored(), {id_of(body)})
        self.assertEqual(daemon.query("SELECT count(*) FROM receipt"), [(31,)])

    def test_more_connections_than_threads_are_all_served(self):
        daemon = self.daemon(server="threads = 4")
        bodies = [event() for _ in range(64)]
        wires = [self.wire(daemon).send(post_bytes(body)) for body in bodies]
        for wire in wires:
            self.assertEqual(wire.answer().status, 200)
        self.assertEqual(daemon.stored(), {id_of(body) for body in bodies})

    def test_descriptors_are_not_leaked(self):
        daemon = self.daemon()
        fds = f"/proc/{daemon.process.pid}/fd"

        def count():
            return len(list(pegboard.pathlib.Path(fds).iterdir()))

        daemon.post()
        before = pegboard.wait_for(count, "descriptors")
        for _ in range(50):
            daemon.post()
            daemon.raw(post_bytes(event())[:-1], finish=True)
            daemon.raw(b"hello\r\n\r\n")
            with contextlib.suppress(OSError):
                self.wire(daemon).send(post_bytes(event())).close()
        pegboard.wait_for(lambda: count() <= before, "closed descriptors")


class Descriptors(pegboard.TestCase):

    def test_start_is_refused_when_too_few_are_allowed(self):
        daemon = self.daemon(start=False,
                             wrapper=["prlimit", "--nofile=256:256"])
        daemon.start(ready=False)
        self.assertEqual(daemon.process.wait(pegboard.PATIENCE_S), 3)
        self.assertRegex(daemon.log(), r"threads = 32 .*need \d+ open files, "
                                       r"allowed are 256: raise LimitNOFILE")

    def test_soft_limit_is_raised_as_needed(self):
        daemon = self.daemon(wrapper=["prlimit", "--nofile=64:4096"])
        limits = pegboard.pathlib.Path(
            f"/proc/{daemon.process.pid}/limits").read_text()
        soft = int(re.search(r"Max open files +(\d+)", limits).group(1))
        threads, waiting, own = 32, 256, 100
        self.assertGreaterEqual(soft, threads + waiting + own)


if __name__ == "__main__":
    pegboard.main()
