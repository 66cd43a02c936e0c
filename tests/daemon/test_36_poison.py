"""An event that takes its runner along goes to the dead letters, and alone."""

import hashlib
import signal

import faults
import pegboard
from faults import DEAD, counted
from pegboard import CRASH, DEADLY, TIMEOUT, event, section, wait_for

QUICK = "retry = 10ms..50ms"
BLAMED = 3  # crashes that make a dead letter


def poison(kind="segv"):
    return event(obj={"id": "pi_poison", "object": "payment_intent",
                      "metadata": {"poison": kind}})


class Poison(faults.TestCase):

    def serve(self, *keys, **options):
        return self.daemon(section("p", "dies", QUICK, DEADLY, *keys,
                                   **options))

    def check_blamed(self, daemon, bad, outcome=CRASH, note="SIGSEGV"):
        """The event is dead after so many attempts that count."""
        dead = self.delivery(daemon, bad)
        self.assertEqual((dead.state, counted(dead), dead.crashes),
                         (DEAD, BLAMED, BLAMED))
        attempts = self.attempts(daemon, bad)
        self.assertEqual({a.outcome for a in attempts}, {outcome})
        for attempt in attempts:
            self.assertRegex(attempt.note, note)
        return attempts

    def wait_dead(self, daemon, bodies, count=1):
        """Wait for so many dead letters, with a good event now and then: it is
        what the plugin is judged by."""
        def more():
            bodies.append(event())
            self.post_all(daemon, bodies[-1:])

        wait_for(lambda: daemon.dead() == count or more(),
                 f"{count} dead letters")
        daemon.wait_finished()

    def one_among_good_ones(self, concurrency, good, kind="segv", *keys):
        daemon = self.serve(f"concurrency = {concurrency}", "order = none",
                            *keys)
        bad = poison(kind)
        bodies = [event() for _ in range(good)]
        self.post_all(daemon, bodies[:good // 2])
        self.post_all(daemon, [bad])
        self.post_all(daemon, bodies[good // 2:])
        self.wait_dead(daemon, bodies)
        self.check_each_done_once(daemon, bodies)
        return daemon, bad

    def test_one_among_a_thousand(self):
        daemon, bad = self.one_among_good_ones(1, 1000)
        self.check_blamed(daemon, bad)

    def test_one_among_a_thousand_with_three_runners(self):
        daemon, bad = self.one_among_good_ones(3, 1000)
        self.check_blamed(daemon, bad)

    def test_one_that_hangs_among_good_ones(self):
        daemon, bad = self.one_among_good_ones(3, 200, "hang",
                                               "timeout = 300ms")
        self.check_blamed(daemon, bad, TIMEOUT, "no verdict within 300 ms")

    def test_two_among_good_ones(self):
        daemon = self.serve("order = none")
        bad = [poison(), poison()]
        good = [event() for _ in range(100)]
        self.post_all(daemon, bad + good, senders=1)
        self.wait_dead(daemon, good, 2)
        for body in bad:
            self.check_blamed(daemon, body)
        self.check_each_done_once(daemon, good)

    def test_evidence_is_kept_with_the_attempt(self):
        daemon, bad = self.one_among_good_ones(1, 20)
        digest = hashlib.sha256(
            (pegboard.FAULTS / "dies.so").read_bytes()).hexdigest()
        for attempt in self.check_blamed(daemon, bad):
            self.assertEqual(attempt.signal, signal.SIGSEGV)
            self.assertIn("about to die of segv", attempt.evidence)
            self.assertIn("the last words", attempt.evidence)
            self.assertEqual(attempt.digest, digest)
            self.assertEqual(attempt.generation, 1)
        # A dead letter tells by itself.
        self.assertIn("the last words", attempt.note)

    def test_the_only_event_there_is(self):
        daemon = self.serve()
        bad = poison()
        self.post_all(daemon, [bad])
        wait_for(lambda: daemon.dead() == 1, "it to be dead")
        self.check_blamed(daemon, bad)
        good = event()
        self.post_all(daemon, [good])
        daemon.wait_finished()
        self.check_each_done_once(daemon, [good])

    def test_three_crashes_make_a_dead_letter_and_two_do_not(self):
        daemon = self.serve("order = none")
        bad = poison()
        self.post_all(daemon, [bad])
        for crashes in 1, 2, 3:
            # One good event more each time is what it is judged by.
            wait_for(lambda: len(self.attempts(daemon, bad)) == crashes
                     or daemon.post().status != 200, f"crash {crashes}")
            self.assertEqual(daemon.dead(), crashes == BLAMED)


if __name__ == "__main__":
    pegboard.main()
