"""Which deliveries of one plugin may run beside each other, and in which order
they begin: a plugin that locks its objects writes it down."""

import random
import signal

import pegboard
from locker import (Locker, about, begun_too_early, most_at_once, overlaps,
                    overtakers)
from pegboard import FAIL, event, id_of, wait_for

CONCURRENCY = 6
OBJECTS = [f"pi_{n}" for n in range(40)]
HELD = 2  # a delivery behind another of its lane


class Lanes(pegboard.TestCase):

    def prepare(self, order, *keys, concurrency=CONCURRENCY, **options):
        """A daemon that has not started, with one plugin."""
        self.server = self.daemon(start=False)
        self.locker = Locker(self.server.folder / "p")
        self.configure(order, *keys, concurrency=concurrency, **options)
        return self.server

    def configure(self, order, *keys, concurrency=CONCURRENCY, **options):
        self.server.write_ini(self.locker.section(
            "p", f"order = {order}", "retry = 10ms..50ms", *keys,
            concurrency=concurrency, **options))

    def start(self, order, *keys, concurrency=CONCURRENCY, **options):
        self.prepare(order, *keys, concurrency=concurrency, **options).start()
        self.server.wait_runner("p", concurrency)
        return self.server

    def post(self, *bodies):
        for body in bodies:
            self.assertEqual(self.server.post(body).status, 200)

    def wait_begun(self, *bodies):
        wait_for(lambda: set(map(id_of, bodies)) <= set(self.locker.begun()),
                 "the events to begin")

    def wait_done(self, *bodies):
        wait_for(lambda: set(map(id_of, bodies)) <=
                 set(self.locker.ended("done")), "the events to be done")

    def states(self, body):
        return [state for state, in self.server.query(
            "SELECT state FROM delivery JOIN event USING(seq)"
            " WHERE event_id = ?", id_of(body))]

    def violations(self):
        return [(line.what, line.object)
                for line in self.locker.of_kind("V")]


class AtRandom(Lanes):
    """Random handler times and random retries, with all runners at work."""

    EVENTS = 480

    def run_all(self, order, kills=0):
        seed = self.random_seed()
        bodies = [about(seed.choice(OBJECTS)) for _ in range(self.EVENTS)]
        self.start(order, "max_attempts = 1000", max_ms=15, retry_percent=15,
                   delay="15ms")
        self.server.post_all(bodies)
        for kill in range(1, kills + 1):
            goal = self.EVENTS * kill // (kills + 1)
            wait_for(lambda: len(self.locker.ended("done")) >= goal,
                     "some to be handled")
            self.server.kill()
            self.server.start()
        self.server.wait_finished(60)
        self.assertEqual(self.server.dead(), 0)
        self.assertEqual(set(self.locker.ended("done")),
                         set(map(id_of, bodies)))
        lines = self.locker.lines()
        self.assertNotIn("slots", [what for what, _ in self.violations()])
        self.assertEqual(most_at_once(lines) if not kills else CONCURRENCY,
                         CONCURRENCY)
        return lines, self.server.seqs()

    def random_seed(self):
        seed = random.randrange(10**9)
        print(f"seed={seed}", end=" ", flush=True)
        return random.Random(seed)

    def check_object(self, kills=0):
        lines, seqs = self.run_all("object", kills)
        self.assertEqual(self.violations(), [])
        self.assertEqual(overlaps(lines), [])
        self.assertEqual(begun_too_early(lines, seqs), [])
        # Those that waited for their retry did let others pass.
        self.assertNotEqual(overtakers(lines, seqs), [])

    def check_strict(self, kills=0):
        lines, seqs = self.run_all("strict", kills)
        self.assertEqual(self.violations(), [])
        self.assertEqual(overlaps(lines), [])
        self.assertEqual(begun_too_early(lines, seqs), [])
        self.assertEqual(overtakers(lines, seqs), [])

    def test_object_runs_one_of_an_object_at_a_time_as_they_arrived(self):
        self.check_object()

    def test_strict_lets_nothing_of_an_object_overtake(self):
        self.check_strict()

    def test_object_survives_kills_of_the_daemon(self):
        self.check_object(kills=3)

    def test_strict_survives_kills_of_the_daemon(self):
        self.check_strict(kills=3)

    def test_none_lets_two_of_one_object_run_at_once(self):
        lines, _ = self.run_all("none")
        self.assertIn("object", [what for what, _ in self.violations()])
        self.assertNotEqual(overlaps(lines), [])


class OneByOne(Lanes):

    def test_object_lets_later_ones_pass_one_that_waits_for_its_retry(self):
        self.start("object", delay="1h")
        first, *later = (about("pi_1", retries=1), about("pi_1"),
                         about("pi_1"))
        self.post(first, *later)
        self.wait_done(*later)
        self.assertEqual(self.locker.begun(),
                         [id_of(body) for body in (first, *later)])
        wait_for(lambda: self.server.unfinished() == 1, "the verdicts")

    def test_strict_holds_later_ones_until_the_retry_is_done(self):
        self.start("strict", delay="200ms")
        first, *later = (about("pi_1", retries=2), about("pi_1"),
                         about("pi_1"))
        self.post(first, *later)
        self.server.wait_finished()
        self.assertEqual(self.locker.begun(), [
            id_of(body) for body in (first, first, first, *later)])

    def test_strict_goes_on_when_the_head_is_dead(self):
        self.start("strict", delay="10ms")
        first, second, third = (about("pi_1", fail=1), about("pi_1", skip=1),
                                about("pi_1"))
        self.post(first, second, third)
        self.server.wait_finished()
        self.assertEqual(self.locker.begun(),
                         [id_of(body) for body in (first, second, third)])
        self.assertEqual([n for _, n, _ in self.server.attempts(first)],
                         [FAIL])
        self.assertEqual(self.server.dead(), 1)

    def test_retry_that_comes_due_waits_for_the_one_that_runs(self):
        self.start("object", delay="400ms")
        retried, running, last = (about("pi_1", retries=1),
                                  about("pi_1", gate=1), about("pi_1"))
        self.post(retried)
        wait_for(lambda: self.locker.ended("retry"), "the retry")
        # Not in time for sure: then the retry came first, and all is well too.
        self.post(running)
        self.wait_begun(running)
        self.post(last)
        wait_for(lambda: self.states(retried) in ([], [HELD]),
                 "the retry to come due")
        self.assertEqual(self.states(last), [HELD])
        self.locker.open_gate()
        self.server.wait_finished()
        self.assertEqual(self.violations(), [])
        # It is the older one: it goes first.
        self.assertEqual(self.locker.ended("done")[-1], id_of(last))

    def test_events_without_an_object_do_not_wait_for_each_other(self):
        for order in ("object", "strict"):
            with self.subTest(order):
                self.start(order, delay="1h")
                waits = about(None, retries=1)
                gated = [about(None, gate=1) for _ in range(CONCURRENCY)]
                self.post(waits)
                wait_for(lambda: self.locker.ended("retry"), "the retry")
                self.post(*gated)
                self.wait_begun(*gated)
                self.locker.open_gate()
                self.wait_done(*gated)
                self.assertEqual(self.locker.begun().count(id_of(waits)), 1)

    def test_lanes_of_two_plugins_know_nothing_of_each_other(self):
        server = self.daemon(start=False)
        slow, quick = (Locker(server.folder / name) for name in "ab")
        server.write_ini(slow.section("a", "order = strict") +
                         quick.section("b", "order = strict", obey=""))
        server.start()
        bodies = [about("pi_1", gate=1) for _ in range(10)]
        server.post_all(bodies)
        wait_for(lambda: len(quick.ended("done")) == 10, "the other plugin")
        self.assertEqual(slow.ended(), [])
        slow.open_gate()
        server.wait_finished()


class OtherOrder(Lanes):
    """The order is another after a restart, with a backlog."""

    EVENTS = 200

    def restart_with(self, before, after):
        """Returns the lines since the restart; and the numbers of events."""
        self.prepare(before)
        self.server.start()
        bodies = [about(OBJECTS[n % 10], gate=1) for n in range(self.EVENTS)]
        self.server.post_all(bodies)
        self.wait_begun(bodies[0])
        self.server.kill()
        mark = len(self.locker.lines())
        self.configure(after, max_ms=10)
        self.locker.open_gate()
        self.server.start()
        self.server.wait_finished(60)
        self.assertEqual(set(self.locker.ended("done")),
                         set(map(id_of, bodies)))
        return self.locker.lines()[mark:], self.server.seqs()

    def test_from_none_to_object(self):
        lines, seqs = self.restart_with("none", "object")
        self.assertEqual(begun_too_early(lines, seqs), [])
        self.assertEqual(overlaps(lines), [])
        self.assertNotIn("V", [line.kind for line in lines])

    def test_from_none_to_strict(self):
        lines, seqs = self.restart_with("none", "strict")
        self.assertEqual(overtakers(lines, seqs), [])
        self.assertNotIn("V", [line.kind for line in lines])

    def test_from_strict_to_object(self):
        lines, seqs = self.restart_with("strict", "object")
        self.assertEqual(begun_too_early(lines, seqs), [])
        self.assertNotIn("V", [line.kind for line in lines])

    def test_from_strict_to_none(self):
        lines, _ = self.restart_with("strict", "none")
        self.assertNotEqual(overlaps(lines), [])

    def reload_with(self, before, after):
        """The order is another after a reload, with some claimed already.
        Returns the lines of those."""
        self.start(before, concurrency=2, max_ms=50)
        busy = [about(f"pi_busy{n}", gate=1) for n in range(2)]
        self.post(*busy)
        self.wait_begun(*busy)
        bodies = [about("pi_1") for _ in range(20)]
        self.post(*bodies)
        ids = set(map(id_of, bodies))
        wait_for(lambda: self.server.query(
            "SELECT count(*) FROM delivery WHERE state = 1") > [(2,)],
            "some of them to be claimed")
        self.configure(after, concurrency=2, max_ms=50)
        self.server.process.send_signal(signal.SIGHUP)
        self.server.wait_log('msg="reloaded"')
        self.locker.open_gate()
        self.server.wait_finished()
        return [line for line in self.locker.lines() if line.id in ids]

    def test_from_none_to_object_by_a_reload(self):
        lines = self.reload_with("none", "object")
        self.assertEqual(overlaps(lines), [])
        self.assertEqual(begun_too_early(lines, self.server.seqs()), [])

    def test_from_none_to_strict_by_a_reload(self):
        lines = self.reload_with("none", "strict")
        self.assertEqual(overtakers(lines, self.server.seqs()), [])

    def test_from_object_to_strict_what_waits_for_its_retry_leads_again(self):
        self.start("object", delay="1500ms")
        waits, later = about("pi_1", retries=1), about("pi_1", gate=1)
        self.post(waits, later)
        self.wait_begun(waits, later)
        self.server.kill()
        mark = len(self.locker.lines())
        self.configure("strict")
        self.locker.open_gate()
        self.server.start()
        self.server.wait_finished()
        self.assertEqual([line.id for line in self.locker.lines()[mark:]
                          if line.kind == "B"],
                         [id_of(waits), id_of(later)])


class LongLane(Lanes):

    LENGTH = 1000
    OTHERS = 60

    def test_others_are_not_stuck_behind_a_long_lane(self):
        self.start("object", concurrency=2, max_ms=2)
        long = [about("pi_long", gate=int(n == 0) or "")
                for n in range(self.LENGTH)]
        self.post(long[0])
        self.wait_begun(long[0])
        self.server.post_all(long[1:])
        first = [event() for _ in range(self.OTHERS)]
        self.server.post_all(first)
        self.wait_done(*first)  # while the lane stands still
        self.assertEqual(len(self.locker.ended()), self.OTHERS)

        self.locker.open_gate()
        then = [event() for _ in range(self.OTHERS)]
        self.server.post_all(then)
        self.wait_done(*then)  # while the lane moves
        self.assertLess(len(self.locker.ended()),
                        2 * self.OTHERS + self.LENGTH // 2)
        self.server.wait_finished(60)
        self.assertEqual(begun_too_early(self.locker.lines(),
                                         self.server.seqs()), [])
        self.assertEqual(self.violations(), [])
        self.assertEqual(len(self.locker.ended("done")),
                         2 * self.OTHERS + self.LENGTH)


if __name__ == "__main__":
    pegboard.main()
