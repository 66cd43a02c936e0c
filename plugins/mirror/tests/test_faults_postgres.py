"""PostgreSQL at fault, one event at a time."""

import os
import pathlib
import socket
import subprocess
import sys
import unittest

import postgres
import rig
from faults import FaultCase
from rig import change, customer, main, setUpModule


class Postgres(FaultCase):

    def test_a_dsn_that_is_none(self):
        """Nor one whose password libpq would take for something else."""
        for dsn in ("", "host=hidden", "postgresql://host/db?hidden",
                    "postgresql://u:7/hidden@127.0.0.1/db",
                    "postgresql://u:7@hidden@127.0.0.1/db",
                    "postgresql://u:7?/hidden@127.0.0.1/db",
                    "postgresql://u:%hidden@127.0.0.1/db"):
            self.check_refused(dsn)

    def test_refused(self):
        self.check_retries("refused",
                           dsn=rig.database.url(port=postgres.free_port()))

    def test_a_wrong_password(self):
        said = self.check_retries("authentication failed",
                                  dsn=rig.database.url(password="%2Fhidden"))
        self.assertNotIn("hidden", said)

    def test_a_server_that_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.check_retries("in time", dsn=rig.database.url(
                port=silent.getsockname()[1]))

    def test_a_server_that_hangs_up(self):
        with socket.create_server(("127.0.0.1", 0)) as rude:
            code = ("import socket,sys;s=socket.socket(fileno=int(sys.argv[1]))\n"
                    "c=s.accept()[0];c.recv(1);"
                    "c.setsockopt(1,13,b'\\1\\0\\0\\0\\0\\0\\0\\0');c.close()")
            os.set_inheritable(rude.fileno(), True)
            peer = subprocess.Popen([sys.executable, "-c", code,
                                     str(rude.fileno())], close_fds=False)
            self.check_retries("reset|closed", dsn=rig.database.url(
                port=rude.getsockname()[1]))
            peer.wait(10)

    def test_a_lock_that_is_held(self):
        self.try_event(change("customer.updated", customer()))
        with rig.database.held():
            self.check_retries("statement timeout")
        self.try_event(change("customer.updated", customer(n=2), 101))

    def test_a_lock_timeout_and_a_time_zone_of_the_role(self):
        self.try_event(change("customer.updated", customer()))
        rig.database.do("ALTER ROLE mirror SET lock_timeout = '50ms';"
                        "ALTER ROLE mirror SET timezone = 'Asia/Tokyo'")
        self.addCleanup(rig.database.do, "ALTER ROLE mirror RESET ALL")
        with rig.database.held():
            self.check_retries("lock timeout")
        self.try_event(change("customer.updated", customer(n=2), 101))

    def test_who_may_only_write_rows(self):
        self.try_event(change("customer.updated", customer(n=1)))
        rig.database.do(
            "DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN PASSWORD 'c';"
            "GRANT SELECT ON stripe_mirror TO clerk;"
            "GRANT SELECT, INSERT, UPDATE, DELETE ON stripe_object_events"
            " TO clerk")
        self.addCleanup(rig.database.do, "DROP OWNED BY clerk; DROP ROLE clerk")
        dsn = rig.database.url(password="c").replace("//mirror:", "//clerk:")
        self.try_event(change("customer.updated", customer(n=2), 101), dsn=dsn)
        self.assertEqual(self.row()["data"], customer(n=2))

    def test_who_may_not_make_tables(self):
        rig.database.do(
            "DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN PASSWORD 'c';"
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        self.addCleanup(rig.database.do, "DROP OWNED BY clerk; DROP ROLE clerk")
        self.check_retries("permission denied", dsn=rig.database.url(
            password="c").replace("//mirror:", "//clerk:"))

    def test_a_schema_of_its_own(self):
        rig.database.do("CREATE SCHEMA stripe")
        self.addCleanup(rig.database.do, "DROP SCHEMA stripe CASCADE")
        self.try_event(change("customer.updated", customer(n=1)), dsn=(
            rig.database.dsn + "?options=-csearch_path%3Dstripe"), repeat=2)
        self.assertEqual(len(rig.database.query(
            "SELECT * FROM stripe.stripe_objects")), 1)

    def test_nothing_outlives_a_transaction(self):
        """So a pooler can give the next one to another session."""
        daemon = self.serve(concurrency=1)
        daemon.post(change("customer.updated", customer()))
        daemon.wait_finished()
        session, = rig.database.query(
            "SELECT state, backend_xid, backend_xmin FROM pg_stat_activity"
            " WHERE application_name = 'pegboard mirror'")
        self.assertEqual(session, {"state": "idle", "backend_xid": None,
                                   "backend_xmin": None})
        self.assertEqual(rig.database.query(
            "SELECT * FROM pg_locks WHERE locktype = 'advisory'"), [])

    def test_a_standby_that_only_reads(self):
        self.try_event(change("customer.updated", customer(n=1)))
        rig.database.stop("fast")
        pathlib.Path(rig.database.data, "standby.signal").touch()
        rig.database.start()
        try:
            self.check_retries("recovery")
        finally:
            rig.database.promote()
        self.try_event(change("customer.updated", customer(n=2), 101))
        self.assertEqual(self.row()["data"], customer(n=2))

    def test_a_number_that_it_cannot_hold(self):
        body = change("customer.updated", customer(n=0)).replace(
            b'"n": 0', b'"n": 1e999999')
        said = self.try_event(body, "fail")
        self.assertIn("(22", said)
        self.assertNotIn("999999", said)


if __name__ == "__main__":
    main()
