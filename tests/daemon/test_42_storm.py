"""Everything at once: load, retries, lanes, crashes, restarts, and kill -9 of
the daemon and of runners. What was promised holds in the end.

PEGBOARD_STORM_S says for how many seconds; PEGBOARD_SEED repeats a run's
decisions, though not its moments."""

import collections
import contextlib
import os
import random
import signal
import threading
import time

import pegboard
from locker import (FINAL, Locker, about, begun_too_early, calls_of, overlaps,
                    overtakers)
from pegboard import (CRASH, DEADLY, DONE, FAIL, LOST, SKIP, id_of,
                      wait_for)
from senders import Senders

STORM_S = float(os.environ.get("PEGBOARD_STORM_S", 20))
AHEAD = 300  # events that may be acknowledged and not handled yet
OBJECTS = 60
CRASHES_MAX = 3  # of one event, that make it a dead letter

# Their runners are killed. Those of "exact" die with the daemon only, and it
# may try an event three times: twice it asks for that itself, so that a single
# attempt counted for a kill would be seen as a dead letter.
KILLED = ("lanes", "crashy")

# What an event may tell a plugin to do, and how many of 1,000 do.
ORDERS = (({"retries": 2}, 80), ({"skip": 1}, 30), ({"fail": 1}, 10),
          ({"crashes": 1}, 6), ({"crashes": -1}, 2))


class Storm(pegboard.TestCase):

    def setUp(self):
        seed = int(os.environ.get("PEGBOARD_SEED", time.time_ns() % 10**9))
        print(f"PEGBOARD_SEED={seed}", flush=True)
        self.random = random.Random(seed)
        self.server = self.daemon(start=False)
        self.lockers = {name: Locker(self.server.folder / name)
                        for name in ("lanes", "exact", "crashy")}
        keys = "retry = 10ms..100ms", DEADLY
        self.server.write_ini(
            self.lockers["lanes"].section(
                "lanes", "order = object", "max_attempts = 1000", *keys,
                concurrency=3, max_ms=4, delay="30ms", retry_percent=10,
                obey="") +
            self.lockers["exact"].section(
                "exact", "order = strict", "max_attempts = 3", *keys,
                concurrency=3, max_ms=4, delay="30ms",
                obey="retries, skip, fail") +
            self.lockers["crashy"].section(
                "crashy", "order = none", "max_attempts = 1000", *keys,
                concurrency=2, max_ms=4, obey="crashes"))
        self.server.start()
        self.orders = {}  # what each event tells the plugins
        self.leased = []  # (event, plugin) pairs in work at kills of the daemon
        self.killed = []  # pids of runners
        self.stops = 0

    # -- load --------------------------------------------------------------

    def make(self):
        """Called by many threads: chance need not be repeatable here."""
        dice, orders = random.randrange(1000), {}
        for orders, share in ORDERS:
            dice -= share
            if dice < 0:
                break
        else:
            orders = {}
        number = random.randrange(OBJECTS * 4 // 3)
        body = about(f"pi_{number}" if number < OBJECTS else None, **orders)
        self.orders[id_of(body)] = orders
        return body

    def handled(self):
        """By the slowest plugin."""
        return min(len(set(locker.ended(*FINAL)))
                   for locker in self.lockers.values())

    def may_send(self, acked):
        return acked < self.progress + AHEAD

    def watch_progress(self):
        """Reading the ledgers is work: one thread does it for all senders."""
        self.progress, ended = 0, threading.Event()

        def watch():
            while not ended.wait(0.05):
                self.progress = self.handled()

        thread = threading.Thread(target=watch)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(ended.set)

    # -- chaos -------------------------------------------------------------

    def kill_daemon(self):
        self.server.kill()
        self.leased += self.server.query(
            "SELECT event_id, name FROM delivery JOIN event USING(seq)"
            " JOIN plugin ON plugin.id = plugin WHERE state = 1")
        self.kills += 1
        self.server.start()

    def stop_daemon(self):
        self.assertEqual(self.server.stop(), 0)
        self.stops += 1
        self.server.start()

    def kill_runner(self):
        runners = self.server.runners(self.random.choice(KILLED))
        if runners:
            pid = self.random.choice(runners)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.killed.append(pid)

    def rage(self):
        self.kills = 0
        ended = threading.Event()  # nobody sets it
        deadline = time.monotonic() + STORM_S
        while time.monotonic() < deadline:
            ended.wait(self.random.uniform(0.05, 1.2))
            act, = self.random.choices(
                (self.kill_daemon, self.kill_runner, self.stop_daemon),
                (6, 12, 1))
            act()

    def settle(self):
        """Stop the chaos. Poison alone would be held against the plugin: its
        crashes are told apart from those by events that are well."""
        self.senders.stop()
        last = max(self.server.seqs().values())

        def is_over():
            if self.server.query("SELECT 1 FROM delivery WHERE state <> 3"
                                 " AND seq <= ? LIMIT 1", last):
                body = about(None)
                self.assertEqual(self.server.post(body).status, 200)
                with self.senders.lock:
                    self.senders.sent[id_of(body)] = body
                    self.senders.acked.add(id_of(body))
                    self.orders[id_of(body)] = {}
                return False
            return True

        wait_for(is_over, "the storm's deliveries to end", 60 + STORM_S)
        self.server.wait_finished()

    # -- judgement ---------------------------------------------------------

    def check_inbox(self):
        stored = self.server.query(
            "SELECT event_id, data FROM event JOIN body USING(seq)")
        counts = collections.Counter(id for id, _ in stored)
        self.assertEqual(self.senders.odd, [])
        self.assertEqual(self.senders.acked - counts.keys(), set(), "lost")
        self.assertEqual({id for id in counts if counts[id] > 1}, set())
        for id, data in stored:
            self.assertEqual(data, self.senders.sent[id])
        self.assertEqual(self.server.query("PRAGMA integrity_check"),
                         [("ok",)])
        self.assertEqual(self.server.query(
            "SELECT seq, plugin, count(*), max(n) FROM attempt"
            " GROUP BY seq, plugin HAVING count(*) <> max(n)"), [])

    def last_outcomes(self, plugin):
        """How the last attempt of each event ended."""
        return dict(self.server.query(
            "SELECT event_id, outcome FROM attempt a JOIN event USING(seq)"
            " JOIN plugin p ON p.id = a.plugin WHERE name = ? AND n = (SELECT"
            " max(n) FROM attempt b WHERE b.seq = a.seq AND"
            " b.plugin = a.plugin)", plugin))

    def check_ends(self, plugin, dead, ends):
        """Every acknowledged event is done, skipped or dead."""
        self.assertEqual(self.senders.acked - ends.keys(), set())
        self.assertEqual({id: end for id, end in ends.items()
                          if end not in (DONE, SKIP) and id not in dead}, {})
        self.assertEqual([id for id in dead if ends[id] in (DONE, SKIP)], [])
        handled = set(self.lockers[plugin].ended(*FINAL))
        self.assertEqual({id for id in ends if id not in dead} - handled,
                         set(), "closed and never handled")
        self.assertEqual(handled - self.senders.sent.keys(), set(),
                         "handled and never sent")

    def dead_of(self, plugin):
        """Dead letters, each with the number of its crashes."""
        dead = dict(self.server.query(
            "SELECT event_id, crashes FROM delivery d JOIN event USING(seq)"
            " JOIN plugin p ON p.id = d.plugin WHERE name = ? AND state = 3",
            plugin))
        self.assertEqual(self.server.query(
            "SELECT seq FROM delivery d JOIN attempt a USING(seq, plugin)"
            " JOIN plugin p ON p.id = plugin WHERE name = ? AND state = 3"
            " AND a.outcome = ? GROUP BY seq, spared HAVING count(*) > spared",
            plugin, LOST), [], "a lost attempt counted")
        return dead

    def check_dead(self, plugin, dead, ends):
        """Nothing dies of a kill of the daemon, nor of one of its runner."""
        orders = {id: self.orders[id] for id in dead}
        if plugin == "exact":
            self.assertEqual({id: ends[id] for id in dead},
                             dict.fromkeys(dead, FAIL))
            self.assertEqual({id for id in orders
                              if "fail" not in orders[id]}, set())
        else:
            self.assertEqual({id: crashes for id, crashes in dead.items()
                              if crashes < CRASHES_MAX}, {})
        if plugin == "crashy":
            poison = {id for id in self.senders.acked
                      if self.orders[id].get("crashes") == -1}
            self.assertEqual(poison - dead.keys(), set())

    def died_unheard(self, plugin, lines):
        """Events whose runner was killed before their first line: that was an
        attempt, and while they waited for the next, others could pass."""
        first = {line.id: line.attempt for line in reversed(lines)
                 if line.kind == "B"}
        died = {id for id, n in self.server.query(
            "SELECT event_id, n FROM attempt a JOIN event USING(seq)"
            " JOIN plugin p ON p.id = a.plugin WHERE name = ? AND outcome = ?",
            plugin, CRASH) if id in first and n < first[id]}
        self.assertLessEqual(len(died), len(self.killed))
        return died

    def check_order(self, plugin, dead):
        lines, seqs = self.lockers[plugin].lines(), self.server.seqs()
        met = {line.what for line in lines if line.kind == "V"}
        if plugin == "crashy":
            self.assertNotIn("slots", met)
            return
        self.assertEqual(met, set())
        self.assertEqual(overlaps(lines), [])
        self.assertEqual(begun_too_early(
            lines, seqs, self.died_unheard(plugin, lines)), [])
        if plugin == "exact":
            self.assertEqual(overtakers(lines, seqs, dead), [])

    def excuses(self, plugin):
        """How often the handling of an event may be repeated: once for each
        kill that fell between its beginning and the commit of its end."""
        excuses = collections.Counter(
            id for id, name in self.leased if name == plugin)
        lines = self.lockers[plugin].lines()
        last = {line.pid: line for line in lines}
        excuses.update(last[pid].id for pid in self.killed if pid in last)
        return excuses

    def check_repeats(self, plugin):
        lines = self.lockers[plugin].lines()
        counts = collections.Counter(
            line.id for line in lines if line.kind == "E" and
            line.what in FINAL)
        excuses = self.excuses(plugin)
        self.assertEqual({id: count for id, count in counts.items()
                          if count > 1 + excuses[id]}, {}, "repeated")
        repeats = sum(counts.values()) - len(counts)
        print(f"  {plugin}: {len(counts)} handled in {len(calls_of(lines))} "
              f"calls, {repeats} repeats of {sum(excuses.values())} "
              f"that kills excuse", flush=True)

    def test_of_all_that_can_happen(self):
        self.watch_progress()
        self.senders = Senders(self.server, self.may_send, self.make)
        self.addCleanup(self.senders.stop)
        self.rage()
        self.settle()
        print(f"  {len(self.senders.acked)} acknowledged in {STORM_S:.0f} s, "
              f"{self.kills} kills and {self.stops} stops of the daemon, "
              f"{len(self.killed)} kills of runners, "
              f"{self.server.dead()} dead letters", flush=True)
        self.check_inbox()
        for plugin in self.lockers:
            with self.subTest(plugin=plugin):
                dead = self.dead_of(plugin)
                ends = self.last_outcomes(plugin)
                self.check_ends(plugin, dead, ends)
                self.check_dead(plugin, dead, ends)
                self.check_order(plugin, dead)
                self.check_repeats(plugin)


if __name__ == "__main__":
    pegboard.main()
