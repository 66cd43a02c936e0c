"""`pegboard dev`: an event at the first command."""

import os
import re
import signal
import socket
import subprocess

import commands
import pegboard
from commands import CONFIG, FAILED, MISSING, OK, REFUSED, USAGE
from pegboard import BIN, FAULTS, PLUGINS, wait_for


TYPE = "payment_intent.succeeded"


class Dev(commands.TestCase):

    def setUp(self):
        self.runtime = self.folder()
        self.env = {"XDG_RUNTIME_DIR": str(self.runtime), "PEGBOARD_CONFIG": ""}

    def dev(self, *args, **kwargs):
        return self.run_command("dev", "--listen", "127.0.0.1:0", *args,
                                env=self.env, cwd=self.runtime, **kwargs)

    def start_dev(self, *args):
        process = subprocess.Popen(
            [BIN, "dev", "--listen", "127.0.0.1:0", *args],
            env=dict(os.environ, **self.env), cwd=self.runtime, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def check_cleaned_up(self):
        self.assertEqual(list(self.runtime.glob("pegboard-dev/*")), [])

    def test_once_shows_the_event_the_answer_and_the_verdict(self):
        lines = self.dev("--trigger", TYPE, "--once",
                         PLUGINS / "receipts.so").splitlines()
        now = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        self.assertRegex(lines[0], rf"^{now}   --> {TYPE} \[evt_\w+\]$")
        id = lines[0].split()[-1]
        self.assertEqual(len(lines), 3)
        answer, verdict = sorted(lines[1:], key=lambda line: "[done]" in line)
        self.assertRegex(answer, rf"^{now}  <--  \[200\] POST /webhook \d+ ms ")
        self.assertRegex(verdict, rf"^{now}  <--  \[done\] receipts \d+ ms ")
        self.assertTrue(answer.endswith(id) and verdict.endswith(id))
        self.assertRegex(self.stderr, r"Ready! Accepting on http://127\.0\.0"
                         r"\.1:\d+/webhook, signing secret whsec_\w+ ")
        self.check_cleaned_up()

    def test_once_without_plugins_uses_the_shipped_ones(self):
        text = self.dev("--trigger", "charge.dispute.created", "--once")
        self.assertIn("[done] disputes", text)

    def test_once_ends_with_1_when_the_plugin_fails(self):
        text = self.dev("--trigger", TYPE, "--once", FAULTS / "fail.so",
                        exits=FAILED)
        self.assertRegex(text, r"<--  \[dead\] fail \d+ ms  no such order \[")
        self.check_cleaned_up()

    def test_trigger_finds_it_by_itself(self):
        dev = self.start_dev(PLUGINS / "receipts.so")
        wait_for(lambda: "Ready!" in dev.stderr.readline(), "it to be ready")
        text = self.run_command("trigger", TYPE, env=self.env, cwd=self.runtime)
        id = re.search(r"<--  \[200\] POST .* \[(\w+)\]\n", text)[1]
        wait_for(lambda: "[done] receipts" in dev.stdout.readline(),
                 "the verdict")
        dev.send_signal(signal.SIGINT)
        self.assertIn(id, dev.communicate()[1])
        self.assertEqual(dev.returncode, OK)
        self.check_cleaned_up()

    def test_busy_port_is_told(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.run_command("dev", "--listen", address, FAULTS / "noop.so",
                             env=self.env, cwd=self.runtime, exits=FAILED)
        self.assertIn(f"cannot listen on {address}", self.stderr)
        self.assertIn("choose one with", self.stderr)
        self.check_cleaned_up()

    def test_mistakes(self):
        self.dev("--once", exits=USAGE)
        self.assertIn("--once needs --trigger", self.stderr)
        self.dev("/no/such.so", exits=MISSING)
        self.dev(FAULTS / "size0.so", exits=CONFIG)
        self.dev("--trigger", "no.such", "--once", FAULTS / "noop.so",
                 exits=MISSING)
        self.check_cleaned_up()

    def test_folder_that_others_can_open_is_refused(self):
        (self.runtime / "pegboard-dev").mkdir(mode=0o755)
        self.dev(FAULTS / "noop.so", exits=REFUSED)


if __name__ == "__main__":
    pegboard.main()
