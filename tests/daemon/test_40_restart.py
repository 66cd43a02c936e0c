"""What waits or runs when the daemon ends is done by the next one."""

import signal
import time

import pegboard
from pegboard import (DONE, LOST, Ledger, command, event, id_of, section,
                      wait_for)


class Restart(pegboard.TestCase):

    def prepare(self, **kwargs):
        """A daemon whose plugin "p" can become a ledger."""
        daemon = self.daemon(start=False, **kwargs)
        self.ledger = Ledger(daemon.folder / "ledger")
        return daemon

    def running(self, sleep_ms, **kwargs):
        """A daemon with one event in a slow handler; and the event."""
        daemon = self.prepare()
        daemon.write_ini(self.ledger.section("p", sleep_ms=sleep_ms), **kwargs)
        daemon.start()
        body = event()
        daemon.post(body)
        wait_for(lambda: self.ledger.begun(), "the attempt to begin")
        return daemon, body

    def handled_after(self, daemon, bodies):
        """Start again with a plugin that is well; all is handled once."""
        daemon.write_ini(self.ledger.section("p"))
        daemon.start()
        daemon.wait_finished()
        self.assertEqual(sorted(self.ledger.ids()), sorted(map(id_of, bodies)))

    # -- pending deliveries ------------------------------------------------

    def pending_with(self, so):
        daemon = self.prepare()
        daemon.write_ini(section("p", so))
        daemon.start()
        bodies = [event() for _ in range(5)]
        for body in bodies:
            self.assertEqual(daemon.post(body).status, 200)
        self.assertEqual(daemon.unfinished(), 5)
        return daemon, bodies

    def test_pending_deliveries_of_a_plugin_that_did_not_start(self):
        daemon, bodies = self.pending_with("init_fail")
        self.assertEqual(daemon.stop(), 0)
        self.handled_after(daemon, bodies)
        self.assertEqual(daemon.attempts(), [(1, DONE, None)] * 5)

    def test_pending_deliveries_of_a_plugin_that_hangs_in_init(self):
        daemon, bodies = self.pending_with("init_hang")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_log('msg="stopping" signal=SIGTERM')
        daemon.process.send_signal(signal.SIGINT)
        self.assertEqual(daemon.process.wait(pegboard.PATIENCE_S), 0)
        self.handled_after(daemon, bodies)
        self.assertEqual(daemon.attempts(), [(1, DONE, None)] * 5)

    def test_pending_deliveries_after_sigkill(self):
        daemon, bodies = self.pending_with("init_fail")
        daemon.kill()
        self.handled_after(daemon, bodies)

    # -- an attempt in work ------------------------------------------------

    def test_sigterm_lets_a_handler_end(self):
        daemon, body = self.running(sleep_ms=700)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.ledger.ids(), [id_of(body)])
        self.assertEqual(daemon.attempts(), [(1, DONE, None)])
        self.assertEqual(daemon.unfinished(), 0)

    def test_handler_longer_than_drain_is_killed_and_run_again(self):
        daemon, body = self.running(sleep_ms=600000, server="drain = 200ms")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(daemon.unfinished(), 1)
        self.handled_after(daemon, [body])
        self.assertEqual([(n, outcome) for n, outcome, _ in daemon.attempts()],
                         [(1, LOST), (2, DONE)])

    def test_second_sigterm_ends_at_once(self):
        daemon, body = self.running(sleep_ms=600000, server="drain = 10m")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_log('msg="stopping" signal=SIGTERM')
        begun = time.monotonic()
        self.assertEqual(daemon.stop(), 0)
        self.assertLess(time.monotonic() - begun, 5)
        daemon.wait_log('level=warn .*"second signal" action=stop_now')
        self.handled_after(daemon, [body])

    def test_sigint_ends_it_as_sigterm_does(self):
        daemon, body = self.running(sleep_ms=100)
        self.assertEqual(daemon.stop(signal.SIGINT), 0)
        self.assertEqual(daemon.attempts(), [(1, DONE, None)])

    def test_sigkill_in_an_attempt_runs_it_again(self):
        daemon, body = self.running(sleep_ms=600000)
        daemon.kill()
        self.handled_after(daemon, [body])
        self.assertEqual([(n, outcome) for n, outcome, _ in daemon.attempts()],
                         [(1, LOST), (2, DONE)])
        daemon.wait_log("attempts without a verdict found.* count=1 "
                        "action=run_again")

    # -- two at once -------------------------------------------------------

    def test_second_daemon_on_the_same_state_is_refused(self):
        daemon = self.daemon(section("p", "noop"))
        other = self.daemon(section("p", "noop"), state_dir=daemon.state,
                            start=False)
        result = command("serve", "-c", other.ini)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"error: inbox: .*/inbox\.db is in use "
                         "by another pegboard")
        daemon.post()
        daemon.wait_finished()
        self.assertEqual(daemon.attempts(), [(1, DONE, None)])


if __name__ == "__main__":
    pegboard.main()
