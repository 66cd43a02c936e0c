"""What the service manager is told: ready when a post would be stored, alive
while the loops turn, stopping when it was asked to."""

import os
import pathlib
import select
import shutil
import socket
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

    def test_unit_is_of_a_kind_that_waits(self):
        unit = (ROOT / "etc" / "pegboard.service").read_text()
        for line in ("Type=notify", "WatchdogSec=30s",
                     "RestartPreventExitStatus=2 3"):
            self.assertIn(f"\n{line}\n", unit)


if __name__ == "__main__":
    pegboard.main()
