"""publish.so in a real daemon, when what lies between it and its server fails,
and what is left of that."""

import os
import pathlib
import re
import signal

import rig
from pegboard import RETRY, event, id_of, wait_for
from rig import SLACK_S

REPEAT = "it was there already"


class Process:
    """What a runner has of what must not grow."""

    def __init__(self, pid):
        self.proc = pathlib.Path(f"/proc/{pid}")

    def held(self):
        """Threads and descriptors."""
        return tuple(len(list((self.proc / what).iterdir()))
                     for what in ("task", "fd"))

    def memory_kb(self):
        status = (self.proc / "status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def is_sanitized(self):
        return "libasan" in (self.proc / "maps").read_text()


class Wires(rig.DaemonTestCase):
    def setUp(self):
        super().setUp()
        self.nats = self.server()
        self.stream = self.client(self.nats)
        self.stream.add_stream("S", "stripe.>")
        self.line = self.wire(self.nats)

    def post_unanswered(self, daemon):
        """It is in the stream, but nobody was told."""
        self.assertDelivered(daemon)
        self.line.deaf = True
        before = self.stream.count("S")
        body = event()
        daemon.post(body)
        wait_for(lambda: self.stream.count("S") > before, "the message")
        self.assertEqual(daemon.attempts(body), [])
        return body

    def test_the_acknowledgement_was_lost(self):
        daemon = self.publishing(self.line.url, timeout="1s")
        body = self.post_unanswered(daemon)
        wait_for(lambda: daemon.attempts(body), "the end of its time")
        self.assertEqual(daemon.attempts(body)[0][1], RETRY)
        self.line.deaf = False
        daemon.wait_finished()
        self.assertEqual(self.stream.count("S"), 2)
        self.assertIn(REPEAT, daemon.log())

    def test_the_runner_was_killed_between_effect_and_verdict(self):
        daemon = self.publishing(self.line.url, "timeout = 60s", timeout="50s")
        body = self.post_unanswered(daemon)
        pid, = daemon.runners("publish")
        os.kill(pid, signal.SIGKILL)
        self.line.deaf = False
        daemon.wait_finished()
        self.assertEqual(len(daemon.attempts(body)), 2)
        self.assertEqual(self.stream.count("S"), 2)
        self.assertIn(REPEAT, daemon.log())

    def test_the_daemon_was_killed_between_effect_and_verdict(self):
        daemon = self.publishing(self.line.url, "timeout = 60s", timeout="50s")
        self.post_unanswered(daemon)
        daemon.kill()
        self.line.deaf = False
        daemon.start()
        daemon.wait_finished()
        self.assertEqual(self.stream.count("S"), 2)
        self.assertIn(REPEAT, daemon.log_since_start())

    def test_nats_was_killed_before_it_was_heard(self):
        daemon = self.publishing(self.line.url, timeout="4s")
        self.post_unanswered(daemon)
        self.nats.kill()
        self.line.deaf = False
        self.nats.start()
        daemon.wait_finished()
        self.assertEqual(self.client(self.nats).count("S"), 2)
        self.assertIn(REPEAT, daemon.log())

    def test_cut_while_it_waits(self):
        """It is told at once, and does not sit its time out."""
        daemon = self.publishing(self.line.url, "timeout = 120s",
                                 timeout="100s")
        body = self.post_unanswered(daemon)
        self.line.cut()
        self.line.deaf = False
        wait_for(lambda: daemon.attempts(body), "an answer")
        _, outcome, note = daemon.attempts(body)[0]
        self.assertEqual(outcome, RETRY)
        self.assertRegex(note, "^no answer to stripe.*: .*[Cc]losed")
        daemon.wait_finished()
        self.assertEqual(self.stream.ids("S").count(id_of(body)), 1)

    def test_half_open(self):
        """As when a firewall forgot it: nobody says that the connection is
        gone, and what is sent over it is lost."""
        daemon = self.publishing(self.line.url, timeout="1s")
        self.assertDelivered(daemon)
        self.line.forget()
        body = event()
        outcome, note, took_s = self.deliver(daemon, body)
        self.assertEqual(outcome, RETRY)
        self.assertIn("no answer to stripe.payment_intent.succeeded: Timeout",
                      note)
        self.assertLess(took_s, 1 + SLACK_S)
        daemon.wait_finished()
        self.assertEqual(len(daemon.attempts(body)), 2)
        self.assertEqual(self.line.accepted, 2)
        self.assertEqual(self.stream.ids("S").count(id_of(body)), 1)

    def test_the_stream_was_deleted(self):
        options = {"stream": "NEW", "create": "yes", "subject": "new.{type}"}
        daemon = self.publishing(self.line.url, **options)
        self.assertDelivered(daemon)
        self.stream.ask("STREAM.DELETE.NEW")
        body = event()
        outcome, note, _ = self.deliver(daemon, body)
        self.assertEqual(outcome, RETRY)
        self.assertIn("the stream does not take new.", note)
        daemon.wait_finished()
        self.assertEqual(self.stream.ids("NEW"), [id_of(body)])
        self.assertEqual(self.line.accepted, 1)

    def assertSteady(self, runner, held, memory_kb):
        wait_for(lambda: runner.held() == held, f"threads and descriptors: "
                 f"{runner.held()} again as they were: {held}")
        if not runner.is_sanitized():  # which keeps what is freed
            self.assertLess(runner.memory_kb(), memory_kb + 1000)

    def test_a_thousand_events_leave_nothing_behind(self):
        daemon = self.publishing(self.nats.url, "order = none")
        runner = Process(daemon.wait_runner("publish"))
        daemon.post_all(event() for _ in range(200))
        daemon.wait_finished()
        held, memory_kb = runner.held(), runner.memory_kb()
        daemon.post_all(event() for _ in range(1000))
        daemon.wait_finished()
        self.assertSteady(runner, held, memory_kb)
        self.assertEqual(self.stream.count("S"), 1200)
        self.assertEqual(daemon.log().count("connected to"), 1)

    def test_nothing_grows(self):
        """However often connections are made, end, and hang."""
        big = "x" * 200_000
        daemon = self.publishing(self.line.url, timeout="500ms")
        runner = Process(daemon.wait_runner("publish"))

        def break_often(times):
            for _ in range(times):
                self.deliver(daemon, event(filler=big))
                daemon.wait_finished()  # it may have met the cut
                self.line.cut()
            self.line.forget()
            self.line.deaf = True  # and so they cannot be made
            self.assertEqual(self.deliver(daemon)[0], RETRY)
            self.line.deaf = False
            daemon.wait_finished()
            self.assertDelivered(daemon, event(filler=big))

        break_often(10)
        held, memory_kb = runner.held(), runner.memory_kb()
        break_often(100)
        self.assertSteady(runner, held, memory_kb)
        self.assertGreater(self.line.accepted, 110)

    def test_reload_while_it_hangs(self):
        """No thread keeps the old runner, not even one that cannot be ended."""
        daemon = self.publishing(
            "nats://nats.example:4222",
            *(f"env.{name} = {text}" for name, text in rig.SLOW_NAMES.items()),
            timeout="500ms")
        pid = daemon.wait_runner("publish")
        outcome, note, _ = self.deliver(daemon)
        self.assertEqual(outcome, RETRY)
        self.assertIn("NATS does not answer", note)
        self.reload(daemon, self.nats.url)
        daemon.wait_finished()
        wait_for(lambda: pid not in daemon.children(), "the old runner's end")
        self.assertEqual(self.stream.count("S"), 1)
        self.assertNotIn("action=kill", daemon.log())


if __name__ == "__main__":
    rig.main()
