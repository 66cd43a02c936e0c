"""Old events leave in the background, those that somebody is still owed stay,
and intake notices nothing."""

import time

import faults
import pegboard
from pegboard import event, id_of, section, wait_for

SHORT = "[inbox]\nretention = 1s\n"


class Retention(faults.TestCase):

    def stored(self, daemon):
        return {id for id, in daemon.query("SELECT event_id FROM event")}

    def wait_gone(self, daemon, bodies):
        """Behind a new one for nobody: the last of all always stays."""
        self.last = event("payout.paid")
        self.post_all(daemon, [self.last])
        ids = set(map(id_of, bodies))
        wait_for(lambda: not ids & self.stored(daemon), "them to leave")

    def test_what_is_done_leaves_and_what_is_owed_stays(self):
        daemon = self.daemon(start=False)
        done = section("done", "noop", "events = payment_intent.*")
        others = (section("dead", "fail", "events = charge.*") +
                  section("pending", "init_fail", "events = invoice.*"))
        orphan = section("orphan", "init_fail", "events = customer.*")
        daemon.write_ini(done + others + orphan)
        daemon.start()
        orphaned = [event("customer.created") for _ in range(5)]
        self.post_all(daemon, orphaned)
        daemon.stop()

        daemon.write_ini(done + others, more=SHORT)
        daemon.start()
        daemon.wait_log("level=warn .*retention|1s is short")
        kept = orphaned + [event("charge.refunded") for _ in range(5)] + [
            event("invoice.paid") for _ in range(5)]
        leaving = [event() for _ in range(100)]
        unrouted = [event("payout.paid") for _ in range(5)]
        both = [body for n in range(50) for body in
                (leaving[n], *([kept[5 + n]] if n < 10 else []))]
        self.post_all(daemon, both + leaving[50:] + unrouted, senders=1)
        self.post_all(daemon, leaving[:5])  # repeats: receipts
        self.wait_gone(daemon, leaving + unrouted)
        end_s = time.monotonic() + 1
        wait_for(lambda: time.monotonic() > end_s, "another pass")
        self.assertEqual(self.stored(daemon),
                         set(map(id_of, [*kept, self.last])))
        for table in "body", "receipt", "attempt":
            self.assertEqual(daemon.query(
                f"SELECT count(*) FROM {table} WHERE seq NOT IN"
                " (SELECT seq FROM event)"), [(0,)], table)
        self.assertEqual(daemon.query("SELECT count(*) FROM body"), [(16,)])
        self.assertEqual((daemon.dead(), daemon.unfinished()), (5, 10))
        # They leave when nothing is owed any more.
        self.api(daemon, "POST", "/discards", {
            "reason": "a test", "filter": {"state": "dead"}}, 202)
        self.wait_gone(daemon, kept[5:10])
        daemon.stop()
        daemon.write_ini(section("pending", "noop", "events = invoice.*") +
                         section("orphan", "noop", "events = customer.*"),
                         more=SHORT)
        daemon.start()
        self.wait_gone(daemon, kept)
        wait_for(lambda: self.stored(daemon) == {id_of(self.last)},
                 "all but the last to leave")

    def test_the_last_of_all_stays_and_numbers_are_not_used_again(self):
        daemon = self.daemon(section("p", "noop"), more=SHORT)
        bodies = [event() for _ in range(10)]
        self.post_all(daemon, bodies, senders=1)
        wait_for(lambda: len(self.stored(daemon)) == 1, "the others to leave")
        daemon.stop()
        daemon.start()
        self.assertEqual(self.stored(daemon), {id_of(bodies[-1])})
        self.post_all(daemon, [event()])
        self.assertEqual(daemon.query("SELECT max(seq) FROM event"), [(11,)])

    def test_a_repeat_of_one_that_has_left_is_a_new_event(self):
        daemon = self.daemon(section("p", "noop"), more=SHORT)
        body = event()
        for _ in range(2):
            self.assertEqual(daemon.post(body).json(), {"received": True})
            self.assertEqual(daemon.post(body).json()["duplicate"], True)
            wait_for(lambda: daemon.attempts(body), "it to be handled")
            self.wait_gone(daemon, [body])

    def test_space_is_used_again(self):
        daemon = self.daemon(section("p", "noop"), more=SHORT)
        sizes = []
        for _ in range(6):
            bodies = [event(note="x" * 16000) for _ in range(200)]
            self.post_all(daemon, bodies)
            self.wait_gone(daemon, bodies)
            sizes.append(daemon.query("PRAGMA page_count")[0][0])
        # The first rounds may differ in how much was there at one time.
        self.assertLessEqual(max(sizes[2:]), max(sizes[:2]) * 1.2)

    def test_a_large_backlog_of_old_events_does_not_stall_intake(self):
        daemon = self.daemon(section("p", "noop"))
        old = [event(note="x" * 4000) for _ in range(3000)]
        self.post_all(daemon, old)
        daemon.wait_finished()
        daemon.stop()
        daemon.write_ini(section("p", "noop"), more=SHORT)
        daemon.start()
        longest_s, posts = 0, 0
        while True:
            begun_s = time.monotonic()
            self.assertEqual(daemon.post().status, 200)
            longest_s = max(longest_s, time.monotonic() - begun_s)
            posts += 1
            left = daemon.query(
                "SELECT count(*) FROM event WHERE seq <= 3000")[0][0]
            if left == 0:
                break
        self.assertLess(longest_s, 1)
        # In steps: it took more than a moment, and posts came between.
        self.assertGreater(posts, 20)

    def test_nothing_leaves_before_its_time(self):
        daemon = self.daemon(section("p", "noop"),
                             more="[inbox]\nretention = 5s\n")
        first = event()
        begun_s = time.monotonic()
        self.post_all(daemon, [first])
        daemon.wait_finished()
        while time.monotonic() < begun_s + 2:
            self.assertEqual(daemon.post().status, 200)
            self.assertIn(id_of(first), self.stored(daemon))


if __name__ == "__main__":
    pegboard.main()
