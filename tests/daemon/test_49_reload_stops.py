"""Signals while plugins hang: at boot, and in the midst of a reload.

With PEGBOARD_LONG in the environment, how long a reload may hang as well."""

import json
import os
import signal
import time
import unittest

import pegboard
import reloads
from commands import FAILED
from locker import Locker, about
from pegboard import DONE, section, wait_for

PROMPT_S = 5  # a plugin may hang for 10 s


class TestCase(reloads.TestCase):

    def check_ends(self, daemon, number=signal.SIGTERM):
        """At once, well, and with all its processes."""
        pids = daemon.children()
        begun_s = time.monotonic()
        self.assertEqual(daemon.stop(number), 0)
        self.assertLess(time.monotonic() - begun_s, PROMPT_S)
        for pid in pids:
            with self.assertRaises(ProcessLookupError):
                os.kill(pid, 0)

    def wait_hanging(self, daemon, name="hangs"):
        """A runner of it is there, and has begun to hang or is about to."""
        return wait_for(lambda: daemon.runners(name), f"{name} to start")[0]


class Boot(TestCase):

    def boot(self, so):
        daemon = self.daemon(start=False)
        self.write_ini(daemon, section("hangs", so) + section("p", "noop"))
        daemon.start(ready=False)
        self.wait_hanging(daemon)
        return daemon

    def test_stop_in_a_constructor(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with self.subTest(number):
                daemon = self.boot("ctor_hang")
                self.check_ends(daemon, number)
                self.assertNotIn('msg="serving"', daemon.log())

    def test_stop_in_init(self):
        daemon = self.boot("init_hang")
        daemon.wait_log('msg="serving"')
        self.wait_hanging(daemon)
        self.check_ends(daemon)

    def test_other_signals_wait_for_it(self):
        daemon = self.daemon(start=False)
        gate = daemon.folder / "gate"
        self.write_ini(daemon, section("hangs", "ctor_gate",
                                       f"env.GATE = {gate}"))
        daemon.start(ready=False)
        self.wait_hanging(daemon)
        for number in signal.SIGHUP, signal.SIGUSR1:
            daemon.process.send_signal(number)
        gate.touch()
        for line in "serving", "state", "reloaded":
            daemon.wait_log(f'msg="{line}"')
        self.assertEqual(self.ends(daemon), ["reloaded"])


class Start(TestCase):
    """Of a reload."""

    def begin(self, so, *keys, server="", gated=False):
        daemon = self.daemon(start=False)
        self.locker = Locker(daemon.folder / "p")
        self.plugins = self.locker.section("p", "timeout = 1h")
        self.write_ini(daemon, self.plugins, server=server)
        daemon.start()
        self.pid(daemon, "p")
        self.body = about("pi_1", **({"gate": 1} if gated else {}))
        daemon.post(self.body)
        wait_for(self.locker.begun, "it to begin")
        self.write_ini(daemon, self.plugins + section("hangs", so, *keys),
                       server=server)
        self.asked = self.in_background(daemon)
        self.wait_hanging(daemon)
        return daemon

    def check_after(self, daemon):
        """The asker was told something; nothing is lost."""
        self.asked.process.wait(pegboard.PATIENCE_S)
        self.assertNotEqual(self.asked.process.returncode, 0)
        self.assertNotIn('msg="reloaded"', daemon.log())
        self.write_ini(daemon, self.plugins)
        daemon.start()
        self.locker.open_gate()
        daemon.wait_finished()
        self.assertEqual(self.attempts(daemon, self.body)[-1].outcome, DONE)

    def test_stop_in_a_constructor(self):
        daemon = self.begin("ctor_hang")
        self.check_ends(daemon)
        self.check_after(daemon)

    def test_stop_in_init(self):
        daemon = self.begin("init_hang")
        self.check_ends(daemon)
        self.check_after(daemon)

    def test_second_signal(self):
        """The first waits for the handler, the second for nothing."""
        for so in "ctor_hang", "init_hang":
            with self.subTest(so):
                daemon = self.begin(so, server="drain = 10m", gated=True)
                daemon.process.send_signal(signal.SIGTERM)
                daemon.wait_log('msg="stopping"')
                wait_for(lambda: not daemon.runners("hangs"),
                         "what hangs to be given up", PROMPT_S)
                self.assertIsNone(daemon.process.poll())
                self.check_ends(daemon)
                self.check_after(daemon)

    def test_signals_in_a_row(self):
        """A reload that hangs, one that waits, and the end."""
        daemon = self.begin("init_hang")
        others = [self.in_background(daemon) for _ in range(3)]
        self.send_hup(daemon)
        self.check_ends(daemon)
        for other in others:
            self.assertNotEqual(other.process.wait(pegboard.PATIENCE_S), 0)
        self.check_after(daemon)


class Limit(TestCase):

    COUNT = 8  # each may take 10 s, one after the other

    @unittest.skipUnless("PEGBOARD_LONG" in os.environ, "takes over a minute")
    def test_after_a_minute_all_is_given_up(self):
        daemon = self.serve(section("p", "tells_pid"))
        pid, number = self.pid(daemon, "p"), self.generation(daemon)
        self.write_ini(daemon, section("p", "tells_pid", "env.A = 1") + "".join(
            section(f"hangs{n}", "ctor_hang") for n in range(self.COUNT)))
        asked = self.in_background(daemon)
        begun_s = time.monotonic()
        while asked.process.poll() is None:
            self.handled(daemon, "p")
            self.assertLess(time.monotonic() - begun_s, 75)
        answer = asked.answer(exits=FAILED)
        self.assertEqual(answer["result"], "failed")
        self.assertIn("it takes more than 60 s", json.dumps(answer))
        self.assertAlmostEqual(answer["took_ms"], 60000, delta=3000)
        self.assertEqual(self.generation(daemon), number)
        self.assertEqual(daemon.runners(), [pid])
        self.check_no_others(daemon, 1)
        self.write_ini(daemon, section("p", "tells_pid", "env.A = 1"))
        self.assertEqual(self.changes(self.reload(daemon)),
                         {("rolled", "plugin p")})
        self.handled(daemon, "p")


if __name__ == "__main__":
    pegboard.main()
