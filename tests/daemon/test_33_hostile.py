"""Surroundings and plugins that are out to get the daemon."""

import ctypes
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys

import pegboard
from pegboard import (BIN, DONE, TIMEOUT, Ledger, event, id_of, section,
                      wait_for)

IGNORES_CHILDREN = (
    sys.executable, "-c",
    "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
    "os.execv(sys.argv[1], sys.argv[1:])")


class Hostile(pegboard.TestCase):

    def test_damaged_event_is_a_dead_letter_and_nothing_else(self):
        daemon = self.daemon(start=False)
        ready = daemon.folder / "ready"
        daemon.write_ini(section("p", "init_fail", until=ready))
        daemon.start()
        bodies = [event() for _ in range(5)]
        for body in bodies:
            self.assertEqual(daemon.post(body).status, 200)
        self.assertEqual(daemon.stop(), 0)
        with sqlite3.connect(daemon.state / "inbox.db") as inbox:
            inbox.execute("DELETE FROM body WHERE seq = 3")
        inbox.close()
        ready.touch()
        daemon.start()
        daemon.wait_finished()
        self.assertEqual(daemon.dead(), 1)
        daemon.wait_log("event is damaged.*seq=3 ")
        self.assertEqual(daemon.post().status, 200)
        daemon.wait_finished()
        self.assertEqual(len(daemon.attempts()), 6)

    def test_runner_gone_is_watched_no_more_whoever_holds_its_pipe(self):
        daemon = self.daemon(section("p", "noop"))
        runner = daemon.wait_runner("p")
        if daemon.descriptors() is None:
            self.skipTest("no leave to look at the daemon's descriptors")
        watched = self.watched(daemon)
        # As a child does that is just being spawned: closing what it holds a
        # copy of takes nothing out of epoll.
        self.hold_pipes(daemon)
        os.kill(runner, signal.SIGKILL)
        daemon.wait_runner("p", 2)
        wait_for(lambda: self.watched(daemon) == watched,
                 "only the new runner to be watched")
        self.assertEqual(daemon.post().status, 200)
        daemon.wait_finished()

    def watched(self, daemon):
        """How many descriptors the daemon's epoll sets hold."""
        root = pathlib.Path(f"/proc/{daemon.process.pid}")
        return sum((root / "fdinfo" / fd.name).read_text().count("tfd:")
                   for fd in (root / "fd").iterdir()
                   if os.readlink(fd) == "anon_inode:[eventpoll]")

    def hold_pipes(self, daemon):
        """Copy the daemon's ends of pipes to us, until the test is over."""
        pidfd_getfd = 438  # the same on all machines
        pid_fd = os.pidfd_open(daemon.process.pid)
        self.addCleanup(os.close, pid_fd)
        for fd in pathlib.Path(f"/proc/{daemon.process.pid}/fd").iterdir():
            if os.readlink(fd).startswith("pipe:"):
                copy = ctypes.CDLL(None).syscall(pidfd_getfd, pid_fd,
                                                 int(fd.name), 0)
                self.assertGreaterEqual(copy, 0)
                self.addCleanup(os.close, copy)

    def test_log_that_nobody_reads_stops_nothing(self):
        daemon = self.daemon(section("good", "noop"), start=False)
        process = subprocess.Popen(
            [BIN, "serve", "-c", daemon.ini], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        daemon.process = process
        self.addCleanup(process.stderr.close)
        for line in process.stderr:
            if found := re.search(rb"serving.*? url=http://127.0.0.1:(\d+)", line):
                daemon.port = int(found.group(1))
                break
        for _ in range(600):  # at debug level: far more than a pipe holds
            self.assertEqual(daemon.post().status, 200)
        daemon.wait_finished()
        self.assertEqual(len(daemon.attempts()), 600)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(pegboard.PATIENCE_S), 0)

    def test_flood_of_lines_is_cut_and_hurts_nobody_else(self):
        daemon = self.daemon(
            section("p", "flood", "timeout = 1s", "retry = 1h..1h") +
            section("good", "noop"))
        body = event()
        self.assertEqual(daemon.post(body).status, 200)
        more = [event() for _ in range(20)]
        for one in more:
            self.assertEqual(daemon.post(one).status, 200)
            wait_for(lambda: daemon.handlers(one) == ["good"], "the other")
        wait_for(lambda: TIMEOUT in [outcome for _, outcome, _ in
                                     daemon.attempts(body, "p")],
                 "the flood to end")
        daemon.wait_log("says too much.*plugin=p dropped_lines=")
        self.assertLess(daemon.log_path.stat().st_size, 4 << 20)

    def test_verdict_that_waits_beats_the_deadline(self):
        daemon = self.daemon(start=False)
        ledger = Ledger(daemon.folder / "ledger")
        daemon.write_ini(ledger.section("p", "timeout = 1s", sleep_ms=200))
        daemon.start()
        body = event()
        self.assertEqual(daemon.post(body).status, 200)
        wait_for(ledger.begun, "the handler to begin")
        os.kill(daemon.process.pid, signal.SIGSTOP)
        wait_for(ledger.runs, "the handler to end")
        # Longer than the time-out, by the clock that the daemon goes by.
        since = os.times().elapsed
        wait_for(lambda: os.times().elapsed - since > 1.5, "the deadline")
        os.kill(daemon.process.pid, signal.SIGCONT)
        daemon.wait_finished()
        self.assertEqual(daemon.attempts(body, "p"), [(1, DONE, None)])
        self.assertEqual(ledger.ids(), [id_of(body)])

    def test_parent_that_ignores_sigchld_makes_no_difference(self):
        daemon = self.daemon(section("p", "noop"), wrapper=IGNORES_CHILDREN)
        pid = daemon.wait_runner("p")
        os.kill(pid if isinstance(pid, int) else pid[0], signal.SIGKILL)
        body = event()
        self.assertEqual(daemon.post(body).status, 200)
        daemon.wait_finished()
        self.assertEqual(daemon.handlers(body), ["p"])
        self.assertEqual(daemon.stop(), 0)

    def test_runner_that_hangs_up_does_not_keep_a_stop(self):
        daemon = self.daemon(section("p", "closes_fds", stay="yes"),
                             server="drain = 1s")
        daemon.wait_runner("p")
        self.assertEqual(daemon.post().status, 200)
        wait_for(lambda: daemon.query(
            "SELECT count(*) FROM delivery WHERE state = 1")[0][0],
            "the attempt")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_log("stopping")
        self.assertEqual(daemon.stop(), 0)

    def test_closed_standard_descriptors_are_not_ours(self):
        daemon = self.daemon(section("p", "noop"), start=False)
        script = ('exec "$0" serve -c "$1" <&- >&- 2>>"$2"')
        daemon.process = subprocess.Popen(
            ["sh", "-c", script, BIN, daemon.ini, daemon.log_path])
        daemon.mark = 0
        wait_for(lambda: daemon.log_path.exists() and daemon._serving(),
                 "the daemon to serve")
        for fd in (0, 1):
            self.assertEqual(
                os.readlink(f"/proc/{daemon.process.pid}/fd/{fd}"),
                "/dev/null")
        self.assertEqual(daemon.post().status, 200)
        daemon.wait_finished()


if __name__ == "__main__":
    pegboard.main()
