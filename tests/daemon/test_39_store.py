"""The small store of a plugin: what an attempt writes counts exactly when the
attempt ends as done, whatever dies meanwhile."""

import contextlib
import os
import random
import re
import signal
import sqlite3
import time

import faults
import pegboard
from faults import counted
from pegboard import (CRASH, DEADLY, DONE, FAIL, RETRY, SKIP, TIMEOUT,
                      event, section, wait_for)

KEY = "pi_counter"
PLUGIN_MAX = 64 << 20  # bytes that a plugin may keep


def tick(key=KEY, **metadata):
    """An event that adds one to a counter."""
    return event(obj={"id": key, "object": "payment_intent",
                      "metadata": metadata})


class TestCase(faults.TestCase):

    def count(self, daemon, key=KEY):
        rows = daemon.query("SELECT value FROM kv WHERE key = ?",
                            f"count:{key}".encode())
        return int(rows[0][0]) if rows else 0

    def done(self, daemon):
        return daemon.query("SELECT count(*) FROM attempt WHERE outcome = 0")[
            0][0]


class Counter(TestCase):

    def serve(self, *keys, **options):
        return self.daemon(section(
            "p", "store", "concurrency = 4", "order = none",
            "retry = 10ms..50ms", DEADLY, *keys, **options))

    def test_four_at_once_on_one_key(self):
        daemon = self.serve()
        bodies = [tick() for _ in range(400)]
        self.post_all(daemon, bodies)
        daemon.wait_finished()
        self.assertEqual(self.count(daemon), 400)
        # Those that came too late ran again, and that did not count.
        again = [a for a in self.attempts(daemon) if a.outcome == RETRY]
        self.assertGreater(len(again), 0)
        for attempt in again:
            self.assertIn("another attempt changed", attempt.note)
        self.check_each_done_once(daemon, bodies, not_counted={RETRY})
        self.assertEqual(daemon.dead(), 0)

    def test_max_attempts_is_not_used_up_by_others_being_faster(self):
        daemon = self.serve("max_attempts = 1", sleep_ms=2)
        self.post_all(daemon, [tick() for _ in range(100)])

        def owed():
            rows = self.deliveries(daemon)
            self.assertEqual([row for row in rows if counted(row) > 0], [])
            return rows

        wait_for(lambda: not owed(), "all to be done")
        self.assertEqual(self.count(daemon), 100)

    def kill_runner(self, daemon):
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(self.random.choice(daemon.runners()), signal.SIGKILL)

    def kill_daemon(self, daemon):
        daemon.kill()
        daemon.start()

    def kill_at_random(self, daemons, runners):
        seed = int(os.environ.get("PEGBOARD_SEED", time.time_ns() % 10**9))
        print(f"PEGBOARD_SEED={seed}", end=" ", flush=True)
        self.random = random.Random(seed)
        daemon = self.serve(sleep_ms=2)
        bodies = [tick() for _ in range(400)]
        kills = ([self.kill_daemon] * daemons + [self.kill_runner] * runners)
        self.random.shuffle(kills)
        self.post_all(daemon, bodies)
        for kill in kills:
            goal = self.done(daemon) + self.random.randint(1, 20)
            wait_for(lambda: self.done(daemon) >= goal or
                     daemon.unfinished() == 0, "progress")
            # Not only when one has just been done.
            time.sleep(self.random.random() / 50)
            kill(daemon)
        daemon.wait_finished()
        # One that was hit three times by our kills may be dead: not counted.
        self.assertEqual(self.done(daemon) + daemon.dead(), 400)
        self.assertEqual(self.count(daemon), self.done(daemon))
        self.assertLess(daemon.dead(), 3)
        print(f"{len(self.attempts(daemon))} attempts;", end=" ", flush=True)

    def test_kill_9_of_the_daemon(self):
        self.kill_at_random(daemons=12, runners=0)

    def test_kill_9_of_runners(self):
        self.kill_at_random(daemons=0, runners=12)

    def test_kill_9_of_both(self):
        self.kill_at_random(daemons=6, runners=6)


class Verdicts(TestCase):

    def serve(self):
        daemon = self.daemon(start=False)
        self.seen_path = daemon.folder / "seen"
        daemon.write_ini(section("p", "store", "retry = 10ms..10ms", DEADLY,
                                 "timeout = 300ms", file=self.seen_path))
        return daemon.start()

    def seen(self, key):
        """The count that each attempt found."""
        return [int(line.split()[3]) for line in
                self.seen_path.read_text().splitlines()
                if line.split()[1] == key]

    def check(self, daemon, op, outcomes, count):
        """An event ends so; before it and after it one that is done."""
        key = f"pi_{op}"
        bodies = [tick(key), tick(key, op=op, times="1"), tick(key)]
        self.post_all(daemon, bodies, senders=1)
        wait_for(lambda: daemon.unfinished() == 0, "all to end")
        self.assertEqual([a.outcome for a in self.attempts(
            daemon, bodies[1])], outcomes)
        self.assertEqual(self.count(daemon, key), count)
        self.assertEqual(max(self.seen(key)), count - 1)

    def test_writes_are_thrown_away_with_any_other_verdict(self):
        daemon = self.serve()
        for op, outcomes, count in (("retry", [RETRY, DONE], 3),
                                    ("crash", [CRASH, DONE], 3),
                                    ("hang", [TIMEOUT, DONE], 3),
                                    ("skip", [SKIP], 2),
                                    ("fail", [FAIL], 2)):
            with self.subTest(op=op):
                self.check(daemon, op, outcomes, count)

    def test_it_survives_restarts(self):
        daemon = self.serve()
        for count, end in enumerate((daemon.stop, daemon.kill, daemon.stop)):
            self.post_all(daemon, [tick()])
            daemon.wait_finished()
            self.assertEqual(self.seen(KEY), list(range(count + 1)))
            end()
            daemon.start()
        self.assertEqual(self.count(daemon), 3)

    def test_each_plugin_has_its_own(self):
        daemon = self.daemon(section("a", "store") + section("b", "store"))
        self.post_all(daemon, [tick(), tick()])
        daemon.wait_finished()
        self.assertEqual(daemon.query(
            "SELECT name, CAST(value AS TEXT) FROM kv JOIN plugin"
            " ON plugin.id = kv.plugin ORDER BY name"),
            [("a", "2"), ("b", "2")])


class Bounds(TestCase):

    def do(self, daemon, *ops):
        """The statuses of these operations, in one event."""
        body = event(obj={"id": "pi_1", "object": "payment_intent",
                          "ops": list(ops)})
        self.post_all(daemon, [body])
        daemon.wait_finished()
        return re.findall(rf'plugin=p event={pegboard.id_of(body)} '
                          r'text="(\d)', daemon.log())

    def test_of_keys_and_values(self):
        daemon = self.daemon(section("p", "keys"))
        ok, out_of_range = "0", "4"
        largest, longest = 64 << 10, "k" * 255
        self.assertEqual(self.do(
            daemon, ["fill", "a", largest], ["fill", "b", largest + 1],
            ["put", longest, "v"], ["put", longest + "k", "v"]),
            [ok, out_of_range, ok, out_of_range])
        self.assertEqual(self.do(
            daemon, *[["put", f"k{n}", "v"] for n in range(65)]),
            [ok] * 64 + [out_of_range])
        kept = {bytes(key): len(value) for key, value in daemon.query(
            "SELECT key, value FROM kv")}
        self.assertEqual(kept[b"a"], largest)
        self.assertEqual(kept[longest.encode()], 1)
        self.assertEqual(len(kept), 66)

    def test_of_a_plugin_in_all(self):
        daemon = self.daemon(section("p", "store"))
        self.post_all(daemon, [tick()])
        daemon.wait_finished()
        daemon.stop()
        # As if there were so much: only these bytes are left.
        with contextlib.closing(sqlite3.connect(
                daemon.state / "inbox.db")) as db:
            db.execute("UPDATE plugin SET kv_bytes = ?",
                       (PLUGIN_MAX - len("count:pi_2") - len("1"),))
            db.commit()
        daemon.start()
        fits, does_not = tick("pi_2"), tick("pi_3")
        self.post_all(daemon, [fits])
        daemon.wait_finished()
        self.post_all(daemon, [does_not])
        wait_for(lambda: self.attempts(daemon, does_not), "an attempt")
        end_s = time.monotonic() + 1
        wait_for(lambda: time.monotonic() > end_s, "some time")
        attempts = self.attempts(daemon, does_not)
        self.assertLess(len(attempts), 10, "in a hurry")
        self.assertIn("store is full", attempts[0].note)
        self.assertEqual(self.count(daemon, "pi_3"), 0)
        self.assertEqual(daemon.dead(), 0)

    def test_of_a_plugin_in_all_is_an_end_too(self):
        daemon = self.daemon(section("p", "store"))
        self.post_all(daemon, [tick()])
        daemon.wait_finished()
        daemon.stop()
        with contextlib.closing(sqlite3.connect(
                daemon.state / "inbox.db")) as db:
            db.execute("UPDATE plugin SET kv_bytes = ?", (PLUGIN_MAX,))
            db.commit()
        daemon.write_ini(section("p", "store", "retry = 10ms..10ms",
                                 "max_attempts = 3"))
        daemon.start()
        body = tick("pi_2")
        self.post_all(daemon, [body])
        daemon.wait_finished()
        self.assertEqual(daemon.dead(), 1)
        self.assertEqual(len(self.attempts(daemon, body)), 3)


if __name__ == "__main__":
    pegboard.main()
