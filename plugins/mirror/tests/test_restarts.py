"""PostgreSQL restarted, crashed and stalled under a daemon."""

import contextlib
import os
import signal
import unittest

import loader
import rig
from pegboard import DONE, RETRY, wait_for
from rig import TestCase, change, customer, main, setUpModule
from test_load import load


class Restarts(TestCase):

    def test_a_crash_of_the_server_in_the_middle(self):
        account = loader.Account(seed=9).run(800)
        daemon = self.serve("max_attempts = 1000", timeout="2s")
        bodies = load(account, 4)
        daemon.post_all(bodies[:400])
        runners = set(daemon.runners())
        rig.database.stop("immediate")
        daemon.post_all(bodies[400:700])
        wait_for(lambda: [a for a in daemon.attempts() if a[1] == RETRY],
                 "an attempt without a server")
        rig.database.start()
        daemon.post_all(bodies[700:])
        daemon.wait_finished(patience_s=60)
        self.check_truth(account)
        self.check_seconds()
        self.assertEqual(daemon.dead(), 0)
        self.assertEqual(set(daemon.runners()), runners)
        notes = {note for _, outcome, note in daemon.attempts()
                 if outcome == RETRY}
        self.assertTrue(all("postgresql: " in note for note in notes), notes)

    def test_a_connection_is_kept_and_made_anew(self):
        daemon = self.serve(concurrency=1)
        daemon.post(change("customer.updated", customer(n=1), 100))
        daemon.wait_finished()
        session = rig.database.backends()
        daemon.post(change("customer.updated", customer(n=2), 101))
        daemon.wait_finished()
        self.assertEqual((len(session), rig.database.backends()), (1, session))
        rig.database.stop("fast")
        rig.database.start()
        daemon.post(change("customer.updated", customer(n=3), 102))
        daemon.wait_finished()
        self.assertEqual(self.row()["data"], customer(n=3))
        # The dead connection was noticed and replaced within one attempt.
        self.assertEqual([a[1] for a in daemon.attempts()], [0, 0, 0])

    def test_a_session_that_stands_still(self):
        """It answers nothing any more, and closes nothing."""
        daemon = self.serve(concurrency=1, timeout="500ms")
        daemon.post(change("customer.updated", customer(n=1), 100))
        daemon.wait_finished()
        session, = rig.database.backends()
        os.kill(session, signal.SIGSTOP)
        try:
            daemon.post(change("customer.updated", customer(n=2), 101))
            daemon.wait_finished()
        finally:
            os.kill(session, signal.SIGCONT)
        self.assertEqual(self.row()["data"], customer(n=2))
        first, second, *others = daemon.attempts()
        self.assertEqual((first[1], second[1]), (0, RETRY))
        self.assertIn("no answer in time", second[2])

    @contextlib.contextmanager
    def commits_held(self):
        """What makes an event the newest is done, but not committed."""
        rig.database.do(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$"
            "BEGIN IF NEW.newest THEN PERFORM pg_advisory_xact_lock_shared(1);"
            " END IF; RETURN NULL; END$$;"
            "CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON"
            " stripe_object_events DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION slow()")
        self.addCleanup(rig.database.do, "DROP FUNCTION slow CASCADE")
        with rig.database.psql() as other:
            other.stdin.write("SELECT 'locked', pg_advisory_lock(1);\n")
            other.stdin.flush()
            self.assertIn("locked", other.stdout.readline())
            yield
            other.stdin.close()
            other.wait(10)

    def test_two_at_once_wait_for_each_other(self):
        """Nobody sees half of a change, and neither has to be tried again."""
        daemon = self.serve(timeout="20s")
        self.feed([change("customer.updated", customer(n=1), 101)])
        with self.commits_held():
            daemon.post(change("customer.updated", customer(n=2), 101,
                               previous={"n": 1}, id="evt_z"))
            wait_for(rig.database.is_wanted, "the commit to begin")
            daemon.post(change("customer.updated", customer(n=3), 101,
                               previous={"n": 2}, id="evt_a"))
            wait_for(lambda: len(rig.database.is_wanted()) == 2, "the other")
            sessions = set(rig.database.backends())
            self.assertEqual(self.row()["data"], customer(n=1))
        daemon.wait_finished()
        self.assertEqual(self.row()["data"], customer(n=3))
        self.assertEqual({a[1] for a in daemon.attempts()}, {DONE})
        self.assertEqual(set(rig.database.backends()), sessions)

    def test_a_commit_of_which_nothing_is_heard(self):
        """The server commits, but its answer is lost: the event comes again,
        and changes nothing."""
        daemon = self.serve(concurrency=1, timeout="2s")
        daemon.post(change("customer.updated", customer(n=1), 100))
        daemon.wait_finished()
        body = change("customer.updated", customer(n=2), 101)
        with self.commits_held():
            daemon.post(body)
            wait_for(rig.database.is_wanted, "the commit to begin")
            os.kill(daemon.runners()[0], signal.SIGKILL)
            daemon.wait_runner("mirror", 2)
        daemon.wait_finished()
        self.assertEqual(self.row()["data"], customer(n=2))
        self.check_seconds()

    def test_tables_that_somebody_drops(self):
        daemon = self.serve(concurrency=1)
        daemon.post(change("customer.updated", customer(n=1), 100))
        daemon.wait_finished()
        rig.database.clear()
        daemon.post(change("customer.updated", customer(n=2), 100))
        daemon.wait_finished()
        self.assertEqual(self.row()["data"], customer(n=2))


if __name__ == "__main__":
    main()
