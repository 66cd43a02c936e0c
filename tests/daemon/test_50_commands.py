"""The commands beside `serve`: what they print, and how they end."""

import json
import os
import re
import signal
import subprocess

import commands
import pegboard
from commands import CONFIG, FAILED, MISSING, OK, REFUSED, USAGE
from pegboard import BIN, FAULTS, PLUGINS, event, section, wait_for


TYPE = "payment_intent.succeeded"


class Help(commands.TestCase):

    def test_help_lists_every_command(self):
        listed = self.run_command("help")
        self.assertEqual(self.run_command("--help"), listed)
        for name in ("serve", "dev", "check", "trigger", "verify", "try",
                     "plugins list", "plugins inspect", "reload", "rollback",
                     "secret", "version"):
            with self.subTest(name):
                self.assertIn(f"\n  {name} ", listed)
                help = self.run_command("help", *name.split())
                self.assertTrue(help.startswith(f"usage: pegboard {name} "))
                self.assertEqual(self.run_command(*name.split(), "-h"), help)

    def test_help_config_is_a_file_itself(self):
        text = self.run_command("help", "config")
        for line in ("[server]", "listen = 127.0.0.1:4242", "[plugin NAME]",
                     "retry = 5s..4h"):
            self.assertIn(f"{line}\n", text)

    def test_no_command_shows_the_list_on_stderr(self):
        self.assertEqual(self.run_command(exits=USAGE), "")
        self.assertIn("usage: pegboard COMMAND", self.stderr)

    def test_version(self):
        text = self.run_command("version")
        version = re.fullmatch(r"pegboard (\d+\.\d+\.\d+)\n", text)[1]
        self.assertEqual(self.run_command("--version"), text)
        self.assertEqual(json.loads(self.run_command("version", "--json")),
                         {"version": version})

    def test_unknown_words_are_usage_errors_with_a_suggestion(self):
        for args, said in (
                (["trigggr"], 'did you mean "trigger"?'),
                (["plugins", "lst"], "there are: plugins list, plugins inspect"),
                (["help", "nothing"], 'no command "nothing"'),
                (["check", "--confg", "x"], "did you mean --config?"),
                (["trigger", "--cuont=3"], "did you mean --count?"),
                (["trigger", "--count"], "--count needs a value"),
                (["version", "--json=yes"], "--json takes no value"),
                (["check", "-x"], "unknown flag -x"),
                (["check", "extra"], 'unexpected argument "extra"'),
                (["try", "one.so"], "missing argument")):
            with self.subTest(args):
                self.assertEqual(self.run_command(*args, exits=USAGE), "")
                self.assertIn(said, self.stderr)


class Plugins(commands.TestCase):

    def test_check_of_a_good_file(self):
        ini = self.daemon(section("p", "noop"), start=False).ini
        self.assertEqual(self.run_command("check", "-c", ini),
                         f"{ini}: ok: 1 endpoint, 1 plugin\n")
        self.assertEqual(
            json.loads(self.run_command("check", "--json", "-c", ini)),
            {"ok": True, "endpoints": 1, "plugins": 1})

    def test_check_runs_init(self):
        ini = self.daemon(section("p", "init_fail"), start=False).ini
        self.assertEqual(self.run_command("check", "-c", ini, exits=CONFIG), "")
        self.assertRegex(self.stderr,
                         rf'{ini}:\d+: plugin "p": init\(\) returned 5: '
                         "cannot reach the database")
        self.run_command("check", "--no-init", "-c", ini)

    def test_check_tells_of_every_plugin_that_does_not_start(self):
        ini = self.daemon(section("good", "goodbye", "concurrency = 10") +
                          section("p", "init_fail", "concurrency = 3") +
                          section("q", "init_crash"), start=False).ini
        self.assertEqual(self.run_command("check", "-c", ini, exits=CONFIG), "")
        self.assertRegex(self.stderr, r'plugin "p": init\(\) returned 5: ')
        self.assertRegex(self.stderr, r'plugin "q": init\(\) ends the process: '
                         r"killed by signal 6 \(SIGABRT\)")
        self.assertIn("2 plugins would not start", self.stderr)
        self.assertEqual(self.stderr.count('plugin "'), 2)

    def interrupt_check(self, plugin, gate):
        """While the plugin waits for its gate."""
        daemon = self.daemon(plugin, start=False)
        tmp = daemon.folder / "tmp"
        tmp.mkdir()
        check = subprocess.Popen(
            [BIN, "check", "-c", daemon.ini], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=dict(os.environ, TMPDIR=str(tmp)))
        self.addCleanup(check.communicate)
        self.addCleanup(check.kill)
        wait_for(gate.with_name("gate.waits").exists, "it to wait")
        check.send_signal(signal.SIGINT)
        self.assertEqual(check.wait(pegboard.PATIENCE_S), -signal.SIGINT)
        self.assertEqual(list(tmp.iterdir()), [])

    def test_interrupted_check_leaves_nothing_behind(self):
        gate = self.folder() / "gate"
        self.interrupt_check(
            section("p", "ctor_gate", f"env.GATE = {gate}"), gate)
        gate = self.folder() / "gate"
        self.interrupt_check(section("p", "init_gate", gate=gate), gate)

    def test_check_without_a_file(self):
        self.run_command("check", "-c", "/no/such.ini", exits=CONFIG)
        self.assertIn("/no/such.ini: cannot be read", self.stderr)

    def test_list(self):
        ini = self.daemon(section("mine", "receipts", f"events = {TYPE}") +
                          section("off", "noop", "enabled = no"),
                          start=False).ini
        text = self.run_command("plugins", "list", "-c", ini)
        self.assertRegex(text, rf"(?m)^mine +1\.0 +[0-9a-f]{{12}} {TYPE}$")
        self.assertRegex(text, r"(?m)^off +- +- +\(not enabled\)$")
        listed = json.loads(
            self.run_command("plugins", "list", "--json", "-c", ini))
        self.assertEqual([(p["name"], p["events"]) for p in listed],
                         [("mine", [TYPE])])

    def test_inspect(self):
        file = FAULTS / "ledger.so"
        text = self.run_command("plugins", "inspect", file)
        self.assertRegex(text, r"(?m)^name +ledger$")
        self.assertRegex(text, r"(?m)^events +\*$")
        self.assertRegex(text, r"(?m)^  file +path +required +where to write$")
        plugin = json.loads(
            self.run_command("plugins", "inspect", "--json", file))
        self.assertEqual((plugin["name"], plugin["abi"]), ("ledger", "1.0"))
        self.assertEqual(plugin["options"][1], {
            "name": "sleep_ms", "type": "int", "required": False,
            "secret": False, "default": "0",
            "help": "time that each event takes"})

    def test_inspect_of_no_plugin(self):
        self.run_command("plugins", "inspect", "/no/such.so", exits=MISSING)
        self.run_command("plugins", "inspect", BIN, exits=CONFIG)
        self.run_command("plugins", "inspect", FAULTS / "size0.so",
                         exits=CONFIG)
        self.assertIn(".size is 0", self.stderr)


class Try(commands.TestCase):

    def test_verdicts(self):
        for so, exits, said in (("noop", OK, "done\n"),
                                ("skip", OK, "skip: not for me\n"),
                                ("fail", FAILED, "fail: no such order\n"),
                                ("retry", FAILED,
                                 "retry in 5000 ms: the backend is down\n")):
            with self.subTest(so):
                self.assertEqual(
                    self.run_command("try", FAULTS / f"{so}.so", "-",
                                     exits=exits, input=event().decode()),
                    said)

    def test_options_and_repeats(self):
        said = self.run_command("try", FAULTS / "retry.so", "-", "-o",
                                "delay=7ms", "--repeat", "3", exits=FAILED,
                                input=event().decode())
        self.assertEqual(said, "retry in 7 ms: the backend is down\n" * 3)

    def test_what_is_missing_or_wrong(self):
        body = event().decode()
        for args, exits, said in (
                ([FAULTS / "noop.so", "/no/such"], MISSING, "No such file"),
                ([FAULTS / "size0.so", "-"], CONFIG, ".size is 0"),
                ([FAULTS / "ledger.so", "-"], CONFIG, "file is required"),
                ([FAULTS / "noop.so", "-", "-o", "x=1"], CONFIG,
                 'no option "x"')):
            with self.subTest(args):
                self.run_command("try", *args, exits=exits, input=body)
                self.assertIn(said, self.stderr)

    def test_trigger_prints_what_try_takes(self):
        body = self.run_command("trigger", TYPE, "--print", "-c",
                                self.daemon(start=False).ini)
        self.assertEqual(self.run_command("try", PLUGINS / "receipts.so", "-",
                                          input=body), "done\n")
        self.assertIn("PaymentIntent was successful!", self.stderr)


class Secret(commands.TestCase):

    def test_secret_is_new_each_time(self):
        first, second = (self.run_command("secret") for _ in range(2))
        self.assertRegex(first, r"^whsec_[A-Za-z0-9]{32}\n$")
        self.assertNotEqual(first, second)

    def test_file_is_private_and_never_overwritten(self):
        file = self.folder() / "secret"
        self.assertEqual(self.run_command("secret", "--file", file), "")
        text = file.read_text()
        self.assertRegex(text, r"^whsec_[A-Za-z0-9]{32}\n$")
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.run_command("secret", "--file", file, exits=REFUSED)
        self.assertEqual(file.read_text(), text)


if __name__ == "__main__":
    pegboard.main()
