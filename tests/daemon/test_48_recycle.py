"""Runners that have served long enough make room for fresh ones."""

import re

import pegboard
from pegboard import DONE, Ledger, event, section, wait_for


class Recycling(pegboard.TestCase):

    def recycled(self, daemon):
        """(why, handled) of each that went."""
        return [(why, int(handled)) for why, handled in re.findall(
            r'msg="runner recycled" plugin=p pid=\d+ why=(\w+) handled=(\d+)',
            daemon.log())]

    def check_it_cost_nothing(self, daemon):
        """No failure, no pause, and every event was done at once."""
        self.assertNotIn("restart_in", daemon.log())
        self.assertNotIn("level=error", daemon.log())
        self.assertEqual({(n, outcome) for n, outcome, _ in daemon.attempts()},
                         {(1, DONE)})

    def test_after_so_many_events(self):
        daemon = self.daemon(section("p", "noop", "recycle_events = 5"))
        daemon.post_all(event() for _ in range(23))
        daemon.wait_finished()
        self.assertEqual(self.recycled(daemon), [("events", 5)] * 4)
        daemon.wait_runner("p", 5)
        self.check_it_cost_nothing(daemon)

    def test_each_of_many_has_a_share_of_its_own(self):
        daemon = self.daemon(section("p", "noop", "recycle_events = 100",
                                     "concurrency = 4", "order = none"))
        daemon.wait_runner("p", 4)
        daemon.post_all(event() for _ in range(1000))
        daemon.wait_finished()
        recycled = self.recycled(daemon)
        self.assertGreaterEqual(len(recycled), 4)
        for why, handled in recycled:
            self.assertEqual(why, "events")
            self.assertIn(handled, range(90, 111))
        self.assertGreater(len({handled for _, handled in recycled}), 1)
        self.check_it_cost_nothing(daemon)

    def test_at_an_age_also_when_idle(self):
        daemon = self.daemon(section("p", "noop", "recycle_age = 1s"))
        daemon.wait_runner("p", 3)
        self.assertIn(("age", 0), self.recycled(daemon))
        daemon.post()
        daemon.wait_finished()
        self.check_it_cost_nothing(daemon)

    def test_never_in_the_middle_of_an_event(self):
        daemon = self.daemon(start=False)
        ledger = Ledger(daemon.folder / "ledger")
        daemon.write_ini(ledger.section("p", "recycle_age = 1s",
                                        sleep_ms=2500))
        daemon.start()
        daemon.post()
        daemon.wait_finished()
        self.check_it_cost_nothing(daemon)
        wait_for(lambda: ("age", 1) in self.recycled(daemon),
                 "it to be recycled behind the event")

    def test_when_it_has_grown(self):
        daemon = self.daemon(section("p", "leak", "recycle_memory = 24M"))
        daemon.post_all(event() for _ in range(8))
        daemon.wait_finished()
        self.assertEqual(self.recycled(daemon), [])
        daemon.post_all(event() for _ in range(32))
        daemon.wait_finished()
        daemon.wait_log("runner recycled.* why=memory")
        daemon.wait_runner("p", 2)
        self.check_it_cost_nothing(daemon)

    def test_zero_is_never(self):
        daemon = self.daemon(section(
            "p", "noop", "recycle_events = 0", "recycle_age = 0s",
            "recycle_memory = 0"))
        daemon.post_all(event() for _ in range(50))
        daemon.wait_finished()
        self.assertEqual(self.recycled(daemon), [])


if __name__ == "__main__":
    pegboard.main()
