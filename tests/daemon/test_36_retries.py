"""When a failed delivery is tried again, and when not any more."""

import time

import faults
import pegboard
from faults import WAITING, counted
from pegboard import LOST, RETRY, Ledger, event, id_of, section, wait_for

SLACK_S = 1.0  # for a busy machine


class Retries(faults.TestCase):

    def serve(self, *keys, **options):
        daemon = self.daemon(start=False)
        self.ledger = Ledger(daemon.folder / "ledger")
        daemon.write_ini(section("p", "tries", *keys, file=self.ledger.path,
                                 **options))
        return daemon.start()

    def waits_s(self):
        """Between the attempts at the one event."""
        runs = self.ledger.runs()
        return [(b.begin_us - a.end_us) / 1e6 for a, b in zip(runs, runs[1:])]

    def check_waits(self, *wanted):
        """Each as long as planned, a quarter more or less."""
        waits_s = self.waits_s()
        self.assertEqual(len(waits_s), len(wanted))
        for wait_s, planned_s in zip(waits_s, wanted):
            self.assertGreaterEqual(wait_s, planned_s * 0.75 - 0.005)
            self.assertLess(wait_s, planned_s * 1.25 + SLACK_S)

    def test_delays_triple_up_to_the_largest(self):
        daemon = self.serve("retry = 100ms..1s", times=4)
        daemon.post()
        daemon.wait_finished()
        self.check_waits(0.1, 0.3, 0.9, 1)

    def test_a_handlers_own_delay_is_obeyed(self):
        daemon = self.serve("retry = 1h..1h", times=2, delay="400ms")
        daemon.post()
        daemon.wait_finished()
        for wait_s in self.waits_s():
            self.assertGreaterEqual(wait_s, 0.4 * 0.74)
            self.assertLess(wait_s, 0.4 * 1.25 + SLACK_S)

    def test_a_handlers_own_delay_is_at_most_a_day(self):
        daemon = self.serve("max_age = 30d", delay="20d")
        body = event()
        daemon.post(body)
        row = wait_for(lambda: next((d for d in self.deliveries(daemon)
                                     if d.state == WAITING), None), "a retry")
        late_s = row.due_ms / 1000 - time.time()
        self.assertLess(late_s, 86400 * 1.26)
        self.assertGreater(late_s, 86400 * 0.74)

    def test_max_attempts(self):
        daemon = self.serve("retry = 10ms..10ms", "max_attempts = 3",
                            times=1000)
        body = event()
        daemon.post(body)
        wait_for(lambda: daemon.dead() == 1, "it to be dead")
        self.assertEqual([a.outcome for a in self.attempts(daemon, body)],
                         [RETRY] * 3)

    def test_max_age(self):
        daemon = self.serve("retry = 100ms..100ms", "max_age = 1s",
                            "max_attempts = 1000", times=1000)
        daemon.post()
        wait_for(lambda: daemon.dead() == 1, "it to be dead")
        runs = self.ledger.runs()
        self.assertLessEqual((runs[-1].begin_us - runs[0].begin_us) / 1e6, 1.1)
        self.assertGreater((runs[-1].begin_us - runs[0].begin_us) / 1e6, 0.7)

    def test_delays_survive_kill_9(self):
        daemon = self.serve("retry = 2s..2s")
        daemon.post()
        wait_for(lambda: [d.state for d in self.deliveries(daemon)] ==
                 [WAITING], "a retry")
        for _ in range(3):
            daemon.kill()
            daemon.start()
        daemon.wait_finished()
        self.check_waits(2)

    def test_kill_9_of_the_daemon_costs_no_attempt_that_counts(self):
        daemon = self.daemon(start=False)
        ledger = Ledger(daemon.folder / "ledger")
        keys = "retry = 10ms..10ms", "max_attempts = 2"
        daemon.write_ini(ledger.section("p", *keys, sleep_ms=600000))
        daemon.start()
        body = event()
        daemon.post(body)
        for kills in range(1, 5):
            wait_for(lambda: len(ledger.begun()) == kills, "it to begin")
            daemon.kill()
            if kills == 4:
                daemon.write_ini(section("p", "retry", *keys, delay="10ms"))
            daemon.start()
            if kills < 4:
                self.assertEqual(counted(self.delivery(daemon, body)), 0)
        wait_for(lambda: daemon.dead() == 1, "two that count")
        self.assertEqual([a.outcome for a in self.attempts(daemon, body)],
                         [LOST] * 4 + [RETRY] * 2)

    def test_fresh_events_do_not_wait_behind_failed_ones(self):
        daemon = self.serve("retry = 10ms..10ms", "max_attempts = 1000",
                            "order = none", times=1000)
        self.post_all(daemon, [event() for _ in range(500)])
        wait_for(lambda: len(set(self.ledger.ids())) == 500, "all to fail")
        fresh = event()
        begun = len(self.ledger.ids())
        daemon.post(fresh)
        wait_for(lambda: id_of(fresh) in self.ledger.ids(), "the fresh one")
        self.assertLess(self.ledger.ids().index(id_of(fresh)) - begun, 100)


if __name__ == "__main__":
    pegboard.main()
