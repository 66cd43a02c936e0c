"""kill -9 at random moments, of the daemon and of runners: nothing that was
acknowledged is lost, nothing is invented, and repeats are few."""

import collections
import contextlib
import os
import random
import select
import signal
import time

import pegboard
from pegboard import Ledger, section, wait_for
from senders import Senders

AHEAD = 200  # events that may be acknowledged and not handled yet
CONCURRENCY = {"a": 2, "b": 1}

# Deliveries per runner that are claimed and whose end is not committed: one in
# work and two at hand, and as many that ended while the others were committed.
OPEN_PER_RUNNER = 6


def pidfds(daemon):
    """Descriptors of the runners, since pids can be taken anew."""
    return [os.pidfd_open(pid) for pid in daemon.runners()]


def wait_end(pidfd):
    """Whether the process ends soon."""
    ended = bool(select.select([pidfd], [], [], 10)[0])
    os.close(pidfd)
    return ended


class Kill(pegboard.TestCase):

    def setUp(self):
        seed = int(os.environ.get("PEGBOARD_SEED", time.time_ns() % 10**9))
        print(f"PEGBOARD_SEED={seed}", end=" ", flush=True)
        self.random = random.Random(seed)
        self.server = self.daemon(start=False)
        self.ledgers = {name: Ledger(self.server.folder / name)
                        for name in CONCURRENCY}
        self.server.write_ini("".join(
            ledger.section(name, f"concurrency = {CONCURRENCY[name]}",
                           "retry = 10ms..50ms", "max_attempts = 1000")
            for name, ledger in self.ledgers.items()))
        self.server.start()

    def handled(self):
        """Of the slower plugin."""
        return min(len(ledger.runs()) for ledger in self.ledgers.values())

    def start_senders(self):
        self.senders = Senders(self.server,
                               lambda acked: acked < self.handled() + AHEAD)
        self.addCleanup(self.senders.stop)

    def wait_for_some(self, count, what, patience_s=60):
        """Wait until a random number more of it are counted."""
        goal = count() + self.random.randint(5, 60)
        wait_for(lambda: count() >= goal, what, patience_s)

    # -- the two ways to die -----------------------------------------------

    def kill_daemon(self):
        """Kill it, start it again, and see its runners die with it."""
        self.wait_for_some(lambda: len(self.senders.acked), "acknowledgements")
        runners = pidfds(self.server)
        self.server.kill()
        self.server.start()
        self.assertTrue(all(map(wait_end, runners)))

    def kill_runner(self):
        self.wait_for_some(self.handled, "handled events")
        runners = wait_for(self.server.runners, "a runner")
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.random.choice(runners), signal.SIGKILL)

    def check_inbox(self):
        stored = self.server.query(
            "SELECT event_id, data FROM event JOIN body USING(seq)")
        counts = collections.Counter(id for id, _ in stored)
        self.assertEqual(self.senders.acked - counts.keys(), set(), "lost")
        self.assertEqual({id for id in counts if counts[id] > 1}, set())
        for id, data in stored:
            self.assertEqual(data, self.senders.sent[id])
        self.assertEqual(self.server.query("PRAGMA integrity_check"),
                         [("ok",)])

    def check_attempts(self):
        """All are numbered from 1 on, without a gap."""
        self.assertEqual(self.server.query(
            "SELECT seq, plugin, count(*), max(n) FROM attempt"
            " GROUP BY seq, plugin HAVING count(*) <> max(n)"), [])

    def check_ledgers(self, most_repeats):
        for name, ledger in self.ledgers.items():
            with self.subTest(plugin=name):
                counts = collections.Counter(ledger.ids())
                self.assertEqual(self.senders.acked - counts.keys(), set(),
                                 "acknowledged and not handled")
                self.assertEqual(counts.keys() - self.senders.sent.keys(),
                                 set(), "handled and never sent")
                repeats = sum(counts.values()) - len(counts)
                self.assertLessEqual(repeats, most_repeats(name))
                print(f"{name}: {len(counts)} events, {repeats} repeats;",
                      end=" ", flush=True)

    def survive(self, daemon_kills, runner_kills):
        kills = ([self.kill_daemon] * daemon_kills +
                 [self.kill_runner] * runner_kills)
        self.random.shuffle(kills)
        self.start_senders()
        for kill in kills:
            kill()
        self.senders.stop()
        self.server.wait_finished(60)
        self.assertEqual(self.senders.odd, [])
        self.assertEqual(self.server.dead(), 0)
        self.check_inbox()
        self.check_attempts()
        self.check_ledgers(lambda name: runner_kills + daemon_kills *
                           CONCURRENCY[name] * OPEN_PER_RUNNER)

    def test_of_the_daemon(self):
        self.survive(daemon_kills=15, runner_kills=0)

    def test_of_runners(self):
        self.survive(daemon_kills=0, runner_kills=15)

    def test_of_both(self):
        self.survive(daemon_kills=8, runner_kills=8)


class Orphans(pegboard.TestCase):

    def test_runners_die_with_the_daemon_idle_or_busy(self):
        daemon = self.daemon(section("idle", "noop", "events = charge.*") +
                             section("busy", "spin"))
        daemon.wait_runner("idle")
        daemon.wait_runner("busy")
        daemon.post()
        wait_for(lambda: daemon.query("SELECT 1 FROM delivery WHERE state = 1"),
                 "the attempt to begin")
        runners = pidfds(daemon)
        self.assertEqual(len(runners), 2)
        daemon.kill()
        self.assertTrue(all(map(wait_end, runners)))


if __name__ == "__main__":
    pegboard.main()
