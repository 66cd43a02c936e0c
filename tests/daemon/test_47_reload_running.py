"""Reloads while events are in work: none is lost or run twice, and never do
more handlers run than may; and reloads that meet each other."""

import signal
import time

import pegboard
import reloads
from commands import PARTLY
from faults import counted
from locker import Locker, about, calls_of, most_at_once
from pegboard import (DEADLY, DONE, LOST, Ledger, event, id_of, section,
                      wait_for)
from reloads import code_of, mark_of, put, version_of, with_file
from senders import Senders


class HandOver(reloads.TestCase):
    """Never more than `concurrency` handlers, whatever their version."""

    def start_locker(self, concurrency=1, server="", **options):
        daemon = self.daemon(start=False)
        self.locker = Locker(daemon.folder / "p")
        self.server, self.concurrency = server, concurrency
        self.options = options
        self.so = put(daemon.folder / "p.so", self.version(1))
        self.write(daemon)
        daemon.start()
        self.old = self.pids(daemon, "p", concurrency)
        return daemon

    def version(self, number):
        return version_of("locker", number)

    def mark(self, number):
        return mark_of(self.version(number))

    def write(self, daemon, **others):
        kwargs = {"concurrency": self.concurrency, **self.options, **others}
        self.write_ini(daemon, with_file(
            self.locker.section("p", "timeout = 1h", **kwargs), "locker",
            self.so), server=self.server)

    def gate(self, daemon, count=1):
        """Events that are in work until the gate is opened."""
        bodies = [about(f"pi_gated{n}", gate=1) for n in range(count)]
        for body in bodies:
            self.assertEqual(daemon.post(body).status, 200)
        self.wait_begun(*bodies)
        return bodies

    def wait_begun(self, *bodies, times=1):
        wait_for(lambda: all(self.locker.begun().count(id_of(body)) >= times
                             for body in bodies), "the events to begin")

    def became(self, daemon, body):
        """How its attempts ended, and whose they were."""
        pids = [line.pid for line in self.locker.of_kind("B")
                if line.id == id_of(body)]
        wait_for(lambda: len(self.attempts(daemon, body)) == len(pids),
                 "the verdicts")
        attempts = self.attempts(daemon, body)
        return [(attempt.outcome, self.code_in(daemon, pid))
                for attempt, pid in zip(attempts, pids)]

    def check_locks(self):
        self.assertEqual(self.locker.of_kind("V"), [])

    def test_event_in_work_ends_in_the_old_version(self):
        daemon = self.start_locker()
        gated, = self.gate(daemon)
        put(self.so, self.version(2))
        asked = self.in_background(daemon)
        daemon.wait_log('msg="reloaded"')
        daemon.wait_runner("p", 2)
        later = about("pi_later")
        daemon.post(later)
        wait_for(lambda: self.delivery(daemon, later), "it to be stored")
        self.assertEqual(len(daemon.runners("p")), 2)
        self.assertEqual(self.plugin(daemon, "p")["old_runners"], 1)
        self.assertEqual(self.locker.begun(), [id_of(gated)])
        self.assertIsNone(asked.process.poll(), "it waits for the drain")
        self.locker.open_gate()
        answer = asked.answer()
        self.assertEqual((answer["result"], answer["killed"]), ("done", 0))
        self.assertGreaterEqual(answer["drained_ms"], 0)
        daemon.wait_finished()
        self.assertEqual(self.became(daemon, gated), [(DONE, self.mark(1))])
        self.assertEqual(self.became(daemon, later), [(DONE, self.mark(2))])
        self.assertEqual(self.pids(daemon, "p") & self.old, set())
        self.check_locks()

    def test_new_runners_begin_as_old_ones_end(self):
        daemon = self.start_locker(3)
        gated = self.gate(daemon, 2)
        put(self.so, self.version(2))
        self.send_hup(daemon)
        daemon.wait_log('msg="reloaded"')
        daemon.wait_runner("p", 6)
        # One of three places is free: it works, one at a time.
        later = [about(f"pi_{n}") for n in range(20)]
        self.post_all(daemon, later)
        wait_for(lambda: set(map(id_of, later)) <= set(self.locker.ended()),
                 "the others")
        lines = self.locker.lines()
        self.assertLessEqual(most_at_once(lines), 3)
        self.locker.open_gate()
        daemon.wait_finished()
        for body in gated:
            self.assertEqual(self.became(daemon, body),
                             [(DONE, self.mark(1))])
        self.check_each_done_once(daemon, gated + later)
        self.pids(daemon, "p", 3)
        self.check_locks()

    def test_lower_concurrency_holds_for_the_old_ones_too(self):
        daemon = self.start_locker(3)
        gated = self.gate(daemon, 3)
        self.concurrency = 1
        self.write(daemon)
        self.send_hup(daemon)
        daemon.wait_log('msg="reloaded"')
        daemon.wait_runner("p", 4)
        later = [about(f"pi_{n}") for n in range(5)]
        self.post_all(daemon, later)
        self.locker.open_gate()
        daemon.wait_finished()
        self.check_each_done_once(daemon, gated + later)
        calls = calls_of(self.locker.lines())
        for call in calls:
            if call.line.pid not in self.old:
                self.assertEqual([
                    other.line for other in calls
                    if other.begin < call.begin < other.end], [])
        self.pids(daemon, "p", 1)

    def test_many_reloads_under_load(self):
        daemon = self.start_locker(3, max_ms=20)
        number = 1
        senders = Senders(daemon, lambda acked: acked < number * 40,
                          lambda: about(f"pi_{time.monotonic_ns() % 50}"))
        self.addCleanup(senders.stop)
        for number in range(2, 12):
            put(self.so, self.version(number))
            self.assertEqual(self.reload(daemon)["result"], "done")
        senders.stop()
        daemon.wait_finished(60)
        self.assertEqual(senders.odd, [])
        self.check_each_done_once(daemon, [
            senders.sent[id] for id in senders.acked])
        self.assertLessEqual(most_at_once(self.locker.lines()), 3)
        self.check_locks()
        self.assertLessEqual({self.code_in(daemon, pid) for pid in {
            line.pid for line in self.locker.lines()}},
            {self.mark(number) for number in range(1, 12)})
        self.pids(daemon, "p", 3)
        self.check_no_others(daemon, 3)

    def test_overrun_of_the_drain_costs_the_event_nothing(self):
        daemon = self.start_locker(server="drain = 300ms")
        gated, = self.gate(daemon)
        put(self.so, self.version(2))
        answer = self.reload(daemon, exits=PARTLY)
        self.assertEqual((answer["result"], answer["killed"]), ("killed", 1))
        self.wait_begun(gated, times=2)
        row = self.delivery(daemon, gated)
        self.assertEqual((row.crashes, counted(row)), (0, 0))
        self.assertEqual(self.plugin(daemon, "p")["state"], "running")
        self.locker.open_gate()
        daemon.wait_finished()
        self.assertEqual(self.became(daemon, gated), [
            (LOST, self.mark(1)), (DONE, self.mark(2))])
        self.assertEqual(daemon.dead(), 0)
        self.assertNotRegex(daemon.log(), r"action=restart_in_\d+_ms")
        self.assertEqual(self.pids(daemon, "p") & self.old, set())
        self.check_locks()

    def test_overrun_is_not_told_of_a_later_reload(self):
        daemon = self.start_locker(server="drain = 1s")
        self.gate(daemon)
        put(self.so, self.version(2))
        self.send_hup(daemon)
        daemon.wait_log('msg="reloaded"')
        put(self.so, b"nothing")
        self.assertEqual(self.hup(daemon), "reload refused")
        daemon.wait_log('msg="runners overran the drain"')
        last = self.status(daemon)["last_reload"]
        self.assertEqual((last["result"], str(self.so) in last["detail"]),
                         ("refused", True))

    def test_signal_during_the_drain_lets_it_go_on(self):
        daemon = self.start_locker()
        gated, = self.gate(daemon)
        put(self.so, self.version(2))
        self.send_hup(daemon)
        daemon.wait_log('msg="reloaded"')
        self.assertEqual(self.hup(daemon), "reloaded")
        self.assertEqual(len(daemon.runners("p")), 2)
        self.locker.open_gate()
        daemon.wait_finished()
        self.assertEqual(self.became(daemon, gated), [(DONE, self.mark(1))])
        self.pids(daemon, "p")

    def test_third_version_during_the_drain_ends_the_first(self):
        daemon = self.start_locker()
        gated, = self.gate(daemon)
        put(self.so, self.version(2))
        self.send_hup(daemon)
        daemon.wait_log('msg="reloaded"')
        put(self.so, self.version(3))
        self.assertEqual(self.hup(daemon), "reloaded")
        wait_for(lambda: not self.old & set(daemon.runners("p")),
                 "the first to be gone")
        self.wait_begun(gated, times=2)
        self.locker.open_gate()
        daemon.wait_finished()
        (first, digest), *_, last = self.became(daemon, gated)
        self.assertEqual((first, digest), (LOST, self.mark(1)))
        self.assertEqual(last[0], DONE)
        self.assertIn(last[1], (self.mark(2), self.mark(3)))
        self.check_each_done_once(daemon, [gated], not_counted=[LOST])
        self.pids(daemon, "p")
        last = event()
        daemon.post(last)
        daemon.wait_finished()
        self.assertEqual(self.became(daemon, last), [(DONE, self.mark(3))])
        self.check_locks()

    def test_stop_during_the_drain(self):
        daemon = self.start_locker()
        gated, = self.gate(daemon)
        put(self.so, self.version(2))
        self.send_hup(daemon)
        daemon.wait_log('msg="reloaded"')
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_log('msg="stopping"')
        self.locker.open_gate()
        self.assertEqual(daemon.process.wait(pegboard.PATIENCE_S), 0)
        self.assertEqual(self.became(daemon, gated), [(DONE, self.mark(1))])

    def test_removed_then_added_again_resumes(self):
        daemon = self.start_locker()
        gated, = self.gate(daemon)
        waits = about("pi_waits")
        daemon.post(waits)
        wait_for(lambda: self.delivery(daemon, waits), "it to be stored")
        with_it = daemon.ini.read_text()
        self.write_ini(daemon)
        self.send_hup(daemon)
        daemon.wait_log('msg="reloaded"')
        missed = event()
        daemon.post(missed)
        self.locker.open_gate()
        wait_for(lambda: not daemon.runners("p"), "it to go")
        self.assertEqual(self.became(daemon, gated), [(DONE, self.mark(1))])
        owed = self.plugin(daemon, "p")
        self.assertEqual((owed["state"], owed["pending"]), ("orphaned", 1))
        daemon.ini.write_text(with_it)
        self.assertEqual(self.hup(daemon), "reloaded")
        daemon.wait_finished()
        self.check_each_done_once(daemon, [gated, waits])
        self.assertEqual(daemon.handlers(missed), [])
        self.check_locks()


class Signals(reloads.TestCase):
    """When they come does not matter."""

    def test_fifty_in_a_second_under_load(self):
        daemon = self.daemon(start=False)
        ledger = Ledger(daemon.folder / "p")
        self.write_ini(daemon, ledger.section("p"))
        daemon.start()
        self.pid(daemon, "p")
        senders = Senders(daemon, lambda acked: acked < 1000)
        self.addCleanup(senders.stop)
        end_s = time.monotonic() + 1
        for number in range(50):
            self.write_ini(daemon, ledger.section(
                "p", f"retry = {number + 1}s..1h", sleep_ms=number % 2))
            self.send_hup(daemon)
            time.sleep(max(0, (end_s - time.monotonic()) / (50 - number)))
        # A third version does not wait for the end of the first.
        self.assertIn(self.api(daemon, "POST", "/reload", {})["result"],
                      ("done", "killed"))
        senders.stop()
        daemon.wait_finished(60)
        self.assertEqual(senders.odd, [])
        self.check_each_done_once(daemon, [
            senders.sent[id] for id in senders.acked], not_counted=[LOST])
        self.assertNotIn("reload refused", self.ends(daemon))
        self.assertEqual(self.plugin(daemon, "p")["limits"][
            "retry_first_seconds"], 50)
        self.pid(daemon, "p")
        self.check_no_others(daemon, 1)

    def test_those_that_come_together_are_one(self):
        daemon = self.serve(section("p", "noop"))
        for _ in range(50):
            self.send_hup(daemon)
        self.reload(daemon)
        # One may have been under way when the last came.
        self.assertLessEqual(len(self.ends(daemon)), 10)

    def gated(self, daemon, name):
        """A plugin that waits in init() until the gate of that name is
        there."""
        return section("p", "init_gate", gate=daemon.folder / name)

    def start_gated(self):
        """A daemon whose reload is in START until `gate` is there."""
        daemon = self.daemon(start=False)
        (daemon.folder / "open").touch()
        self.write_ini(daemon, self.gated(daemon, "open") +
                       section("q", "noop"))
        daemon.start()
        self.old = self.pid(daemon, "p")
        self.gate = daemon.folder / "gate"
        self.write_ini(daemon, self.gated(daemon, "gate") +
                       section("q", "noop"))
        self.send_hup(daemon)
        wait_for((daemon.folder / "gate.waits").exists, "START")
        return daemon

    def test_in_start_nothing_has_changed(self):
        daemon = self.start_gated()
        self.assertTrue(self.status(daemon)["reloading"])
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        self.assertEqual(daemon.handlers(body), ["p", "q"])
        self.assertEqual(self.ends(daemon), [])
        self.gate.touch()
        wait_for(lambda: self.ends(daemon) == ["reloaded"], "the reload")
        self.assertNotEqual(self.pid(daemon, "p"), self.old)

    def test_in_start_they_are_one_more_reload(self):
        daemon = self.start_gated()
        self.write_ini(daemon, self.gated(daemon, "gate") +
                       section("q", "noop") + section("r", "noop"))
        for _ in range(5):
            self.send_hup(daemon)
        self.gate.touch()
        wait_for(lambda: self.ends(daemon) == ["reloaded"] * 2,
                 "two reloads")
        self.pid(daemon, "r")
        self.reload(daemon)  # behind all that was asked for
        self.assertEqual(self.ends(daemon), ["reloaded"] * 3)
        self.check_no_others(daemon, 3)

    def test_stop_in_start(self):
        daemon = self.start_gated()
        asked = self.in_background(daemon)
        self.assertEqual(daemon.stop(), 0)
        asked.process.wait(pegboard.PATIENCE_S)
        self.assertNotEqual(asked.process.returncode, 0)
        daemon.start()
        self.gate.touch()
        self.handled(daemon, "p")

    def test_kill_in_start_starts_what_the_file_says(self):
        daemon = self.start_gated()
        daemon.kill()
        self.gate.touch()
        daemon.start()
        self.handled(daemon, "p")

    def test_init_that_hangs_is_rolled_back(self):
        daemon = self.serve(section("p", "noop"))
        pid = self.pid(daemon, "p")
        self.write_ini(daemon, section("p", "init_hang") +
                       section("q", "noop"))
        answer = self.refuse(daemon, r"init\(\)")
        self.assertGreaterEqual(answer["took_ms"], 1000)
        self.assertEqual(daemon.runners(), [pid])
        self.check_no_others(daemon, 1)
        self.handled(daemon, "p")


class BackOff(reloads.TestCase):
    """A plugin that does not start, and a reload."""

    def start_failing(self, pause="restart_in_1000_ms"):
        daemon = self.daemon(start=False)
        self.until = daemon.folder / "ready"
        self.write_ini(daemon, section("p", "init_fail", until=self.until))
        daemon.start()
        self.body = event()
        daemon.post(self.body)
        daemon.wait_log(f"plugin=p .*action={pause}")
        return daemon

    def test_unchanged_it_is_tried_at_once(self):
        daemon = self.start_failing("restart_in_8000_ms")
        self.until.touch()
        self.assertEqual(self.reload(daemon)["changes"], [])
        wait_for(lambda: daemon.unfinished() == 0, "its event", 7)
        self.assertEqual(self.plugin(daemon, "p")["state"], "running")

    def test_unchanged_and_still_failing_it_refuses_nothing(self):
        daemon = self.start_failing()
        self.write_ini(daemon, section("p", "init_fail", until=self.until) +
                       section("q", "noop"))
        self.assertEqual(self.changes(self.reload(daemon)),
                         {("added", "plugin q")})
        self.handled(daemon, "q")
        self.until.touch()
        self.wait_handled(daemon, self.body, "p")

    def test_good_code_takes_over(self):
        daemon = self.start_failing()
        self.write_ini(daemon, section("p", "tells_pid"))
        self.assertEqual(self.hup(daemon), "reloaded")
        self.assertEqual(self.wait_handled(daemon, self.body, "p"),
                         mark_of(code_of("tells_pid")))
        self.check_no_others(daemon, 1)

    def test_other_bad_code_is_refused(self):
        daemon = self.start_failing()
        self.write_ini(daemon, section("p", "init_crash", DEADLY))
        self.refuse(daemon, "SIGABRT")
        self.until.touch()
        self.write_ini(daemon, section("p", "init_fail", until=self.until))
        self.reload(daemon)
        self.wait_handled(daemon, self.body, "p")


if __name__ == "__main__":
    pegboard.main()
