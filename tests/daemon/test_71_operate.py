"""The commands that operate a running daemon: what they see, what they change,
and how they end."""

import contextlib
import json
import os
import pty
import subprocess
import time

import commands
import pegboard
from commands import CONFIG, MISSING, NO_DAEMON, PARTLY, REFUSED, USAGE
from pegboard import BIN, Ledger, event, id_of, section, wait_for

TIMED_OUT = 8


def lines(text):
    """The objects of JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


class TestCase(commands.TestCase):

    def operate(self, daemon, *args, **kwargs):
        """A command about that daemon: its standard output."""
        return self.run_command(*args, "-c", daemon.ini, **kwargs)

    def objects(self, daemon, *args, **kwargs):
        return lines(self.operate(daemon, *args, "--json", **kwargs))

    def ids(self, daemon, *filters):
        """The ids that `events list` shows, newest first."""
        return [e["id"] for e in self.objects(daemon, "events", "list", *filters,
                                              "--all")]

    def change(self, daemon, plugins):
        """Serve other plugins from now on."""
        self.assertEqual(daemon.stop(), 0)
        daemon.write_ini(plugins)
        daemon.start()

    def posted(self, daemon, count=1, **kwargs):
        """Post events and wait until all is done with them; their ids."""
        bodies = [event(**kwargs) for _ in range(count)]
        for body in bodies:
            self.assertEqual(daemon.post(body).status, 200)
        daemon.wait_finished()
        return [id_of(body) for body in bodies]


class Looking(TestCase):

    def test_events_are_listed_newest_first_by_filters(self):
        daemon = self.daemon(section("p", "noop"))
        bodies = [event(type="invoice.paid", account="acct_1"),
                  event(type="invoice.sent", livemode=True),
                  event(obj={"id": "pi_x", "object": "payment_intent",
                             "customer": "cus_1"})]
        for body in bodies:
            daemon.post(body)
        daemon.wait_finished()
        a, b, c = map(id_of, bodies)
        for filters, expected in (
                ([], [c, b, a]),
                (["--type", "invoice.*"], [b, a]),
                (["--type", "invoice.paid", "--type", "invoice.sent"], [b, a]),
                (["--type", "invoice.*", "--live"], [b]),
                (["--test"], [c, a]),
                (["--object", "pi_x"], [c]),
                (["--customer", "cus_1"], [c]),
                (["--account", "acct_1"], [a]),
                (["--state", "done"], [c, b, a]),
                (["--state", "dead"], []),
                (["--plugin", "p"], [c, b, a]),
                (["--since", "1h"], [c, b, a]),
                (["--until", "1h"], []),
                ([a, c], [c, a]),
                ([a, "--type", "invoice.sent"], [])):
            with self.subTest(filters):
                self.assertEqual(self.ids(daemon, *filters), expected)
        text = self.operate(daemon, "events", "list", "--limit", "1")
        self.assertRegex(text, rf"(?m)^20[-: \d]+  done +{c} ")
        self.assertIn("--all", self.stderr)
        self.operate(daemon, "events", "list", "--plugin", "q", exits=MISSING)
        self.assertEqual(
            self.operate(daemon, "events", "list", "-", "-q", "--json",
                         input=f"{a}\n").count("\n"), 1)

    def test_one_event_is_shown_whole(self):
        daemon = self.daemon(section("p", "fail") + section("q", "noop"))
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        daemon.post(body)
        daemon.post(body[:-1] + b" }")
        text = self.operate(daemon, "events", "show", id_of(body))
        self.assertRegex(text, r"(?m)^p +dead +1 +- +no such order$")
        self.assertRegex(text, r"(?m)^q +done +1 ")
        self.assertRegex(text, r"(?m)^  20[-: \d]+  p 1  \[fail\]  \d+ ms  "
                               "no such order$")
        self.assertIn("OTHER BYTES", text)
        shown, = self.objects(daemon, "events", "show", id_of(body))
        self.assertEqual(shown["state"], "dead")
        self.assertEqual([d["plugin"] for d in shown["deliveries"]],
                         ["p", "q"])
        exact = subprocess.run([BIN, "events", "show", id_of(body), "--body",
                                "-c", daemon.ini], capture_output=True)
        self.assertEqual(exact.stdout, body)
        self.operate(daemon, "events", "show", "evt_none", exits=MISSING)
        self.assertIn('no event "evt_none"', self.stderr)

    def test_crash_evidence_is_shown(self):
        daemon = self.daemon(section("p", "poison", "retry = 100ms..100ms",
                                     pegboard.DEADLY,
                                     file=self.folder() / "handled"))
        bad = event(obj={"id": "pi_poison"})
        daemon.post(bad)
        daemon.post(event())
        wait_for(lambda: daemon.dead() == 1, "the event to be dead", 90)
        text = self.operate(daemon, "events", "show", id_of(bad))
        self.assertIn("[crash]", text)
        self.assertIn("ended by SIGSEGV", text)
        self.assertIn("| ", text)

    def test_export_is_oldest_first_with_exact_payloads(self):
        daemon = self.daemon(section("p", "noop"))
        bodies = [event(big=12345678901234567890123, n=i) for i in range(3)]
        for body in bodies:
            daemon.post(body)
        text = self.operate(daemon, "events", "export", "--since", "1h")
        self.assertEqual([line["payload"] for line in lines(text)],
                         list(map(json.loads, bodies)))
        self.assertIn(":12345678901234567890123,", text)

    def test_status(self):
        daemon = self.daemon(section("p", "fail"))
        self.posted(daemon, 2)
        text = self.operate(daemon, "status")
        self.assertRegex(text, r"^pegboard [\d.]+   up .* ready ")
        self.assertIn("see pegboard dead --plugin p", text)
        status, = self.objects(daemon, "status")
        self.assertEqual((status["ready"], status["dead"]), (True, 2))
        self.assertEqual(self.operate(daemon, "status", "--ready"), "")
        self.assertEqual(daemon.stop(), 0)
        self.operate(daemon, "status", "--ready", exits=NO_DAEMON)
        self.assertIn("pegboard serve -c", self.stderr)
        daemon.start()
        daemon.kill()  # which leaves the address behind
        self.operate(daemon, "status", exits=NO_DAEMON)

    def test_token_is_needed(self):
        daemon = self.daemon(section("p", "noop"))
        wrong = daemon.folder / "wrong"
        wrong.write_text("pgb_op_" + "0" * 64 + "\n")
        wrong.chmod(0o600)
        self.operate(daemon, "status", "--token-file", wrong, exits=REFUSED)
        self.operate(daemon, "status", "--token-file", "/no/such",
                     exits=MISSING)
        self.operate(daemon, "status", "--url", "http://192.0.2.1",
                     exits=USAGE)

    def test_mistakes_are_told(self):
        daemon = self.daemon(section("p", "noop"), start=False)
        for args, said in ((["evnts", "list"], "unknown command"),
                           (["events", "lst"], "events list, events show"),
                           (["replya"], 'did you mean "replay"?'),
                           (["replay"], "this would replay everything"),
                           (["discard", "--reason", "x"], "everything"),
                           (["discard", "evt_1"], "--reason"),
                           (["dead", "--stat", "x"], "did you mean --state?"),
                           (["dead", "--state", "daed"], "did you mean dead?"),
                           (["replay", "--plugin", ""], "is empty"),
                           (["plugins", "pause", "p"], "--reason")):
            with self.subTest(args):
                self.run_command(*args, exits=USAGE)
                self.assertIn(said, self.stderr)


class Tail(TestCase):

    def tail(self, daemon, *args):
        """A running `events tail`, and its output's file."""
        out = daemon.folder / "tail"
        with open(out, "wb") as file:
            process = subprocess.Popen(
                [BIN, "events", "tail", "-c", daemon.ini, *args], stdout=file,
                stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        self.assertEqual(process.stderr.readline(), "listening; ^C ends it\n")
        return process, out

    def test_lines_are_those_of_the_stripe_cli(self):
        daemon = self.daemon(section("p", "noop"))
        process, out = self.tail(daemon)
        id, = self.posted(daemon)
        text = wait_for(lambda: out.read_text().count("\n") == 3 and
                        out.read_text(), "three lines")
        stamp = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
        for line in (rf"{stamp}   --> payment_intent.succeeded \[{id}\]",
                     rf"{stamp}  <--  \[200\] POST /webhook \d+ ms \[{id}\]",
                     rf"{stamp}  <--  \[done\] p \d+ ms \[{id}\]"):
            self.assertRegex(text, f"(?m)^{line}$")
        daemon.stop()
        self.assertEqual(process.wait(pegboard.PATIENCE_S), NO_DAEMON)

    def test_filters(self):
        daemon = self.daemon(section("p", "noop") + section("q", "noop"))
        _, out = self.tail(daemon, "--type", "invoice.*", "--plugin", "q",
                           "--json")
        self.posted(daemon)
        id, = self.posted(daemon, type="invoice.paid")
        wait_for(lambda: out.read_text().endswith("\n"), "a line")
        line, = lines(out.read_text())
        self.assertEqual((line["event"], line["plugin"], line["event_id"]),
                         ("delivered", "q", id))


class Dead(TestCase):

    def test_groups_by_cause(self):
        daemon = self.daemon(section("p", "fail") +
                             section("q", "retry", "max_attempts = 1"))
        ids = self.posted(daemon, 3)
        groups = self.objects(daemon, "dead")
        self.assertEqual(
            {(g["plugin"], g["outcome"], g["cause"], g["count"])
             for g in groups},
            {("p", "fail", "no such order", 3),
             ("q", "retry", "the backend is down", 3)})
        self.assertIn(groups[0]["sample_event_id"], ids)
        text = self.operate(daemon, "dead", "--plugin", "p")
        self.assertRegex(text, r"(?m)^3 +p +payment_intent.succeeded +fail .*"
                               " no such order$")
        self.assertIn("pegboard replay --state dead --plugin p", self.stderr)

    def test_mended_plugin_gets_them_again(self):
        daemon = self.daemon(section("p", "fail"))
        ids = self.posted(daemon, 5)
        ledger = Ledger(daemon.folder / "ledger")
        self.change(daemon, ledger.section("p"))
        self.assertEqual(self.operate(daemon, "replay", "--state", "dead",
                                      "--dry-run").split(",")[0],
                         "5 deliveries match")
        self.assertEqual(ledger.ids(), [])
        said = self.operate(daemon, "replay", "--state", "dead", "--plugin",
                            "p", "--wait", "--reason", "mended")
        self.assertEqual(said, "done: 5 done, 0 dead\n")
        self.assertEqual(ledger.ids(), ids)  # oldest first
        self.assertEqual(self.ids(daemon, "--state", "dead"), [])
        job, = self.objects(daemon, "jobs", "list")
        self.assertEqual((job["kind"], job["reason"], job["done"]),
                         ("replay", "mended", 5))
        self.assertIn("5 of 5 moved",
                      self.operate(daemon, "jobs", "show", job["id"]))
        self.operate(daemon, "jobs", "cancel", job["id"], exits=REFUSED)
        self.operate(daemon, "jobs", "show", "job_999", exits=MISSING)

    def test_some_die_again(self):
        daemon = self.daemon(section("p", "fail"))
        ids = self.posted(daemon, 2)
        said = self.operate(daemon, "replay", *ids, "--wait", exits=PARTLY)
        self.assertEqual(said, "done: 0 done, 2 dead\n")
        job, = self.objects(daemon, "events", "resend", ids[0], "--wait",
                            exits=PARTLY)
        self.assertEqual((job["total"], job["dead"]), (1, 1))

    def test_rate_is_kept(self):
        daemon = self.daemon(section("p", "fail"))
        self.posted(daemon, 30)
        ledger = Ledger(daemon.folder / "ledger")
        self.change(daemon, ledger.section("p"))
        begin = time.monotonic()
        self.operate(daemon, "replay", "--state", "dead", "--wait", "--rate",
                     "20")
        self.assertGreater(time.monotonic() - begin, 1)
        runs = ledger.runs()
        self.assertGreater(runs[-1].begin_us - runs[0].begin_us, 1000000)

    def test_wide_work_needs_yes(self):
        daemon = self.daemon(section("p", "noop", "concurrency = 8"))
        self.posted(daemon, 101)
        self.operate(daemon, "replay", "--type", "*", exits=REFUSED)
        self.assertIn("101 deliveries match", self.stderr)
        self.assertEqual(self.operate(daemon, "replay", "--type", "*", "--yes",
                                      "--rate", "0", "--wait"),
                         "done: 101 done, 0 dead\n")

    def on_terminal(self, daemon, *args, typed):
        """The exit code of a command on a terminal, and all it shows there."""
        master, slave = pty.openpty()
        process = subprocess.Popen([BIN, *args, "-c", daemon.ini], stdin=slave,
                                   stdout=slave, stderr=slave,
                                   env=dict(os.environ, TERM="xterm"))
        os.close(slave)
        os.write(master, typed)
        shown = b""
        with contextlib.suppress(OSError):  # at the end of a terminal
            while chunk := os.read(master, 4096):
                shown += chunk
        os.close(master)
        return process.wait(pegboard.PATIENCE_S), shown.decode()

    def test_terminal_is_asked_and_shown_a_bar(self):
        daemon = self.daemon(section("p", "noop", "concurrency = 8"))
        self.posted(daemon, 101)
        args = ["replay", "--plugin", "p", "--rate", "200"]
        code, shown = self.on_terminal(daemon, *args, typed=b"n\n")
        self.assertEqual(code, REFUSED)
        self.assertIn("replay them? [y/N]", shown)
        code, shown = self.on_terminal(daemon, *args, typed=b"y\n")
        self.assertEqual(code, 0)
        self.assertRegex(shown, r"job_\d+ \[#*-+\]  \d+/101  done \d+")
        self.assertTrue(shown.endswith("done: 101 done, 0 dead\r\n"))

    def test_timeout_leaves_the_job(self):
        daemon = self.daemon(section("p", "retry", "max_attempts = 1"))
        ids = self.posted(daemon, 3)
        self.change(daemon, section("p", "retry"))
        self.operate(daemon, "replay", *ids, "--wait", "--timeout", "500ms",
                     exits=TIMED_OUT)
        self.assertIn("pegboard jobs show job_", self.stderr)

    def test_job_is_cancelled(self):
        daemon = self.daemon(section("p", "noop"))
        ids = self.posted(daemon, 10)
        id = self.operate(daemon, "replay", *ids, "--rate", "1",
                          "--no-wait").strip()
        job, = self.objects(daemon, "jobs", "cancel", id)
        self.assertEqual(job["state"], "cancelled")
        self.assertLess(job["moved"], 10)

    def test_discard(self):
        daemon = self.daemon(section("p", "fail"))
        ids = self.posted(daemon, 3)
        self.operate(daemon, "discard", "--type", "*", "--reason", "r",
                     exits=REFUSED)
        self.operate(daemon, "discard", "--state", "done", "--reason", "r",
                     "--yes", exits=USAGE)
        said = self.operate(daemon, "discard", ids[0], "--reason", "by hand",
                            "--wait")
        self.assertEqual(said, "done: 1 discarded\n")
        self.assertEqual(self.ids(daemon, "--state", "discarded"), [ids[0]])
        self.operate(daemon, "discard", "--type", "*", "--reason", "r",
                     "--yes", "--wait")
        self.assertEqual(daemon.dead(), 0)
        self.operate(daemon, "discard", ids[0], "--reason", "r", exits=MISSING)
        self.operate(daemon, "discard", "--type", "*", "--reason", "r")
        self.assertIn("by hand",
                      self.operate(daemon, "events", "show", ids[0]))


class Plugins(TestCase):

    def test_a_plugin_added_later_gets_past_events(self):
        daemon = self.daemon(section("p", "noop"))
        paid = self.posted(daemon, 3, type="invoice.paid")
        self.posted(daemon, 2)
        ledger = Ledger(daemon.folder / "ledger")
        self.change(daemon, section("p", "noop") +
                    ledger.section("new", "events = invoice.*"))
        said = self.operate(daemon, "replay", "--plugin", "new", "--since",
                            "7d", "--wait")
        self.assertEqual(said, "done: 3 done, 0 dead\n")
        self.assertEqual(ledger.ids(), paid)
        self.operate(daemon, "replay", "--plugin", "nw", "--since", "7d",
                     exits=MISSING)

    def test_pause_holds_and_resume_delivers(self):
        ledger_file = self.folder() / "ledger"
        ledger = Ledger(ledger_file)
        daemon = self.daemon(ledger.section("p"))
        said = self.operate(daemon, "plugins", "pause", "p", "--reason",
                            "db moves", "--for", "30m")
        self.assertRegex(said, r"^p: paused until 20[-: \d]+\n$")
        body = event()
        daemon.post(body)
        self.assertEqual(self.ids(daemon, "--state", "held"), [id_of(body)])
        text = self.operate(daemon, "plugins", "show", "p")
        self.assertRegex(text, r"(?m)^because +db moves$")
        self.assertRegex(text, r"(?m)^waiting +1 ")
        self.assertIn("db moves, until", self.operate(daemon, "status"))
        self.assertRegex(self.operate(daemon, "plugins", "list"),
                         r"(?m)^p +1\.0 +[0-9a-f]{12} paused +\*$")
        self.operate(daemon, "plugins", "resume", "p")
        daemon.wait_finished()
        self.assertEqual(ledger.ids(), [id_of(body)])
        self.operate(daemon, "plugins", "pause", "q", "--reason", "x",
                     exits=MISSING)
        self.operate(daemon, "plugins", "show", "q", exits=MISSING)

    def test_list_shows_live_states(self):
        daemon = self.daemon(section("p", "noop"))
        daemon.wait_runner("p")
        listed = json.loads(self.operate(daemon, "plugins", "list", "--json"))
        self.assertEqual([(p["name"], p["state"]) for p in listed],
                         [("p", "running")])
        daemon.stop()
        listed = json.loads(self.operate(daemon, "plugins", "list", "--json"))
        self.assertNotIn("state", listed[0])


class Offline(TestCase):

    def test_inbox_is_read_and_changed_without_a_daemon(self):
        daemon = self.daemon(section("p", "fail"))
        ids = self.posted(daemon, 3)
        self.operate(daemon, "events", "list", "--offline", exits=REFUSED)
        self.assertIn("a daemon runs", self.stderr)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.ids(daemon, "--offline"), ids[::-1])
        group, = self.objects(daemon, "dead", "--offline")
        self.assertEqual(group["count"], 3)
        self.assertEqual(
            self.operate(daemon, "discard", ids[0], "--reason", "r",
                         "--offline"), "done: 1 discarded\n")
        said = self.operate(daemon, "replay", "--state", "dead", "--offline",
                            "--rate", "0")
        self.assertEqual(said, "done: 2 queued, for when the daemon runs\n")
        self.assertIn("not running", self.operate(daemon, "status",
                                                  "--offline"))
        ledger = Ledger(daemon.folder / "ledger")
        daemon.write_ini(ledger.section("p"))
        daemon.start()
        daemon.wait_finished()
        self.assertEqual(ledger.ids(), ids[1:])

    def test_broken_plugins_do_not_matter(self):
        daemon = self.daemon(section("p", "fail"))
        ids = self.posted(daemon)
        daemon.stop()
        daemon.write_ini("[plugin p]\npath = /no/such.so\n")
        self.assertEqual(self.ids(daemon, "--offline"), ids)
        daemon.write_ini(more="[servr]\n")
        self.operate(daemon, "events", "list", "--offline", exits=CONFIG)

    def test_no_inbox_is_not_made(self):
        daemon = self.daemon(section("p", "noop"), start=False)
        self.operate(daemon, "status", "--offline", exits=MISSING)
        self.assertFalse(daemon.state.exists())
        self.operate(daemon, "events", "tail", "--offline", exits=MISSING)


if __name__ == "__main__":
    pegboard.main()
