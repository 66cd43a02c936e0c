"""A plugin cannot hurt anything but itself."""

import os
import re
import signal

import pegboard
from pegboard import (CRASH, DEADLY, DONE, TIMEOUT, Ledger, event, id_of,
                      is_alive, section, wait_for)

BAD = "charge.refunded"  # the type that only the bad plugin gets


class Faults(pegboard.TestCase):

    def beside_a_good_plugin(self, so, *keys, **options):
        """A daemon with the plugin "bad" and, for other events, a good one."""
        daemon = self.daemon(start=False)
        self.ledger = Ledger(daemon.folder / "ledger")
        daemon.write_ini(
            self.ledger.section("good", "events = payment_intent.*") +
            section("bad", so, f"events = {BAD}", "retry = 10ms..10ms",
                    "max_attempts = 2", DEADLY, *keys, **options))
        daemon.start()
        self.good_runner = daemon.wait_runner("good")
        self.bad_runner = daemon.wait_runner("bad")
        self.descriptors = daemon.descriptors()
        return daemon

    def check_good_plugin(self, daemon):
        """It gets its events, in the process that it had."""
        bodies = [event() for _ in range(3)]
        for body in bodies:
            self.assertEqual(daemon.post(body).status, 200)
        wanted = {id_of(body) for body in bodies}
        wait_for(lambda: wanted <= set(self.ledger.ids()),
                 "the good plugin's deliveries")
        self.assertEqual(daemon.runners("good"), [self.good_runner])

    def check_nothing_is_left(self, daemon):
        wait_for(lambda: len(daemon.runners()) == 2 and
                 daemon.children().keys() == set(daemon.runners()),
                 f"no zombie: {daemon.children()}")
        wait_for(lambda: daemon.descriptors() == self.descriptors,
                 f"{self.descriptors} descriptors, as before")

    def suffer(self, so, outcome, note, *keys, **options):
        """Both attempts of an event end like this; nothing else suffers."""
        daemon = self.beside_a_good_plugin(so, *keys, **options)
        body = event(BAD)
        self.assertEqual(daemon.post(body).status, 200)
        self.check_good_plugin(daemon)
        second = daemon.wait_runner("bad", 2)
        self.assertNotEqual(second, self.bad_runner)
        daemon.wait_finished()
        for n, (number, *end) in enumerate(daemon.attempts(body), 1):
            self.assertEqual(number, n)
            self.assertEqual(end[0], outcome)
            self.assertRegex(end[1], note)
        self.assertEqual(n, 2)
        self.assertEqual(daemon.dead(), 1)
        daemon.wait_runner("bad", 3)
        self.check_good_plugin(daemon)
        self.check_nothing_is_left(daemon)
        return daemon

    # -- ends of a runner --------------------------------------------------

    def test_crash(self):
        self.suffer("crash", CRASH, r"killed by signal 11 \(SIGSEGV\)")

    def test_abort(self):
        self.suffer("abort", CRASH, r"killed by signal 6 \(SIGABRT\)")

    def test_exit(self):
        self.suffer("exit0", CRASH, "exited with status 0")

    def test_hang_is_killed(self):
        self.suffer("hang", TIMEOUT, "no verdict within 300 ms",
                    "timeout = 300ms")

    def test_spin_is_killed(self):
        self.suffer("spin", TIMEOUT, "no verdict within 300 ms",
                    "timeout = 300ms")

    def test_closing_all_descriptors(self):
        self.suffer("closes_fds", CRASH, "runner exited with status 1")

    def test_closing_all_descriptors_and_staying(self):
        daemon = self.daemon(section("bad", "closes_fds", "max_attempts = 1",
                                     stay="yes"))
        daemon.post()
        daemon.wait_finished()
        self.assertRegex(daemon.attempts()[0][2], "runner closed its socket")

    def test_nonsense_on_the_socket(self):
        daemon = self.suffer("garbage", CRASH, "runner spoke nonsense")
        daemon.wait_log('level=error .*"runner speaks nonsense" plugin=bad')

    def test_killed_while_idle_costs_no_attempt(self):
        daemon = self.beside_a_good_plugin("noop")
        os.kill(self.bad_runner, signal.SIGKILL)
        daemon.wait_runner("bad", 2)
        body = event(BAD)
        daemon.post(body)
        daemon.wait_finished()
        self.assertEqual(daemon.attempts(body), [(1, DONE, None)])
        self.check_nothing_is_left(daemon)

    def test_back_off_grows_and_ends_with_a_success(self):
        daemon = self.daemon(start=False)
        ledger = Ledger(daemon.folder / "ledger")
        body = event()
        daemon.write_ini(ledger.section(
            "p", "retry = 10ms..10ms", DEADLY, crash_on=id_of(body),
            crash_times=2))
        daemon.start()
        daemon.post(body)
        daemon.wait_finished()
        daemon.post(event())
        daemon.wait_finished()
        os.kill(daemon.runners("p")[0], signal.SIGKILL)
        wait_for(lambda: re.findall(r"action=restart_in_(\d+)_ms",
                                    daemon.log()) == ["500", "1000", "500"],
                 "pauses of 0.5, 1 and again 0.5 s")

    # -- what it does besides ----------------------------------------------

    def test_output_becomes_log_lines_of_the_event(self):
        daemon = self.beside_a_good_plugin("prints")
        body = event(BAD)
        daemon.post(body)
        self.check_good_plugin(daemon)
        daemon.wait_finished()
        self.assertEqual(daemon.attempts(body), [(1, DONE, None)])
        head = f'msg="prints" plugin=bad event={id_of(body)} text="'
        lines = [line.split(head)[1] for line in daemon.log().splitlines()
                 if head in line]
        self.assertIn('stdout line"', lines)
        self.assertIn('stderr line"', lines)
        self.assertIn('stderr without newlinestdout without newline"', lines)
        long = [line for line in lines if line.startswith("xxx")]
        self.assertEqual(len(long), 1)
        self.assertLessEqual(len(long[0]), 1100)
        self.assertEqual(len(lines), 4)
        self.check_nothing_is_left(daemon)

    def test_leak_hurts_nobody(self):
        daemon = self.beside_a_good_plugin("leak")
        for _ in range(20):
            self.assertEqual(daemon.post(event(BAD)).status, 200)
        self.check_good_plugin(daemon)
        daemon.wait_finished()
        self.assertEqual({outcome for _, outcome, _ in daemon.attempts()},
                         {DONE})
        self.check_nothing_is_left(daemon)

    # -- children ----------------------------------------------------------

    def forking(self, *keys, **options):
        daemon = self.daemon(start=False)
        self.pids = daemon.folder / "pids"
        daemon.write_ini(section("bad", "forks", "max_attempts = 1", DEADLY,
                                 *keys, file=self.pids, **options))
        return daemon.start()

    def wait_children_gone(self):
        pids = [int(line) for line in self.pids.read_text().split()]
        self.assertGreater(len(pids), 0)
        wait_for(lambda: not any(map(is_alive, pids)), f"{pids} to be gone")

    # They hold its socket open: only the process itself tells of its end.
    def test_children_die_with_a_crashed_runner(self):
        daemon = self.forking("timeout = 1h", abort="yes")
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        self.wait_children_gone()
        self.assertEqual(daemon.attempts(body),
                         [(1, CRASH, "runner killed by signal 6 (SIGABRT)")])

    def test_children_die_with_a_runner_killed_while_idle(self):
        daemon = self.forking()
        runner = daemon.wait_runner("bad")
        daemon.post()
        daemon.wait_finished()
        os.kill(runner, signal.SIGKILL)
        daemon.wait_runner("bad", 2)
        self.wait_children_gone()

    def test_children_die_when_the_daemon_stops(self):
        daemon = self.forking()
        daemon.post()
        daemon.wait_finished()
        self.assertEqual(daemon.stop(), 0)
        self.wait_children_gone()


class Starting(pegboard.TestCase):
    """init() says no: the daemon serves all the same."""

    def test_failing_init_is_tried_again_with_growing_pauses(self):
        daemon = self.daemon(start=False)
        ready = daemon.folder / "ready"
        daemon.write_ini(section("p", "init_fail", until=ready) +
                         section("good", "noop"))
        daemon.start()
        body = event()
        self.assertEqual(daemon.post(body).status, 200)
        self.assertEqual(daemon.request("GET", "/readyz").status, 200)
        daemon.wait_log(r'"plugin does not start" plugin=p detail="init\(\) '
                        r'returned 5: cannot reach the database"')
        daemon.wait_log("plugin=p .*action=restart_in_500_ms")
        daemon.wait_log("plugin=p .*action=restart_in_1000_ms")
        wait_for(lambda: daemon.handlers(body) == ["good"], "the good plugin")
        self.assertEqual(daemon.unfinished(), 1)
        ready.touch()
        daemon.wait_finished()
        self.assertEqual(daemon.attempts(body, "p"), [(1, DONE, None)])

    def test_crashing_init_leaves_the_daemon_serving(self):
        daemon = self.daemon(section("p", "init_crash", DEADLY) +
                             section("good", "noop"))
        body = event()
        self.assertEqual(daemon.post(body).status, 200)
        daemon.wait_log('"plugin does not start" plugin=p .*SIGABRT')
        wait_for(lambda: daemon.handlers(body) == ["good"], "the good plugin")


if __name__ == "__main__":
    pegboard.main()
