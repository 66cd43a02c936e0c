"""What is told of a reload whose old runners take their time, while others
come and go."""

import signal
import time

import pegboard
import reloads
from commands import FAILED, PARTLY
from locker import Locker
from pegboard import event, section, wait_for
from reloads import code_of, put, version_of, with_file

EVENTS = {"p": "succeeded", "q": "canceled"}


class Drains(reloads.TestCase):

    def start(self, drain="2s", names="p"):
        """Each plugin has a file of its own, and a gate."""
        daemon = self.daemon(start=False)
        self.server = f"drain = {drain}"
        self.lockers = {name: Locker(daemon.folder / name) for name in names}
        self.files = {name: put(daemon.folder / f"{name}.so",
                                code_of("locker")) for name in names}
        self.write(daemon)
        daemon.start()
        for name in names:
            self.pid(daemon, name)
        return daemon

    def write(self, daemon, more=""):
        self.write_ini(daemon, "".join(
            with_file(locker.section(name, "timeout = 5m",
                                     f"events = payment_intent.{EVENTS[name]}"), "locker",
                      self.files[name])
            for name, locker in self.lockers.items()) + more,
            server=self.server)

    def roll(self, name, number):
        put(self.files[name], version_of("locker", number))

    def gate(self, daemon, name):
        """An event that keeps the plugin busy until its gate is opened."""
        body = pegboard.event(f"payment_intent.{EVENTS[name]}", obj={
            "object": "balance", "metadata": {"gate": "1"}})
        daemon.post(body)
        wait_for(lambda: pegboard.id_of(body) in self.lockers[name].begun(),
                 "it to begin")
        return body

    def test_killed_ones_are_not_counted_again(self):
        daemon = self.start(drain="1s")
        self.gate(daemon, "p")
        self.roll("p", 2)
        answer = self.reload(daemon, exits=PARTLY)
        self.assertEqual((answer["result"], answer["killed"]), ("killed", 1))
        self.lockers["p"].open_gate()
        daemon.wait_finished()
        for number in range(3, 5):
            self.roll("p", number)
            answer = self.reload(daemon)
            self.assertEqual((answer["result"], answer["killed"]),
                             ("done", 0))

    def test_each_reload_waits_for_its_own(self):
        daemon = self.start(drain="25s", names="pq")
        for name in "pq":
            self.gate(daemon, name)
        asked = []
        for name in "pq":
            self.roll(name, 2)
            ended = len(self.ends(daemon))
            asked.append(self.in_background(daemon))
            wait_for(lambda: self.ends(daemon)[ended:], "COMMIT")
        self.lockers["p"].open_gate()
        self.assertEqual(asked[0].answer()["result"], "done")
        self.assertIsNone(asked[1].process.poll())
        self.lockers["q"].open_gate()
        self.assertEqual(asked[1].answer()["result"], "done")

    def test_what_was_asked_for_last_is_told(self):
        daemon = self.start(drain="2s")
        self.gate(daemon, "p")
        self.roll("p", 2)
        asked = self.in_background(daemon)
        daemon.wait_log('msg="reloaded"')
        self.write(daemon, more="[plugin nonsense]\npath = /nowhere\n")
        self.refuse(daemon, "nowhere")
        self.assertEqual(asked.answer(exits=PARTLY)["result"], "killed")
        last = self.status(daemon)["last_reload"]
        self.assertEqual(last["result"], "refused")
        self.assertIn("nonsense", last["detail"])

    def test_stop_while_a_try_waits_for_the_oldest(self):
        daemon = self.start(drain="25s")
        self.gate(daemon, "p")
        self.roll("p", 2)
        self.assertEqual(self.hup(daemon), "reloaded")
        self.roll("p", 3)
        asked = self.in_background(daemon, "--dry-run")
        wait_for(lambda: len(list((daemon.state / "plugins").iterdir())) == 3,
                 "SNAPSHOT")
        time.sleep(0.3)  # either way it waits
        daemon.process.send_signal(signal.SIGTERM)
        answer = asked.answer(exits=FAILED)
        self.assertEqual(answer["result"], "stopped")
        self.lockers["p"].open_gate()
        self.assertEqual(daemon.process.wait(pegboard.PATIENCE_S), 0)


class Stopping(reloads.TestCase):

    def test_second_signal_does_not_wait_for_a_listener_that_goes(self):
        port = reloads.free_port()
        options = {"server": "drain = 60s\nrequest_timeout = 60s"}
        daemon = self.serve(section("p", "noop"), **options,
                            listen=f"127.0.0.1:0, 127.0.0.1:{port}")
        self.pid(daemon, "p")
        daemon.port, first = port, daemon.port
        wire = self.wire(daemon)
        daemon.port = first
        wire.send(pegboard.post_bytes(event())[:-10])  # in work
        self.write_ini(daemon, section("p", "noop"), **options)
        self.assertEqual(self.hup(daemon), "reloaded")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_log('msg="stopping"')
        daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.process.wait(15), 0)

    def test_one_in_start_is_no_mistake_of_the_files(self):
        daemon = self.serve(section("p", "noop"))
        gate = daemon.folder / "gate"
        self.write_ini(daemon, section("p", "init_gate", gate=gate))
        asked = self.in_background(daemon)
        wait_for((daemon.folder / "gate.waits").exists, "START")
        daemon.process.send_signal(signal.SIGTERM)
        answer = asked.answer(exits=FAILED)
        self.assertEqual((answer["result"], answer["errors"]),
                         ("stopped", []))
        self.assertEqual(daemon.process.wait(pegboard.PATIENCE_S), 0)

    def test_one_that_had_not_begun_is_told_what_serves(self):
        daemon = self.serve(section("p", "noop"))
        gate = daemon.folder / "gate"
        self.write_ini(daemon, section("p", "init_gate", gate=gate))
        self.send_hup(daemon)
        wait_for((daemon.folder / "gate.waits").exists, "START")
        asked = self.in_background(daemon, "--dry-run")
        time.sleep(0.5)  # either way it is told
        daemon.process.send_signal(signal.SIGTERM)
        answer = asked.answer(exits=FAILED)
        self.assertEqual((answer["result"], answer["generation"]),
                         ("stopped", 1))
        self.assertIn("stopping", answer["detail"])
        self.assertEqual(daemon.process.wait(pegboard.PATIENCE_S), 0)


if __name__ == "__main__":
    pegboard.main()
