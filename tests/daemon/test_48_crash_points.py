"""kill -9 in the midst of a reload: the next start serves one generation whole,
and no event is lost.

Every CRASH_POINT in the sources is tried; then random moments, of which
PEGBOARD_KILLS says how many and PEGBOARD_SEED which."""

import collections
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time

import pegboard
import reloads
from commands import FAILED
from locker import Locker, about
from pegboard import (BIN, CRASHING, LOST, PATIENCE_S, event, id_of,
                      section, wait_for)
from reloads import mark_of, put, version_of, with_file
from senders import Senders

KILLS = int(os.environ.get("PEGBOARD_KILLS", 40))
CORE = pathlib.Path(__file__).parents[2] / "core"

# The last point of a commit before the inbox knows of it.
LAST_UNKNOWN = 2


def crash_points():
    """(phase, step) of all in the sources."""
    return sorted((phase, int(step)) for path in CORE.rglob("*.c")
                  for phase, step in re.findall(
                      r'CRASH_POINT\("(\w+)", (\d+)\)', path.read_text()))


class TestCase(reloads.TestCase):
    """The plugins of version 1 are "p", "same" and "old", of version 2 "p" with
    another file and option, "same" and "new"."""

    GUESTS = {1: "old", 2: "new"}

    def setUp(self):
        self.server = self.daemon(start=False)
        self.locker = Locker(self.server.folder / "p")
        self.so = self.server.folder / "p.so"
        self.write(1)
        self.server.start()
        self.numbers = [self.generation(self.server)]
        self.sent = []

    # -- the two versions --------------------------------------------------

    def write(self, version, **kwargs):
        put(self.so, version_of("locker", version))
        self.write_ini(
            self.server,
            with_file(self.locker.section("p", "order = strict",
                                          "retry = 10ms..50ms",
                                          f"timeout = {version}m", slots=2,
                                          concurrency=version), "locker",
                      self.so) +
            section("same", "tells_pid") +
            section(self.GUESTS[version], "tells_pid"), **kwargs)

    def check_whole(self, version):
        """It is that version, and nothing of the other; all that can be seen
        says so."""
        status = self.status(self.server)
        there = {plugin["name"]: plugin["state"]
                 for plugin in status["plugins"]
                 if plugin["state"] != "orphaned"}
        names = {"p", "same", self.GUESTS[version]}
        self.assertEqual(there.keys(), names)
        self.pids(self.server, "p", version)
        self.pid(self.server, "same")
        self.pid(self.server, self.GUESTS[version])
        self.check_no_others(self.server, version + 2)
        wait_for(lambda: set(map(str, self.server.runners())) <= set(
            re.findall(r'msg="runner ready" .* pid=(\d+)',
                       self.server.log_since_start())), "all to be ready")
        self.assertEqual({self.code_in(self.server, pid) for pid in
                          self.server.runners("p")},
                         {mark_of(version_of("locker", version))})
        shown = self.plugin(self.server, "p")
        self.assertEqual((shown["state"], shown["limits"]["timeout_seconds"],
                          shown["limits"]["concurrency"]),
                         ("running", version * 60, version))
        self.assertFalse(status["degraded"])
        body = self.post()
        for name in names:
            self.wait_handled(self.server, body, name)
        self.assertEqual(self.server.handlers(body), sorted(names))

    def check_number(self):
        """Higher than ever before."""
        number = self.generation(self.server)
        self.assertGreater(number, max(self.numbers))
        self.numbers.append(number)

    def rollback(self, version):
        answer = self.run_command("rollback", "-c", self.server.ini, "--json")
        self.assertIn('"done"', answer)
        self.check_number()
        self.check_whole(version)

    # -- events ------------------------------------------------------------

    def post(self, body=None):
        body = body or event()
        self.assertEqual(self.server.post(body).status, 200)
        self.sent.append(body)
        return body

    def gate(self, version=1):
        """One event in work until the gate is opened, and some that wait: with
        one runner all, with two those for the same object."""
        self.gated = self.post(about("pi_1", gate=1))
        wait_for(lambda: self.locker.begun() == [id_of(self.gated)],
                 "the first")
        waiting = [self.post(about("pi_1")) for _ in range(3)]
        others = [self.post() for _ in range(3)]
        left = {id_of(body) for body in
                [self.gated, *waiting, *(others if version == 1 else ())]}
        wait_for(lambda: {(row.id, row.plugin) for row in
                          self.deliveries(self.server)} ==
                 {(id, "p") for id in left}, "the rest to be done")

    def check_events(self):
        """Each ends, and ends once."""
        self.server.wait_finished()
        for plugin in "p", "same":
            self.check_each_done_once(self.server, self.sent, plugin, [LOST])
        self.assertEqual(self.deliveries(self.server), [])
        self.assertEqual(self.locker.of_kind("V"), [])

    def check_runs(self):
        """What was in work ran again, and nothing else: one event in each of
        at most two runners."""
        begun = collections.Counter(self.locker.begun())
        self.assertEqual(begun[id_of(self.gated)], 2)
        self.assertLessEqual(sum(begun.values()), len(begun) + 2)

    # -- dying -------------------------------------------------------------

    def become_crashing(self, phase, step):
        """Serve on as a daemon that is going to die there."""
        self.server.stop()
        self.server.binary = CRASHING
        self.server.env["PEGBOARD_CRASH_AT"] = f"{phase}:{step}"
        self.server.start()
        self.numbers.append(self.generation(self.server))

    def die(self, *args):
        """Of that command."""
        asked = subprocess.Popen(
            [BIN, *args, "-c", self.server.ini], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.assertEqual(self.server.process.wait(PATIENCE_S), -signal.SIGKILL)
        self.assertNotEqual(asked.wait(PATIENCE_S), 0)
        # It may have got as far as that.
        self.numbers += [number for number, in self.server.query(
            "SELECT number FROM generation")]

    def become_sound(self):
        self.server.binary = BIN
        del self.server.env["PEGBOARD_CRASH_AT"]
        self.server.start()
        self.check_number()
        self.assertNotIn("cannot serve what was rolled back to",
                         self.server.log_since_start())


class Points(TestCase):

    def test_all_are_tried(self):
        phases = collections.defaultdict(list)
        for phase, step in crash_points():
            phases[phase].append(step)
        self.assertEqual(phases.keys(), {"commit", "rollback"})
        for steps in phases.values():
            self.assertEqual(steps, list(range(1, len(steps) + 1)))
        for phase, step in crash_points():
            self.assertTrue(any(
                name.startswith("test_") and name.endswith(f"_{phase}_{step}")
                for name in dir(self)))

    def check_after(self, version, other):
        """The next start serves the one, and `pegboard rollback` the other."""
        self.become_sound()
        self.locker.open_gate()
        self.check_whole(version)
        self.rollback(other)
        self.check_events()
        self.check_runs()

    def reload_that_dies_in_commit(self, step):
        self.become_crashing("commit", step)
        self.gate()
        self.write(2)
        self.die("reload")
        self.check_after(2, 1)

    def rollback_that_dies_in_commit(self, step):
        self.write(2)
        self.reload(self.server)
        self.become_crashing("commit", step)
        self.gate(2)
        self.die("rollback")
        # Once it is known that an operator went back, that is served.
        self.check_after(*((2, 1) if step <= LAST_UNKNOWN else (1, 2)))

    def taken_port_that_dies_in_rollback(self, step):
        """Runners of version 2 were there; the next start cannot have that
        port either."""
        self.become_crashing("rollback", step)
        self.gate()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.write(2, listen=f"127.0.0.1:0, 127.0.0.1:{port}")
            self.die("reload")
            self.assertEqual(pegboard.command(
                "serve", "-c", self.server.ini).returncode, FAILED)
        self.write(1)
        self.become_sound()
        self.locker.open_gate()
        self.check_whole(1)
        self.check_events()
        self.check_runs()

    def bad_disk_that_dies_in_rollback(self, step):
        """The generation cannot be kept; runners of version 2 and a listener
        were there. Its files are good: the next start takes them up."""
        kept = self.server.state / "generations"
        self.become_crashing("rollback", step)
        self.gate()
        away = kept.rename(self.server.folder / "away")
        kept.symlink_to("/nowhere")
        self.write(2, listen=f"127.0.0.1:0, 127.0.0.1:{reloads.free_port()}")
        self.die("reload")
        kept.unlink()
        away.rename(kept)
        self.check_after(2, 1)


def test_of(way, step):
    return lambda self: getattr(self, way)(step)


def add_points():
    """A test for each point, in each way to come by it."""
    for way in [name for name in dir(Points) if "_that_dies_in_" in name]:
        for phase, step in crash_points():
            if way.endswith(phase):
                setattr(Points, f"test_{way}_{step}", test_of(way, step))


add_points()


class Moments(TestCase):
    """Any other moment."""

    def setUp(self):
        seed = int(os.environ.get("PEGBOARD_SEED", time.time_ns() % 10**9))
        print(f"PEGBOARD_SEED={seed}", end=" ", flush=True)
        self.random = random.Random(seed)
        super().setUp()

    def last_number(self):
        return self.server.query("SELECT number FROM generation")[0][0]

    def kill_in_a(self, command):
        """Returns whether it was over before."""
        asked = subprocess.Popen(
            [BIN, command, "-c", self.server.ini], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        time.sleep(self.random.uniform(0, self.most_s))
        was_over = asked.poll() is not None
        self.server.kill()
        asked.wait(PATIENCE_S)
        self.numbers.append(self.last_number())
        return was_over

    def time_a_reload(self):
        """Up to its COMMIT and a bit."""
        begun_s = time.monotonic()
        self.write(2)
        self.reload(self.server)
        self.numbers.append(self.generation(self.server))
        return time.monotonic() - begun_s

    def serves(self):
        """Which version; both would do, but nothing between them."""
        version = 2 if "new" in {
            plugin["name"] for plugin in self.status(self.server)["plugins"]
            if plugin["state"] != "orphaned"} else 1
        self.check_whole(version)
        return version

    def test_random_ones(self):
        senders = Senders(self.server, lambda acked: acked < 20 * len(
            self.numbers), lambda: about(f"pi_{time.monotonic_ns() % 20}"),
            count=2)
        self.addCleanup(senders.stop)
        self.most_s = self.time_a_reload()
        version, late = 2, 0
        for number in range(KILLS):
            if number % 3 < 2:
                version = 3 - version
                self.write(version)
                late += self.kill_in_a("reload")
                self.server.start()
                self.check_whole(version)
            else:
                late += self.kill_in_a("rollback")
                self.server.start()
                self.serves()
            self.check_number()
        senders.stop()
        print(f"{KILLS} kills, {late} came too late;", end=" ", flush=True)
        # Both guests are owed something, maybe.
        for version in 1, 2:
            self.write(version)
            self.reload(self.server)
            self.check_whole(version)
        self.assertEqual(senders.odd, [])
        self.sent += [senders.sent[id] for id in senders.acked]
        self.assertEqual({id_of(body) for body in self.sent},
                         self.server.stored())
        self.check_events()


if __name__ == "__main__":
    pegboard.main()
