"""SQLite at fault."""

import fcntl
import os
import pathlib
import resource
import unittest

import rig
from faults import FaultCase
from pegboard import section
from rig import change, customer, main, setUpModule


class Sqlite(FaultCase):

    def test_a_dsn_that_is_none(self):
        for dsn in ("", "sqlite:relative.db", "mysql://hidden@host/db"):
            self.check_refused(dsn)

    def test_locked_by_somebody_else(self):
        self.try_event(change("customer.updated", customer()))
        with rig.database.held():
            self.check_retries("locked")
        self.try_event(change("customer.updated", customer(n=2), 101))

    def test_locked_before_the_tables_are_made(self):
        with rig.database.held():
            self.check_retries("locked")
        self.try_event(change("customer.updated", customer()))

    def test_one_process_of_the_plugin_at_a_time(self):
        """Also while it checkpoints, when SQLite's own lock is gone."""
        self.try_event(change("customer.updated", customer()))
        with open(f"{rig.database.path}-writer") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            self.check_retries("another process")
        self.try_event(change("customer.updated", customer(n=2), 101))

    def test_a_reader_does_not_hinder(self):
        self.try_event(change("customer.updated", customer(n=1)))
        with rig.database.connect() as db:
            db.execute("BEGIN")
            db.execute("SELECT * FROM stripe_objects").fetchall()
            self.try_event(change("customer.updated", customer(n=2), 101))
            self.assertEqual(self.row()["data"], customer(n=2))

    def test_no_such_folder(self):
        self.check_retries("no such file", dsn="sqlite:"
                           f"{rig.database.folder.name}/none/mirror.db")

    def test_a_folder(self):
        self.check_retries("is a directory",
                           dsn=f"sqlite:{rig.database.folder.name}")

    def test_no_database(self):
        pathlib.Path(rig.database.path).write_bytes(b"not a database " * 100)
        self.check_retries("not a database")

    def test_past_the_limit_of_a_file(self):
        """RLIMIT_FSIZE is an error to report, and not the runner's end."""
        self.try_event(change("customer.updated", customer()))

        def limit():
            size = pathlib.Path(rig.database.path).stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        big = change("customer.updated", customer(text="x" * 200000), 101)
        said = self.try_event(big, "retry", preexec_fn=limit)
        self.assertRegex(said, r"retry in 1000 ms: sqlite: .*(full|I/O)")
        self.assertEqual(self.row()["data"], customer())
        self.try_event(big)
        self.assertEqual(len(self.row()["data"]["text"]), 200000)

    def test_only_its_owner_reads_the_file(self):
        self.try_event(change("customer.updated", customer()))
        self.assertEqual(os.stat(rig.database.path).st_mode & 0o777, 0o600)

    def test_a_file_that_is_taken_away(self):
        daemon = self.daemon(section("mirror", rig.SO, dsn=rig.database.dsn))
        daemon.post(change("customer.updated", customer(n=1)))
        daemon.wait_finished()
        for path in pathlib.Path(rig.database.path).parent.glob("mirror.db*"):
            path.unlink()
        daemon.post(change("customer.updated", customer(n=2), 101))
        daemon.wait_finished()
        self.assertEqual(self.row()["data"], customer(n=2))


if __name__ == "__main__":
    main()
