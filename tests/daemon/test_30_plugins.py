"""Which plugin gets which event, and what becomes of its verdict."""

import pegboard
from pegboard import (DONE, FAIL, RETRY, SKIP, Ledger, event, id_of, section,
                      wait_for)


class Routing(pegboard.TestCase):

    def handled(self, daemon, body, path="/webhook"):
        self.assertEqual(daemon.post(body, path).status, 200)
        daemon.wait_finished()
        return daemon.handlers(body)

    def test_all_subscribers_get_an_event(self):
        daemon = self.daemon(section("receipts", "receipts") +
                             section("disputes", "disputes") +
                             section("all", "noop"))
        self.assertEqual(self.handled(daemon, event()), ["all", "receipts"])
        self.assertEqual(
            self.handled(daemon, event("charge.dispute.created")),
            ["all", "disputes"])

    def test_event_of_nobody_is_stored_and_logged(self):
        daemon = self.daemon(section("receipts", "receipts"))
        body = event("charge.refunded")
        self.assertEqual(self.handled(daemon, body), [])
        daemon.wait_log(f'unhandled event type.*event={id_of(body)}')
        self.assertEqual(daemon.query("SELECT routed FROM event"), [(0,)])

    def test_events_narrows_what_a_plugin_declares(self):
        daemon = self.daemon(section(
            "p", "noop", "events = charge.dispute.*, charge.refunded"))
        for type, handlers in (("charge.dispute.created", ["p"]),
                               ("charge.dispute.funds.any", ["p"]),
                               ("charge.refunded", ["p"]),
                               ("charge.refunded.more", []),
                               ("charge.disputes", []),
                               ("payment_intent.succeeded", [])):
            with self.subTest(type):
                self.assertEqual(self.handled(daemon, event(type)), handlers)

    def test_endpoints_filters(self):
        daemon = self.daemon(
            section("other", "noop", "endpoints = other") +
            section("both", "noop"),
            more="[endpoint other]\npath = /other\nsecrets = file:secret")
        self.assertEqual(self.handled(daemon, event()), ["both"])
        self.assertEqual(self.handled(daemon, event(), "/other"),
                         ["both", "other"])

    def test_livemode_of_a_plugin_filters(self):
        daemon = self.daemon(section("live", "noop", "livemode = live") +
                             section("test", "noop", "livemode = test") +
                             section("any", "noop"))
        self.assertEqual(self.handled(daemon, event(livemode=True)),
                         ["any", "live"])
        self.assertEqual(self.handled(daemon, event(livemode=False)),
                         ["any", "test"])

    def test_livemode_of_an_endpoint_filters(self):
        daemon = self.daemon(section("p", "noop"), endpoint="livemode = live")
        self.assertEqual(self.handled(daemon, event(livemode=True)), ["p"])
        self.assertEqual(self.handled(daemon, event(livemode=False)), [])

    def test_disabled_plugin_is_not_even_loaded(self):
        daemon = self.daemon(section("off", "ctor_crash", "enabled = no") +
                             section("gone", "/no/such.so", "enabled = no") +
                             section("on", "noop"))
        self.assertEqual(self.handled(daemon, event()), ["on"])

    def test_runner_has_its_env_keys_and_nothing_else_of_ours(self):
        daemon = self.daemon(
            section("p", "surroundings", "env.HELLO = world"),
            env={"NOT_FOR_PLUGINS": "1"})
        body = event()
        daemon.post(body)
        wait_for(daemon.dead, "the dead letter")
        # stdin, stdout, stderr, and the socket of the wire
        self.assertEqual(daemon.attempts(body, "p"),
                         [(1, FAIL, "env: HELLO=world; open: 4")])

    def test_two_sections_can_load_one_file_with_different_options(self):
        daemon = self.daemon(section("a", "receipts", greeting="hello") +
                             section("b", "receipts", greeting="servus"))
        self.assertEqual(self.handled(daemon, event()), ["a", "b"])
        daemon.wait_log('plugin=a event=evt_.* text="hello PaymentIntent')
        daemon.wait_log('plugin=b event=evt_.* text="servus PaymentIntent')


class Concurrency(pegboard.TestCase):

    EVENTS = 12

    def most_at_once(self, concurrency):
        """Post events that take a while; the most that overlapped."""
        daemon = self.daemon(start=False)
        ledger = Ledger(daemon.folder / "ledger")
        daemon.write_ini(ledger.section("p", f"concurrency = {concurrency}",
                                        sleep_ms=60))
        daemon.start()
        daemon.wait_runner("p", concurrency)
        for _ in range(self.EVENTS):
            self.assertEqual(daemon.post().status, 200)
        daemon.wait_finished()
        runs = ledger.runs()
        self.assertEqual(len(runs), self.EVENTS)
        return max(sum(other.begin_us <= run.begin_us < other.end_us
                       for other in runs) for run in runs)

    def test_three_run_at_once_and_never_more(self):
        self.assertEqual(self.most_at_once(3), 3)

    def test_one_runs_at_a_time_by_default(self):
        self.assertEqual(self.most_at_once(1), 1)


class Verdicts(pegboard.TestCase):

    def with_plugin(self, so, *keys, **options):
        return self.daemon(section("p", so, *keys, **options))

    def finished(self, daemon):
        """Post one event and wait for its end; its attempts."""
        self.assertEqual(daemon.post().status, 200)
        daemon.wait_finished()
        return daemon.attempts()

    def gaps_ms(self, daemon):
        """The times from attempt to attempt."""
        begins = [ms for ms, in daemon.query(
            "SELECT started_ms FROM attempt ORDER BY n")]
        return [b - a for a, b in zip(begins, begins[1:])]

    def test_done_ends_a_delivery(self):
        daemon = self.with_plugin("noop")
        self.assertEqual(self.finished(daemon), [(1, DONE, None)])
        self.assertEqual(daemon.dead(), 0)

    def test_skip_ends_a_delivery_and_tells_why(self):
        daemon = self.with_plugin("skip")
        self.assertEqual(self.finished(daemon), [(1, SKIP, "not for me")])
        self.assertEqual(daemon.dead(), 0)

    def test_fail_is_dead_at_once_and_tells_why(self):
        daemon = self.with_plugin("fail")
        self.assertEqual(self.finished(daemon), [(1, FAIL, "no such order")])
        self.assertEqual(daemon.dead(), 1)
        daemon.wait_log('level=error .*"dead letter" plugin=p .*attempt=1 '
                        'outcome=fail .*reason="no such order"')

    def test_retry_obeys_the_delay_of_the_handler(self):
        daemon = self.with_plugin("retry", "retry = 1h..4h",
                                  "max_attempts = 3", delay="200ms")
        self.assertEqual(self.finished(daemon),
                         [(n, RETRY, "the backend is down") for n in (1, 2, 3)])
        for gap_ms in self.gaps_ms(daemon):
            self.assertGreaterEqual(gap_ms, 200)

    def test_retry_without_a_delay_follows_the_curve(self):
        daemon = self.with_plugin("verdict99", "retry = 100ms..400ms",
                                  "max_attempts = 5")
        self.finished(daemon)
        gaps_ms = self.gaps_ms(daemon)
        for gap_ms, planned_ms in zip(gaps_ms, (100, 300, 400, 400)):
            self.assertGreaterEqual(gap_ms, planned_ms * 3 / 4)
        self.assertEqual(len(gaps_ms), 4)

    def test_max_attempts_makes_it_dead(self):
        daemon = self.with_plugin("retry", "max_attempts = 4", delay="1ms")
        self.assertEqual(len(self.finished(daemon)), 4)
        self.assertEqual(daemon.dead(), 1)
        daemon.wait_log('"dead letter" .*attempt=4 outcome=retry')

    def test_max_age_makes_it_dead(self):
        daemon = self.with_plugin("retry", "max_age = 1s", delay="300ms")
        self.assertIn(len(self.finished(daemon)), (2, 3, 4))
        self.assertEqual(daemon.dead(), 1)

    def test_later_events_do_not_wait_for_a_retry(self):
        daemon = self.with_plugin("retry", delay="1h")
        for _ in range(5):
            daemon.post()
        wait_for(lambda: len(daemon.attempts()) == 5, "five first attempts")
        self.assertEqual(daemon.unfinished(), 5)

    def test_a_number_that_is_no_verdict_is_a_retry_with_a_warning(self):
        daemon = self.with_plugin("verdict99", "retry = 10ms..10ms",
                                  "max_attempts = 2")
        text = "handle() returned 99, which is no verdict"
        self.assertEqual(self.finished(daemon),
                         [(1, RETRY, text), (2, RETRY, text)])
        daemon.wait_log('level=warn .*plugin=p .*attempt=1 outcome=retry .*'
                        r'reason="handle\(\) returned 99')


if __name__ == "__main__":
    pegboard.main()
