"""What the mirror's tests share: the database that MIRROR_DATABASE names, events
made by hand, and the ways to hand them to the plugin."""

import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import tempfile
import unittest

import pegboard
import postgres
from pegboard import BUILD, PLUGINS, section

ENGINE = os.environ.get("MIRROR_DATABASE", "sqlite")
SO = PLUGINS / "more" / "mirror.so"
FEED = BUILD / "plugins" / "mirror" / "tests" / "mirror-feed"
KEY = ("account", "livemode", "object", "id")
VERDICTS = ("done", "skip", "retry", "fail")


# -- the two databases ---------------------------------------------------------

class Sqlite:

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="pegboard-mirror-")
        self.clear()

    def clear(self):
        """A database without tables."""
        self.path = f"{tempfile.mkdtemp(dir=self.folder.name)}/mirror.db"
        self.dsn = f"sqlite:{self.path}"

    def close(self):
        self.folder.cleanup()

    def connect(self):
        return contextlib.closing(
            sqlite3.connect(self.path, timeout=10, isolation_level=None))

    def do(self, sql):
        with self.connect() as db:
            db.execute(sql).fetchall()

    def query(self, sql):
        with self.connect() as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(sql)]

    @contextlib.contextmanager
    def held(self):
        """Nobody else can write."""
        with self.connect() as db:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("ROLLBACK")

    def is_wanted(self):
        """Whether the mirror waits for it: it has its own lock then."""
        with open(f"{self.path}-writer") as guard:
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True


class Postgres(postgres.Server):

    def __init__(self):
        super().__init__()
        self.dsn = self.url()

    def clear(self):
        self.do("DROP TABLE IF EXISTS stripe_object_events, stripe_mirror"
                " CASCADE")

    def do(self, sql):
        self.psql(sql)

    @contextlib.contextmanager
    def held(self, table="stripe_object_events"):
        with self.psql() as other:
            other.stdin.write(f"BEGIN; LOCK TABLE {table}; SELECT 'locked';\n")
            other.stdin.flush()
            if other.stdout.readline().strip() != "locked":
                raise AssertionError("no lock")
            yield
            other.stdin.write("ROLLBACK;\n")
            other.stdin.close()
            other.wait(10)

    def is_wanted(self):
        """Whether the mirror waits for a lock there."""
        return self.query(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND application_name = 'pegboard mirror'")


database = None


def setUpModule():
    """To be imported by the test modules."""
    global database
    if ENGINE == "postgres" and postgres.binaries() is None:
        print("skipped: no PostgreSQL server is installed (Debian: postgresql)")
        os._exit(77)
    database = Postgres() if ENGINE == "postgres" else Sqlite()
    unittest.addModuleCleanup(database.close)


# -- events made by hand ---------------------------------------------------------

numbers = itertools.count(1)


def change(type, obj, at=100, previous=None, id=None, **members):
    data = {"object": obj}
    if previous is not None:
        data["previous_attributes"] = previous
    return json.dumps({
        "id": id or f"evt_{next(numbers)}", "object": "event",
        "api_version": "2026-10-28.endive", "created": at, "data": data,
        "livemode": False, "pending_webhooks": 1, "request": None,
        "type": type, **members}).encode()


def customer(**members):
    return {"id": "cus_1", "object": "customer", **members}


def thin(type, obj, at="1970-01-01T00:01:40.500Z", **members):
    return json.dumps({
        "id": f"evt_{next(numbers)}", "object": "v2.core.event", "type": type,
        "livemode": False, "created": at, "related_object": obj,
        **members}).encode()


def for_account(body, account):
    """The same event, but of another account."""
    event = json.loads(body)
    event["context" if event["object"] != "event" else "account"] = account
    return json.dumps(event).encode()


class TestCase(pegboard.TestCase):

    def setUp(self):
        database.clear()

    # -- ways to hand over events --------------------------------------------

    def try_event(self, body, verdict="done", dsn=None, repeat=1, **popen):
        """To the plugin in a runner of its own; return what that said."""
        done = subprocess.run(
            [BUILD / "bin" / "pegboard-runner", "try", SO, "-", "--repeat",
             str(repeat), "--option", f"dsn={dsn or database.dsn}", "--option",
             "timeout=1s"],
            input=body, capture_output=True, timeout=60, **popen)
        said = (done.stdout + done.stderr).decode()
        self.assertEqual(re.findall(r"(?m)^(done|skip|retry|fail)\b", said),
                         [verdict] * repeat, said)
        return said

    def feed(self, bodies):
        """To one process, which has to be done with each."""
        lines = [json.dumps(json.loads(body)).encode() for body in bodies]
        done = subprocess.run([FEED, database.dsn], input=b"\n".join(lines),
                              capture_output=True, timeout=120)
        self.assertEqual(done.stdout.split(b"\n")[:-1], [b"0 "] * len(lines),
                         done.stderr)

    def serve(self, *keys, concurrency=2, **options):
        """A daemon with the mirror."""
        (secret := pathlib.Path(tempfile.mkdtemp()) / "dsn").write_text(
            database.dsn)
        self.addCleanup(secret.parent.rmdir)
        self.addCleanup(secret.unlink)
        secret.chmod(0o600)
        return self.daemon(section("mirror", SO, f"concurrency = {concurrency}",
                                   "order = none", "retry = 100ms..1s", *keys,
                                   dsn=f"file:{secret}", **options))

    # -- what is there then ----------------------------------------------------

    def rows(self, drop=()):
        """The mirror: all columns by key."""
        rows = {}
        for row in database.query("SELECT * FROM stripe_objects"):
            for name in ("livemode", "deleted", "stale"):
                row[name] = bool(row[name])
            if isinstance(row["data"], str):
                row["data"] = json.loads(row["data"])
            rows[tuple(row[name] for name in KEY)] = {
                name: value for name, value in row.items() if name not in drop}
        return rows

    def row(self, object="customer", id="cus_1", account="", livemode=False):
        return self.rows()[(account, livemode, object, id)]

    def everything(self):
        """All that there is."""
        return sorted(database.query("SELECT * FROM stripe_object_events"),
                      key=str)

    def check_truth(self, account):
        """Each object is what it is in truth (see loader.py), and there is
        nothing else."""
        rows = self.rows()
        self.assertEqual(rows.keys(), account.truth.keys())
        for key, truth in account.truth.items():
            with self.subTest(key=key):
                shown = account.seen(rows[key]["data"])
                if account.is_open(key):
                    self.assertIn(shown, account.candidates(key))
                else:
                    self.assertEqual(shown, account.seen(truth.obj), rows[key])
                    self.assertEqual(rows[key]["deleted"], truth.deleted,
                                     rows[key])

    def check_seconds(self):
        """Of each object only the newest second is kept, and one row shown."""
        odd = database.query(
            "SELECT object, id FROM stripe_object_events WHERE NOT thin"
            " GROUP BY account, livemode, object, id"
            " HAVING count(DISTINCT event_created) <> 1"
            " OR sum(CASE WHEN newest THEN 1 ELSE 0 END) <> 1")
        self.assertEqual(odd, [])


def main():
    unittest.main(verbosity=2)
