"""A backlog of 100,000 takes nothing from other plugins, nor from what is new,
and no event costs more for it."""

import pathlib
import shutil
import sqlite3
import tempfile

import pegboard
from locker import Locker
from pegboard import Daemon, event, id_of, section, wait_for

MANY = 100_000
FEW = 1_000

READY, HELD, DEAD, WAITING = 0, 2, 3, 4
FRESH, AGED, REPLAYED = 0, 1, 2

# Of 13 claims, while all have something: how many are for each class.
SHARES = {FRESH: 8, AGED: 4, REPLAYED: 1}

HOUR_MS = 3600 * 1000


class Inbox:
    """The file of a daemon that does not run, opened for writing."""

    def __init__(self, daemon):
        self.db = sqlite3.connect(daemon.state / "inbox.db",
                                  isolation_level=None)

    def __enter__(self):
        self.db.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, fault, *_):
        self.db.execute("ROLLBACK" if fault else "COMMIT")
        self.db.close()

    def plugin(self, name):
        return self.db.execute("SELECT id FROM plugin WHERE name = ?",
                               (name,)).fetchone()[0]

    def add_events(self, name, count):
        """Copies of the last event, evt_NAME_0000001 and so on; returns the
        numbers of the first and the one behind the last."""
        first = self.db.execute("SELECT max(seq) + 1 FROM event").fetchone()[0]
        columns = [row[1] for row in self.db.execute(
            "PRAGMA table_info(event)") if row[1] not in ("seq", "event_id")]
        self.db.execute(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n"
            " WHERE n < ?1) INSERT INTO event(seq, event_id,"
            f" {','.join(columns)}) SELECT ?2 + n - 1,"
            f" printf('evt_{name}_%07d', n), {','.join(columns)}"
            " FROM n, event WHERE seq = ?2 - 1", (count, first))
        self.db.execute(
            "INSERT INTO body(seq, data) SELECT e.seq, b.data FROM event e,"
            " body b WHERE e.seq >= ?1 AND b.seq = ?1 - 1", (first,))
        return first, first + count

    def add_deliveries(self, plugin, seqs, state, kind=FRESH, due_ms=0,
                       lane=""):
        """For events first to last - 1. Old ones have had an attempt."""
        self.db.execute(
            "INSERT INTO delivery(seq, plugin, state, class, attempt, lease,"
            " due_ms, first_ms, lane, died_ms, outcome, cause)"
            " SELECT seq, ?3, ?4, ?5, ?5 > 0, ?5 > 0, ?6,"
            " iif(?5 > 0, received_ms, NULL), ?7,"
            " iif(?4 = 3, received_ms, NULL), iif(?4 = 3, 3, NULL),"
            " iif(?4 = 3, '', NULL) FROM event WHERE seq >= ?1 AND seq < ?2",
            (*seqs, self.plugin(plugin), state, kind, due_ms, lane))


def prepare(daemon, plugins):
    """Let the daemon make its file, with one event and nothing owed."""
    daemon.write_ini(plugins)
    daemon.start()
    daemon.post()
    daemon.wait_finished()
    assert daemon.stop() == 0


class OtherPlugin(pegboard.TestCase):
    """One plugin has a backlog of 100,000 that it cannot do."""

    EVENTS = 300

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="pegboard-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        with Daemon(start=False) as daemon:
            prepare(daemon, section("broken", "noop") +
                    section("well", "noop"))
            with Inbox(daemon) as inbox:
                inbox.add_deliveries("broken", inbox.add_events("old", MANY),
                                     READY)
            shutil.copy(daemon.state / "inbox.db", cls.folder)

    def prepare(self, *keys, **options):
        daemon = self.daemon(start=False)
        self.well = Locker(daemon.folder / "well")
        daemon.write_ini(section("broken", *keys, **options) +
                         self.well.section("well"))
        daemon.state.mkdir(mode=0o700)
        shutil.copy(self.folder / "inbox.db", daemon.state)
        return daemon

    def check(self, *keys, **options):
        daemon = self.prepare(*keys, **options).start()
        bodies = [event() for _ in range(self.EVENTS)]
        daemon.post_all(bodies)
        wait_for(lambda: len(self.well.ended("done")) >= self.EVENTS,
                 "the healthy plugin to handle its events")
        left = daemon.unfinished()
        self.assertEqual(set(self.well.ended("done")), set(map(id_of, bodies)))
        self.assertGreaterEqual(left, MANY)
        return daemon

    def test_hangs(self):
        daemon = self.check("hang", "timeout = 1h")
        # But for the one that made the file.
        self.assertEqual(len(daemon.attempts(plugin="broken")), 1)

    def test_asks_for_each_again(self):
        daemon = self.check("retry", "max_attempts = 1000", delay="1ms")
        wait_for(lambda: daemon.attempts(plugin="broken"),
                 "attempts of the broken one: it must not starve either")

    def test_gets_no_more_than_its_runners_can_take(self):
        runners, count = 8, 2000
        daemon = self.prepare("retry", f"concurrency = {runners}",
                              "max_attempts = 1000", delay="1ms")
        with Inbox(daemon) as inbox:
            inbox.add_deliveries("well", inbox.add_events("well", count),
                                 READY)
        daemon.start()

        def calls():
            """Of the healthy plugin, and of the other."""
            return len(self.well.ended("done")), len(
                daemon.attempts(plugin="broken"))

        before = wait_for(lambda: min(calls()) >= 100 and calls(), "both")
        after = wait_for(lambda: calls()[0] >= count and calls(),
                         "the healthy plugin to handle its backlog")
        share = (after[1] - before[1]) / (after[0] - before[0])
        print(f"{share:.1f} calls to one", end=" ", flush=True)
        # As many as it has runners; twice that is not fair.
        self.assertLess(share, 2 * runners)

    def test_crashes_each_time(self):
        daemon = self.check("crash", pegboard.DEADLY)
        daemon.wait_log("plugin=broken")

    def test_does_not_start(self):
        self.check("init_fail")


class Shares(pegboard.TestCase):
    """New events and old retries of one plugin, all due."""

    def prepare(self, *keys, concurrency=1, **options):
        self.server = self.daemon(start=False)
        self.locker = Locker(self.server.folder / "p")
        self.plugin = self.locker.section(
            "p", "order = none", *keys, concurrency=concurrency, **options)
        prepare(self.server, section("p", "noop", "order = none"))
        self.server.write_ini(self.plugin)

    def kinds_of_first(self, count):
        wait_for(lambda: len(self.locker.begun()) >= count, "that many calls",
                 60)
        return [id.split("_")[1] for id in self.locker.begun()[:count]]

    def test_backlogs_of_all_kinds_share(self):
        self.prepare()
        with Inbox(self.server) as inbox:
            # The old come first, by number and by time.
            inbox.add_deliveries("p", inbox.add_events("aged", 3000), WAITING,
                                 AGED, due_ms=1)
            inbox.add_deliveries("p", inbox.add_events("replayed", 1000),
                                 READY, REPLAYED)
            inbox.add_deliveries("p", inbox.add_events("fresh", 1000), READY)
        self.server.start()
        rounds = 40
        kinds = self.kinds_of_first(13 * rounds)
        for kind, word in ((FRESH, "fresh"), (AGED, "aged"),
                           (REPLAYED, "replayed")):
            # A claim or two of a share may lie behind the last of these.
            self.assertAlmostEqual(kinds.count(word), SHARES[kind] * rounds,
                                   delta=3, msg=kinds)

    def test_new_event_goes_ahead_of_an_old_backlog(self):
        self.prepare(max_ms=2)
        with Inbox(self.server) as inbox:
            inbox.add_deliveries("p", inbox.add_events("aged", MANY), WAITING,
                                 AGED, due_ms=1)
        self.server.start()
        self.kinds_of_first(20)
        for _ in range(50):
            body = event()
            self.server.post(body)
            begun = self.locker.begun()
            wait_for(lambda: id_of(body) in self.locker.begun(),
                     "the new event")
            since = self.locker.begun()[len(begun):]
            # Three at hand or in work when it came, two more of a share.
            if id_of(body) in since:
                self.assertLessEqual(since.index(id_of(body)), 8)
        self.assertGreater(self.server.unfinished(), MANY // 2)


class Cost(pegboard.TestCase):
    """What an event costs with a backlog behind it, of its own plugin, of
    another, and of a lane."""

    EVENTS = 1500

    def measure(self, backlog):
        """The daemon's processor time in microseconds, and the bytes that it
        reads from files, per event."""
        daemon = self.daemon(start=False)
        prepare(daemon, section("p", "noop", "order = strict") +
                section("other", "noop"))
        due_ms = daemon.query("SELECT received_ms FROM event")[0][0] + HOUR_MS
        with Inbox(daemon) as inbox:
            part = backlog // 4
            head = inbox.add_events("head", 1)
            inbox.add_deliveries("p", head, WAITING, AGED, due_ms, "pi_lane")
            for name, state, lane in (("waiting", WAITING, ""),
                                      ("lane", HELD, "pi_lane"),
                                      ("dead", DEAD, "pi_dead")):
                seqs = inbox.add_events(name, part)
                inbox.add_deliveries("p", seqs, state, AGED, due_ms, lane)
            inbox.add_deliveries("other", inbox.add_events("ready", part),
                                 READY)
        daemon.write_ini(section("p", "noop", "order = strict",
                                 "concurrency = 2") +
                         section("other", "init_fail"))
        daemon.start()
        daemon.wait_runner("p", 2)
        self.run_some(daemon, 300, pi="pi_warm")
        before = self.used(daemon)
        self.run_some(daemon, self.EVENTS, pi="pi_own")
        after = self.used(daemon)
        daemon.kill()
        return [(b - a) / self.EVENTS for a, b in zip(before, after)]

    def run_some(self, daemon, count, pi):
        """Half of them share an object."""
        bodies = [event(obj={"id": pi, "object": "payment_intent"})
                  if n % 2 else event() for n in range(count)]
        daemon.post_all(bodies)
        last = daemon.seqs()[id_of(bodies[0])]
        wait_for(lambda: daemon.query(
            "SELECT count(*) FROM delivery WHERE seq >= ? AND plugin ="
            " (SELECT id FROM plugin WHERE name = 'p')", last) == [(0,)],
            "the events to be handled")

    def used(self, daemon):
        proc = pathlib.Path(f"/proc/{daemon.process.pid}")
        run_ns = sum(int((task / "schedstat").read_text().split()[0])
                     for task in (proc / "task").iterdir())
        try:
            read = int((proc / "io").read_text().split()[1])
        except PermissionError:  # it is not dumpable, and we are not root
            read = 0
        return run_ns / 1000, read

    def test_is_the_same_with_a_hundred_times_the_backlog(self):
        few_us, few_bytes = self.measure(FEW)
        many_us, many_bytes = self.measure(MANY)
        print(f"{few_us:.0f} and {many_us:.0f} us, {few_bytes:.0f} and "
              f"{many_bytes:.0f} bytes per event", end=" ", flush=True)
        self.assertLess(many_us, 2 * few_us)
        # What was in the cache may be on disk now: a page here and there.
        self.assertLess(many_bytes, 2 * few_bytes + 4 * 16384)


if __name__ == "__main__":
    pegboard.main()
