"""Many events of one account, shuffled and repeated, through real daemons, in
the end equal the truth."""

import contextlib
import os
import pathlib
import random
import signal
import unittest

import loader
import pegboard
import rig
from pegboard import wait_for
from rig import TestCase, change, customer, main, setUpModule


def load(account, seed):
    """Its events in some order, every seventh twice or more."""
    chance = random.Random(seed)
    bodies = account.events + chance.choices(
        account.events, k=len(account.events) // 7)
    chance.shuffle(bodies)
    return bodies


class Load(TestCase):

    def test_2000_events_end_in_the_newest_state_of_every_object(self):
        account = loader.Account(seed=7).run(2000)
        results = []
        for seed in (1, 2):
            rig.database.clear()
            daemon = self.serve()
            daemon.post_all(load(account, seed))
            daemon.wait_finished(patience_s=60)
            self.assertEqual(daemon.dead(), 0)
            self.check_truth(account)
            self.check_seconds()
            results.append(self.rows(drop=["updated_at"]))
            if seed == 1:
                self.replay_all(daemon, len(account.events))
            daemon.stop()
        self.assertEqual(*results)

    def replay_all(self, daemon, count):
        """Each once more for the plugin: nothing changes."""
        before = self.everything()
        done = pegboard.command("replay", "-c", str(daemon.ini), "--plugin",
                                "mirror", "--state", "done", "--rate", "0",
                                "--yes")
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_for(lambda: len(daemon.attempts()) >= 2 * count,
                 "all to be handled again", 60)
        daemon.wait_finished()
        self.assertEqual(self.everything(), before)

    def test_two_hosts_with_one_database(self):
        """Each gets all events, in an order of its own."""
        account = loader.Account(seed=8, ties=True).run(400)
        daemons = [self.serve("max_attempts = 1000") for _ in range(2)]
        halves = [load(account, seed) for seed in (3, 4)]
        for start in range(0, max(map(len, halves)), 50):
            for daemon, bodies in zip(daemons, halves):
                daemon.post_all(bodies[start:start + 50])
        for daemon in daemons:
            daemon.wait_finished(patience_s=60)
            self.assertEqual(daemon.dead(), 0)
        self.check_truth(account)
        self.check_seconds()

    def test_runners_that_are_killed(self):
        """Whatever was committed before the verdict was comes again."""
        account = loader.Account(seed=8, account="acct_9", livemode=True).run(600)
        daemon = self.serve("max_attempts = 1000")
        chance = random.Random(3)
        for start in range(0, len(account.events), 50):
            daemon.post_all(account.events[start:start + 50])
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(chance.choice(daemon.runners()), signal.SIGKILL)
        daemon.wait_finished(patience_s=60)
        self.assertEqual(daemon.dead(), 0)
        self.check_truth(account)


class Twice(TestCase):
    """The same event again, in another runner, after the first was killed."""

    def start(self):
        self.daemon = self.serve("max_attempts = 1000", concurrency=1,
                                 timeout="20s")
        self.daemon.post(change("customer.created", customer(n=0), 100))
        self.daemon.wait_finished()
        self.body = change("customer.updated", customer(n=1), 101,
                           previous={"n": 0})

    def daemon_stands(self):
        """A signal is not there yet when it is sent."""
        threads = pathlib.Path(f"/proc/{self.daemon.process.pid}/task")
        return all(path.read_text().rpartition(")")[2].split()[0] == "T"
                   for path in threads.glob("*/stat"))

    def test_killed_within_the_transaction(self):
        self.start()
        with rig.database.held():
            self.daemon.post(self.body)
            wait_for(rig.database.is_wanted, "the mirror to begin")
            os.kill(self.daemon.runners()[0], signal.SIGKILL)
            self.daemon.wait_runner("mirror", 2)
        self.daemon.wait_finished()
        self.assertEqual(self.row()["data"], customer(n=1))
        self.check_seconds()

    def test_killed_between_commit_and_verdict(self):
        """The daemon stands still, so that it never reads the verdict, and
        then dies with the runner."""
        self.start()
        with rig.database.held():
            self.daemon.post(self.body)
            wait_for(rig.database.is_wanted, "the mirror to begin")
            runner, = self.daemon.runners()
            self.daemon.process.send_signal(signal.SIGSTOP)
            wait_for(self.daemon_stands, "the daemon to stand still")
        wait_for(lambda: self.row()["data"] == customer(n=1), "the commit")
        before = self.everything()
        os.kill(runner, signal.SIGKILL)
        self.daemon.kill()
        self.daemon.start()
        self.daemon.wait_finished()
        outcomes = [outcome for _, outcome, _ in self.daemon.attempts(self.body)]
        self.assertEqual(outcomes, [pegboard.LOST, pegboard.DONE])
        self.assertEqual(self.everything(), before)


if __name__ == "__main__":
    main()
