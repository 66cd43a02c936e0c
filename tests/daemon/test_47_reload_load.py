"""Reloads of every kind, good and bad, by signal and by command, while events
come in by the hundred: nobody but the plugin that changed notices.

PEGBOARD_RELOADS says how many; PEGBOARD_SEED repeats their order."""

import collections
import os
import pathlib
import random
import re
import threading
import time
import unittest

import pegboard
import reloads
from locker import (Locker, about, begun_too_early, crowds, most_at_once,
                    overlaps, overtakers)
from mixed import Mixed
from pegboard import (BUILD, DEADLY, DONE, LOST, event, id_of, section, sign,
                      wait_for)
from reloads import put, version_of, with_file
from senders import Senders

RELOADS = int(os.environ.get("PEGBOARD_RELOADS", 100))
RATE = 500  # events a second, if the machine can
OBJECTS = 60
DUPLICATES = 0.1  # of all posts


class TestCase(reloads.TestCase):

    def setUp(self):
        seed = int(os.environ.get("PEGBOARD_SEED", time.time_ns() % 10**9))
        print(f"PEGBOARD_SEED={seed}", end=" ", flush=True)
        self.random = random.Random(seed)


class Load(TestCase):

    def make(self):
        """An event; now and then one that was acknowledged before. Called by
        many threads: chance need not be repeatable here."""
        if self.senders and random.random() < DUPLICATES:
            body = random.choice(self.bodies[-1000:])
            if id_of(body) in self.senders.acked:
                self.repeats.append(body)
                return body
        number = random.randrange(OBJECTS * 4 // 3)
        body = about(f"pi_{number}" if number < OBJECTS else None)
        self.bodies.append(body)
        return body

    def start_senders(self):
        begun_s = time.monotonic()
        self.bodies, self.repeats, self.senders = [], [], None
        self.senders = Senders(
            self.mixed.server, lambda acked: acked <
            RATE * (time.monotonic() - begun_s), self.make, count=6)
        self.addCleanup(self.senders.stop)

    def check_stored(self):
        """Each once, as it was sent; and every repeat was seen to be one."""
        server = self.mixed.server
        stored = server.query(
            "SELECT event_id, data FROM event JOIN body USING(seq)")
        self.assertEqual(len(stored), len({id for id, _ in stored}))
        self.assertEqual({id for id, _ in stored}, self.senders.acked)
        self.assertEqual([id for id, data in stored
                          if data != self.senders.sent[id]], [])
        self.assertEqual(server.query("SELECT count(*) FROM receipt"),
                         [(len(self.repeats),)])

    def check_done(self):
        """By everybody who had subscribed when it was accepted, and by nobody
        else. A third version does not wait for the end of the first."""
        server = self.mixed.server
        bodies = [self.senders.sent[id] for id in self.senders.acked]
        for plugin in "kept", "rolled":
            self.check_each_done_once(server, bodies, plugin, [LOST])
        by_guest = [attempt.id for attempt in
                    self.attempts(server, plugin="guest")
                    if attempt.outcome == DONE]
        self.assertEqual(len(by_guest), len(set(by_guest)))
        known = {id: self.mixed.had_guest(*times)
                 for id, times in self.senders.times.items()}
        self.assertEqual({id for id in known if known[id]} - set(by_guest),
                         set(), "the guest was there")
        self.assertEqual({id for id in known if known[id] is False} &
                         set(by_guest), set(), "it was not there")
        self.assertEqual(self.deliveries(server), [])

    def check_order(self):
        seqs = self.mixed.server.seqs()
        kept, rolled = (locker.lines() for locker in
                        (self.mixed.kept, self.mixed.rolled))
        for lines in kept, rolled:
            self.assertEqual([line for line in lines if line.kind == "V"], [])
            self.assertEqual(overlaps(lines), [])
        self.assertLessEqual(most_at_once(kept), Mixed.KEPT)
        self.assertEqual(crowds(rolled), [])
        self.assertEqual(begun_too_early(kept, seqs), [])
        self.assertEqual(overtakers(rolled, seqs), [])

    def test_nobody_notices(self):
        self.mixed = Mixed(self)
        begun_s = time.monotonic()
        self.start_senders()
        for _ in range(RELOADS):
            self.mixed.step()
        self.mixed.settle()
        self.senders.stop()
        took_s = time.monotonic() - begun_s
        self.mixed.server.wait_finished(120)
        print(f"{RELOADS} reloads, {len(self.senders.acked) / took_s:.0f} "
              "events a second", end=" ", flush=True)
        self.assertEqual(self.senders.failed, [])
        self.check_stored()
        self.check_done()
        self.check_order()
        self.mixed.check_kept()


class Steady(TestCase):
    """Nothing piles up."""

    WARM = 60
    RSS_KB = 2 * 1024  # that may come and go

    def measure(self, mixed):
        """All that is the same each time, and the memory in use."""
        mixed.settle()
        server = mixed.server
        self.assertEqual(server.post().status, 200)
        server.wait_finished()
        for folder in "plugins", "generations":
            # Two generations, of two versions; "kept", "guest".
            most = {"plugins": 4, "generations": 2}[folder]
            wait_for(lambda: len(os.listdir(server.state / folder)) == most,
                     f"{folder} to be swept")
        status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        return ({"descriptors": server.descriptors(),
                 "threads": int(re.search(r"Threads:\s+(\d+)", status)[1]),
                 "children": len(server.children()),
                 "state": sorted(name for name in os.listdir(server.state)
                                 if not name.startswith("inbox.db-"))},
                int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]))

    def is_sanitized(self):
        cache = (BUILD / "CMakeCache.txt").read_text()
        return re.search(r"(?m)^PEGBOARD_SANITIZE:\w+=.", cache) is not None

    def test_after_many_reloads_all_is_as_before(self):
        mixed = Mixed(self)
        for _ in range(self.WARM):
            mixed.step()
        before, before_kb = self.measure(mixed)
        for _ in range(2 * RELOADS):
            mixed.step()
        after, after_kb = self.measure(mixed)
        print(f"{before_kb} kB, then {after_kb} kB", end=" ", flush=True)
        # A connection that was just answered may still be closing.
        most = before.pop("descriptors")
        wait_for(lambda: mixed.server.descriptors() <= most,
                 f"at most {most} descriptors, there were "
                 f"{after.pop('descriptors')}")
        self.assertEqual(after, before)
        if not self.is_sanitized():
            self.assertLess(after_kb - before_kb, self.RSS_KB)
        mixed.check_kept()


class Metamorphic(TestCase):
    """What becomes of an event does not depend on reloads, nor on kills of
    runners."""

    # What an event may tell the plugins to do, and how many of 100 do.
    ORDERS = (({}, 80), ({"retries": 2}, 8), ({"skip": 1}, 6), ({"fail": 1}, 5),
              ({"crashes": -1}, 1))
    EVENTS = 200

    def setUp(self):
        super().setUp()
        orders = [orders for orders, share in self.ORDERS
                  for _ in range(share * self.EVENTS // 100)]
        self.random.shuffle(orders)
        self.bodies = [about(f"pi_{n % 40}", **one)
                       for n, one in enumerate(orders)]
        # Of a plugin that crashes by itself no runner is killed: a kill counts
        # as a crash of whatever was in work.
        self.plugins = {"plain": "retries, skip, fail", "poisoned": "crashes"}

    def write(self, daemon, lockers, number):
        """Each time with another concurrency, and a higher tag."""
        concurrency = 1 + number % 3
        keys = ("retry = 10ms..50ms", "max_attempts = 1000", DEADLY,
                f"env.N = {number}")
        self.write_ini(daemon, "".join(
            with_file(locker.section(name, "order = object", *keys,
                                     concurrency=concurrency, slots=3, max_ms=2,
                                     tag=f"{number}/{concurrency}",
                                     obey=self.plugins[name], delay="10ms"),
                      "locker", daemon.folder / "p.so")
            for name, locker in lockers.items()))

    def final(self, daemon):
        """{(event, plugin, final state)}"""
        dead = {(row.id, row.plugin) for row in self.deliveries(daemon)}
        ends = {(id, name): outcome for id, name, outcome in daemon.query(
            "SELECT event_id, name, outcome FROM attempt a"
            " JOIN event USING(seq) JOIN plugin p ON p.id = a.plugin"
            " ORDER BY seq, n")}
        return {(id, plugin, "dead" if (id, plugin) in dead else outcome)
                for (id, plugin), outcome in ends.items()}

    def run_with(self, reloads, kills):
        daemon = self.daemon(start=False)
        lockers = {name: Locker(daemon.folder / name) for name in self.plugins}
        put(daemon.folder / "p.so", version_of("locker", 0))
        self.write(daemon, lockers, 0)
        daemon.start()
        left = self.bodies[:]
        acts = ["reload"] * reloads + ["kill"] * kills
        self.random.shuffle(acts)
        for number, act in enumerate(acts):
            share = len(left) // (len(acts) - number + 1)
            daemon.post_all(left[:share])
            del left[:share]
            if act == "reload":
                put(daemon.folder / "p.so",
                    version_of("locker", self.random.randrange(4)))
                self.write(daemon, lockers, number + 1)
                self.assertEqual(self.hup(daemon), "reloaded")
            else:
                self.kill_runner(wait_for(lambda: daemon.runners("plain"),
                                          "a runner")[0])
        daemon.post_all(left)
        wait_for(lambda: self.is_over(daemon), "all to end", 120)
        for locker in lockers.values():
            self.assertEqual(locker.of_kind("V"), [])
            self.assertEqual(crowds(locker.lines()), [])
        return {row for row in self.final(daemon) if row[0] not in self.extra}

    def is_over(self, daemon):
        """Poison alone would be held against the plugin: others tell."""
        if not daemon.unfinished():
            return True
        body = about(None)
        self.extra.add(id_of(body))
        self.assertEqual(daemon.post(body).status, 200)
        time.sleep(0.05)
        return False

    def test_nothing_depends_on_reloads(self):
        self.extra = set()
        plain = self.run_with(reloads=0, kills=0)
        self.assertEqual(len(plain), 2 * len(self.bodies))
        for reloads, kills in (1, 0), (10, 0), (10, 10):
            with self.subTest(reloads=reloads, kills=kills):
                self.assertEqual(self.run_with(reloads, kills), plain)


class Rotation(TestCase):
    """Old and new secrets overlap, and nobody is turned away."""

    def sign(self, body):
        return sign(body, self.secret)

    def write(self, daemon, *numbers):
        for number in numbers:
            put(daemon.folder / f"secret{number}",
                self.text(number).encode()).chmod(0o600)
        self.write_ini(daemon, section("p", "noop"), secrets=", ".join(
            f"file:secret{number}" for number in numbers),
            log="level = info\nformat = logfmt")
        if daemon.process:
            self.assertEqual(self.hup(daemon), "reloaded")

    def text(self, number):
        return f"whsec_number_{number:06d}_of_the_endpoint"

    def wait_some(self):
        """All that was signed before now is answered."""
        goal = len(self.senders.acked) + 20
        wait_for(lambda: len(self.senders.acked) >= goal, "answers")

    def test_under_load_no_request_fails(self):
        daemon = self.daemon(start=False)
        self.secret = self.text(0)
        self.write(daemon, 0)
        daemon.start()
        pids = self.pids(daemon, "p")
        self.senders = Senders(daemon, lambda acked: True, signs=self.sign,
                               count=3)
        self.addCleanup(self.senders.stop)
        for number in range(1, 16):
            self.wait_some()
            self.write(daemon, number - 1, number)
            self.secret = self.text(number)
            self.wait_some()
            self.write(daemon, number)
        self.wait_some()
        self.senders.stop()
        daemon.wait_finished(60)
        self.assertEqual(self.senders.failed, [])
        self.assertEqual(daemon.stored(), self.senders.acked)
        self.assertEqual(self.pids(daemon, "p"), pids)
        body = event()
        self.assertEqual(daemon.post(body, signature=sign(
            body, self.text(14))).status, 400)


if __name__ == "__main__":
    pegboard.main()
