"""SIGTERM: answers in work get out, nothing acknowledged is lost."""

import signal
import threading
import time

import pegboard
from pegboard import event, id_of, post_bytes, read_answer, wait_for


class Stopping(pegboard.TestCase):

    def begin_post(self, daemon, body):
        """Be in the middle of a request, and know that the daemon is, too."""
        head, _ = post_bytes(body, fields=b"Expect: 100-continue\r\n") \
            .split(b"\r\n\r\n")
        wire = self.wire(daemon).send(head + b"\r\n\r\n")
        self.assertEqual(wire.answer().status, 100)
        return wire.send(body[:10])

    def wait_not_ready(self, daemon):
        return wait_for(lambda: next(
            (answer for answer in [daemon.request("GET", "/readyz")]
             if answer.status == 503), None), "/readyz to say 503")

    def test_request_in_work_is_answered_and_new_ones_are_not_taken(self):
        daemon = self.daemon()
        body, late = event(), event()
        idle = self.wire(daemon)
        self.assertEqual(idle.send(post_bytes(event())).answer().status, 200)
        working = self.begin_post(daemon, body)

        daemon.process.send_signal(signal.SIGTERM)
        answer = self.wait_not_ready(daemon)
        self.assertEqual((answer.body, answer.headers["Retry-After"]),
                         (b"unavailable\n", "5"))
        self.assertEqual(daemon.request("GET", "/livez").status, 200)
        for answer in daemon.post(late), idle.send(post_bytes(late)).answer():
            self.assertEqual((answer.status, answer.closes), (503, True))
            self.assertEqual(answer.headers["Retry-After"], "5")
            self.assertEqual(answer.json()["code"], "unavailable")
        self.assertIsNone(daemon.process.poll())

        answer = working.send(body[10:]).answer()
        self.assertEqual((answer.status, answer.closes), (200, True))
        self.assertEqual(daemon.process.wait(10), 0)
        self.assertIn(id_of(body), daemon.stored())
        self.assertNotIn(id_of(late), daemon.stored())
        with self.assertRaises(ConnectionRefusedError):
            daemon.connect()

    def test_request_that_never_ends_does_not_hold_it_up(self):
        daemon = self.daemon(server="drain = 500ms")
        self.begin_post(daemon, event())
        begun = time.monotonic()
        self.assertEqual(daemon.stop(), 0)
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(daemon.stored(), set())

    def test_second_signal_means_now(self):
        daemon = self.daemon()
        self.begin_post(daemon, event())
        daemon.process.send_signal(signal.SIGTERM)
        self.wait_not_ready(daemon)
        begun = time.monotonic()
        self.assertEqual(daemon.stop(), 0)
        self.assertLess(time.monotonic() - begun, 5)
        daemon.wait_log("second signal")

    def test_idle_connections_do_not_hold_it_up(self):
        daemon = self.daemon()
        for _ in range(5):
            self.wire(daemon).send(post_bytes(event())).answer()
            self.wire(daemon)
        begun = time.monotonic()
        self.assertEqual(daemon.stop(), 0)
        self.assertLess(time.monotonic() - begun, 4)

    def test_nothing_acknowledged_under_load_is_missing(self):
        daemon = self.daemon()
        acknowledged, other, begun = set(), set(), threading.Semaphore(0)

        def keep_posting():
            while True:
                try:
                    with daemon.connect() as sock, \
                            sock.makefile("rb") as stream:
                        answer = None
                        while answer is None or not answer.closes:
                            body = event()
                            sock.sendall(post_bytes(body))
                            answer = read_answer(stream)
                            if answer is None:
                                break
                            if answer.status == 200:
                                acknowledged.add(id_of(body))
                                begun.release()
                            else:
                                other.add(answer.status)
                except ConnectionRefusedError:
                    return
                except OSError:
                    pass

        threads = [threading.Thread(target=keep_posting) for _ in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(200):
            self.assertTrue(begun.acquire(timeout=pegboard.PATIENCE_S))
        self.assertEqual(daemon.stop(), 0)
        for thread in threads:
            thread.join()
        self.assertLessEqual(other, {503})
        self.assertEqual(acknowledged - daemon.stored(), set())


if __name__ == "__main__":
    pegboard.main()
