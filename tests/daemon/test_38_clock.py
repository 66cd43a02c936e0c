"""The wall clock is set by a day, either way: nothing is lost, nothing is tried
before its time, nothing a day late."""

import collections
import struct
import time

import faults
import pegboard
from faults import LEASED, WAITING
from pegboard import Ledger, event, id_of, wait_for

DAY_MS = 24 * 3600 * 1000
WAIT_S = (1.5, 2.5)  # what `retry = 2s..4s` makes of the first delay
SLACK_S = 1.5  # for a busy machine
COUNT = 50


class Clock(faults.TestCase):

    def setUp(self):
        self.serve()

    def serve(self, state_dir=None, retry="2s..4s", **options):
        self.server = self.daemon(start=False, state_dir=state_dir)
        self.ledger = Ledger(self.server.folder / "ledger")
        self.offset = self.server.folder / "clock"
        self.offset.write_bytes(struct.pack("=q", 0))
        self.offset_ms = 0
        self.server.env.update(
            LD_PRELOAD=str(pegboard.FAULTS / "clockshim.so"),
            PEGBOARD_CLOCK=str(self.offset),
            ASAN_OPTIONS="verify_asan_link_order=0")
        self.server.write_ini(pegboard.section(
            "p", "tries", f"retry = {retry}", "max_age = 1h", "order = none",
            file=self.ledger.path, **options))
        self.server.start()

    def jump(self, ms):
        """Set the clock, in place: the file is mapped."""
        self.offset_ms += ms
        with open(self.offset, "r+b") as file:
            file.write(struct.pack("=q", self.offset_ms))

    def post(self, bodies):
        """Signed by the daemon's clock."""
        at = int(time.time()) + self.offset_ms // 1000
        self.post_all(self.server, bodies, at=at)

    def post_some(self):
        """Events that have failed once, and wait."""
        bodies = [event() for _ in range(COUNT)]
        self.post(bodies)
        wait_for(lambda: [row.state for row in self.deliveries(
            self.server)] == [WAITING] * COUNT, "all to wait for a retry")
        return bodies

    def tries(self):
        tries = collections.defaultdict(list)
        for run in self.ledger.runs():
            tries[run.id].append(run)
        return tries

    def check_waits(self, bodies):
        """Each was tried twice, and between the two it waited its time."""
        self.server.wait_finished(15)
        self.assertEqual(self.server.dead(), 0)
        tries = self.tries()
        waits_s = []
        for body in bodies:
            first, second = tries[id_of(body)]
            waits_s.append((second.begin_us - first.end_us) / 1e6)
        self.assertGreaterEqual(min(waits_s), WAIT_S[0])
        self.assertLess(max(waits_s), WAIT_S[1] + SLACK_S)

    def check_fresh(self):
        """A new event is tried at once."""
        body = event()
        begun_us = time.monotonic() * 1e6
        self.post([body])
        run = wait_for(lambda: self.tries()[id_of(body)], "a fresh event")[0]
        self.assertLess(run.begin_us - begun_us, 1e6)
        return body

    def set_while_running(self, ms):
        bodies = self.post_some()
        self.jump(ms)
        fresh = self.check_fresh()
        self.server.wait_log('"the clock was set" by_ms=-?8(639|640)')
        self.check_waits([*bodies, fresh])

    # -- while it runs -----------------------------------------------------

    def test_without_a_jump_each_waits_its_time(self):
        self.check_waits(self.post_some())

    def test_a_day_forward(self):
        self.set_while_running(DAY_MS)

    def test_a_day_back(self):
        self.set_while_running(-DAY_MS)

    def test_while_nothing_arrives(self):
        for ms in DAY_MS, -DAY_MS:
            with self.subTest(ms=ms):
                bodies = self.post_some()
                self.jump(ms)
                self.check_waits(bodies)

    def test_forward_and_back_again(self):
        bodies = self.post_some()
        for ms in DAY_MS, -DAY_MS, -DAY_MS, DAY_MS:
            self.jump(ms)
            bodies.append(self.check_fresh())
        self.check_waits(bodies)

    def test_nothing_ages_by_it(self):
        for ms in DAY_MS, -DAY_MS:
            with self.subTest(ms=ms):
                self.server.stop()
                self.serve(retry="1s..1s", times=2)
                body = event()
                self.post([body])
                wait_for(lambda: self.tries()[id_of(body)], "the first try")
                self.jump(ms)
                self.server.wait_finished(15)
                self.assertEqual(self.server.dead(), 0)
                self.assertEqual(len(self.tries()[id_of(body)]), 3)

    # -- while it is down --------------------------------------------------

    def set_while_down(self, ms, end):
        bodies = self.post_some()
        end()
        self.jump(ms)
        self.server.start()
        self.server.wait_log('"the clock was set" by_ms=')
        fresh = self.check_fresh()
        self.check_waits([*bodies, fresh])

    def test_a_day_forward_while_it_is_down(self):
        self.set_while_down(DAY_MS, self.server.kill)

    def test_a_day_back_while_it_is_down(self):
        self.set_while_down(-DAY_MS, self.server.stop)

    # -- while the store fails ---------------------------------------------

    def set_while_a_result_waits(self, ms):
        """The first attempt ends when nothing can be written."""
        disk = self.small_disk(8 << 20)
        self.server.stop()
        self.serve(disk / "state", sleep_ms=500)
        body = event()
        self.post([body])
        wait_for(lambda: [row.state for row in self.deliveries(self.server)]
                 == [LEASED], "the attempt to begin")
        filler = self.fill(disk, 0)
        self.server.wait_log('"commit failed" rc=full')
        self.jump(ms)
        filler.unlink()
        self.check_waits([body])

    def test_a_day_forward_while_a_result_waits(self):
        self.set_while_a_result_waits(DAY_MS)

    def test_a_day_back_while_a_result_waits(self):
        self.set_while_a_result_waits(-DAY_MS)


if __name__ == "__main__":
    pegboard.main()
