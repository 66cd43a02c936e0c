"""What the service manager is told: ready when a post would be stored, alive
while the loops turn, reloading and ready again, stopping when it was asked
to."""

import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pegboard
from pegboard import section, wait_for

ROOT = pathlib.Path(__file__).parents[2]


class Notify(pegboard.TestCase):

    def folder(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="pegboard-notify-"))
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def listen(self, name):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(name)
        return listener

    def hear(self, listener, within_s=pegboard.PATIENCE_S):
        """The next message, as a dict; None when there is none."""
        if not select.select([listener], [], [], within_s)[0]:
            return None
        lines = listener.recv(4096).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    def serve(self, name, plugins="", **env):
        daemon = self.daemon(plugins, start=False)
        daemon.env.update(NOTIFY_SOCKET=name, **env)
        return daemon.start(ready=False)

    def test_ready_means_that_a_post_is_taken(self):
        folder = self.folder()
        listener = self.listen(str(folder / "notify"))
        daemon = self.serve(str(folder / "notify"), section("p", "noop"))
        told = self.hear(listener)
        self.assertEqual(told["READY"], "1")
        self.assertRegex(told["STATUS"],
                         r"serving http://127\.0\.0\.1:\d+, 1 plugins")
        daemon.port = int(told["STATUS"].split(":")[2].split(",")[0])
        self.assertEqual(daemon.post().status, 200)
        self.assertIsNone(self.hear(listener, 0))  # no watchdog was asked for

    def test_alive_as_often_as_wanted_and_stopping_when_asked_to(self):
        name = f"pegboard-test-{os.getpid()}-{time.monotonic_ns()}"
        listener = self.listen("\0" + name)
        daemon = self.serve("@" + name, section("p", "noop"),
                            WATCHDOG_USEC="200000")
        self.assertEqual(self.hear(listener)["READY"], "1")
        for _ in range(4):
            self.assertEqual(self.hear(listener), {"WATCHDOG": "1"})
        wait_for(daemon._serving, "the daemon to serve")
        self.assertEqual(daemon.stop(), 0)
        told = []
        while (message := self.hear(listener, 0)) is not None:
            told.append(message)
        stopping = [message for message in told if "STOPPING" in message]
        self.assertEqual(len(stopping), 1)
        self.assertGreater(int(stopping[0]["EXTEND_TIMEOUT_USEC"]), 25_000_000)

    def test_a_watchdog_for_another_process_is_none_of_ours(self):
        folder = self.folder()
        listener = self.listen(str(folder / "notify"))
        self.serve(str(folder / "notify"), WATCHDOG_USEC="20000",
                   WATCHDOG_PID="1")
        self.assertEqual(self.hear(listener)["READY"], "1")
        self.assertIsNone(self.hear(listener, 0.2))

    def test_nobody_there_stops_nothing(self):
        for name in "/nowhere/notify", "relative", "@", "x" * 300:
            with self.subTest(name):
                daemon = self.serve(name)
                wait_for(daemon._serving, "the daemon to serve")
                daemon.wait_log("cannot reach the service manager")
                self.assertEqual(daemon.stop(), 0)

    def reload(self, daemon, listener):
        """SIGHUP; what is told at the end of it."""
        before_us = time.monotonic_ns() // 1000
        daemon.process.send_signal(signal.SIGHUP)
        told = self.hear(listener)
        self.assertEqual(told["RELOADING"], "1")
        self.assertLessEqual(before_us, int(told["MONOTONIC_USEC"]))
        self.assertLessEqual(int(told["MONOTONIC_USEC"]),
                             time.monotonic_ns() // 1000)
        told = self.hear(listener)
        self.assertEqual(told["READY"], "1")
        return told["STATUS"]

    def test_reload_is_over_also_when_it_is_refused(self):
        folder = self.folder()
        listener = self.listen(str(folder / "notify"))
        daemon = self.serve(str(folder / "notify"), section("p", "noop"))
        self.assertEqual(self.hear(listener)["READY"], "1")
        wait_for(daemon._serving, "the daemon to serve")
        daemon.write_ini(section("p", "noop") + section("q", "noop"))
        self.assertIn("serving", self.reload(daemon, listener))
        daemon.write_ini(section("p", "noop", "tiemout = 1s"))
        self.assertIn("refused", self.reload(daemon, listener))
        self.assertEqual(daemon.post().status, 200)
        self.assertIsNone(self.hear(listener, 0))

    def test_stop_during_a_reload_is_the_last_word(self):
        folder = self.folder()
        listener = self.listen(str(folder / "notify"))
        daemon = self.serve(str(folder / "notify"), section("p", "noop"))
        self.hear(listener)
        daemon.write_ini(section("p", "init_gate", gate=folder / "gate"))
        daemon.process.send_signal(signal.SIGHUP)
        self.assertEqual(self.hear(listener)["RELOADING"], "1")
        wait_for((folder / "gate.waits").exists, "START")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.hear(listener)["STOPPING"], "1")
        self.assertIsNone(self.hear(listener, 0))

    def test_alive_also_while_it_reloads(self):
        folder = self.folder()
        listener = self.listen(str(folder / "notify"))
        daemon = self.serve(str(folder / "notify"), section("p", "noop"),
                            WATCHDOG_USEC="200000")
        self.assertEqual(self.hear(listener)["READY"], "1")
        wait_for(daemon._serving, "the daemon to serve")
        daemon.write_ini(section("p", "init_gate", gate=folder / "gate"))
        daemon.process.send_signal(signal.SIGHUP)
        while "RELOADING" not in self.hear(listener):
            pass
        for _ in range(4):
            self.assertEqual(self.hear(listener), {"WATCHDOG": "1"})
        (folder / "gate").touch()
        while "READY" not in self.hear(listener):
            pass


class Unit(pegboard.TestCase):

    def test_it_waits_for_what_it_starts_and_reloads(self):
        unit = (ROOT / "etc" / "pegboard.service").read_text()
        for line in ("Type=notify", "WatchdogSec=30s",
                     "RestartPreventExitStatus=2 3",
                     "ExecReload=/usr/bin/pegboard reload --timeout 60s"):
            self.assertIn(f"\n{line}\n", unit)

    def test_systemd_understands_every_line(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze here")
        with tempfile.TemporaryDirectory(prefix="pegboard-unit-") as folder:
            unit = pathlib.Path(folder) / "pegboard.service"
            text = (ROOT / "etc" / "pegboard.service").read_text()
            unit.write_text(text.replace("/usr/bin/pegboard",
                                         str(pegboard.BIN)))
            result = subprocess.run(["systemd-analyze", "verify", unit],
                                    capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("pegboard.service", result.stderr)


if __name__ == "__main__":
    pegboard.main()
