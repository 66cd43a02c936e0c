"""A start of what was rolled back to, and signals that come while it starts."""

import json
import signal
import socket
import time

import pegboard
import reloads
from pegboard import event, id_of, section, wait_for


class TestCase(reloads.TestCase):

    def gated(self, daemon):
        """A plugin that can be loaded only while `gate` is there."""
        self.gate = daemon.folder / "gate"
        self.waits = daemon.folder / "gate.waits"
        return section("p", "ctor_gate", f"env.GATE = {self.gate}")

    def start_gated(self, daemon):
        """Until it waits for the gate, which is closed."""
        self.gate.unlink(missing_ok=True)
        self.waits.unlink(missing_ok=True)
        daemon.start(ready=False)
        wait_for(self.waits.exists, "it to be loaded")

    def rollback(self, daemon):
        return json.loads(self.run_command(
            "rollback", "-c", daemon.ini, "--json"))


class RolledBack(TestCase):

    def test_stop_while_it_is_loaded_does_not_undo_it(self):
        daemon = self.daemon(start=False)
        self.write_ini(daemon, self.gated(daemon))
        self.gate.touch()
        daemon.start()
        self.write_ini(daemon, section("q", "noop"))
        self.reload(daemon)
        self.rollback(daemon)
        daemon.stop()

        self.start_gated(daemon)
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn('msg="serving"', daemon.log_since_start())
        self.gate.touch()
        daemon.start()
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        self.assertEqual(daemon.handlers(body), ["p"])

    def test_there_and_back_again_is_still_a_way_to_go(self):
        daemon = self.serve(section("a", "noop"))
        self.write_ini(daemon, section("b", "noop"))
        self.reload(daemon)
        self.rollback(daemon)
        self.rollback(daemon)
        for end in daemon.stop, daemon.kill:  # serving what the file says
            end()
            daemon.start()
            self.pid(daemon, "b")
        self.assertEqual(self.changes(self.rollback(daemon)), {
            ("added", "plugin a"), ("removed", "plugin b")})

    def test_its_settings_hold_as_well_as_its_plugins(self):
        daemon = self.serve(section("p", "noop"))
        self.write_ini(daemon, section("p", "noop"),
                       more="[inbox]\nretention = 1s\n",
                       log="level = warn\nformat = json")
        self.reload(daemon)
        self.rollback(daemon)
        bodies = [event() for _ in range(5)]
        for body in bodies:
            daemon.post(body)
        daemon.wait_finished()
        daemon.stop()
        time.sleep(1.2)  # older than the retention that was rolled back
        daemon.start()
        last = event()
        daemon.post(last)
        daemon.wait_finished()
        daemon.wait_log('level=debug .*msg="attempt ended" .*' + id_of(last))
        daemon.stop()
        self.assertEqual(
            {id for id, in daemon.query("SELECT event_id FROM event")},
            {id_of(body) for body in [*bodies, last]})


class Signals(TestCase):

    def test_hangup_while_it_starts_is_a_reload_of_what_started(self):
        daemon = self.daemon(start=False)
        self.write_ini(daemon, self.gated(daemon))
        self.start_gated(daemon)
        self.send_hup(daemon)
        daemon.process.send_signal(signal.SIGUSR1)
        self.gate.touch()
        wait_for(daemon._serving, "the daemon to serve")
        wait_for(lambda: self.ends(daemon) == ["reloaded"], "the reload")
        daemon.wait_log('msg="state"')

    def test_stop_while_it_starts(self):
        daemon = self.daemon(start=False)
        self.write_ini(daemon, self.gated(daemon))
        self.start_gated(daemon)
        self.assertEqual(daemon.stop(), 0)

    def test_hangup_while_it_fails_to_start(self):
        daemon = self.daemon(start=False)
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        self.write_ini(daemon, self.gated(daemon),
                       listen=f"127.0.0.1:{taken.getsockname()[1]}")
        for _ in range(5):  # in different moments of its end
            self.start_gated(daemon)
            self.gate.touch()
            while daemon.process.poll() is None:
                self.send_hup(daemon)
            self.assertEqual(daemon.process.returncode, 1)


if __name__ == "__main__":
    pegboard.main()
