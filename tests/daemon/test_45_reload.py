"""SIGHUP and `pegboard reload`: what changed is taken up whole or not at all,
and what did not change notices nothing."""

import json
import os
import pathlib
import re

import pegboard
import reloads
from commands import CONFIG
from locker import Locker, about
from pegboard import (DEADLY, DONE, Ledger, command, event, id_of, section,
                      wait_for)
from reloads import code_of, digest_of, mark_of, put, version_of, with_file


class Changes(reloads.TestCase):
    """Only what changed is restarted."""

    def two(self, *keys, **options):
        daemon = self.daemon(start=False)
        self.a, self.b = (Ledger(daemon.folder / name) for name in "ab")
        self.so = put(daemon.folder / "ours.so", code_of("ledger"))
        self.write(daemon, *keys, **options)
        daemon.start()
        self.pid_a, self.pid_b = (self.pid(daemon, name) for name in "ab")
        return daemon

    def write(self, daemon, *keys, **options):
        """Keys and options are those of a."""
        self.write_ini(daemon, with_file(
            self.a.section("a", *keys, **options), "ledger", self.so) +
            self.b.section("b"))

    def check_rolled(self, daemon, a, b=False):
        """Which of them got a new process; both work."""
        pid_a, pid_b = (self.pid(daemon, name) for name in "ab")
        self.assertEqual((pid_a != self.pid_a, pid_b != self.pid_b), (a, b))
        body = event()
        self.assertEqual(daemon.post(body).status, 200)
        daemon.wait_finished()
        for ledger, pid in (self.a, pid_a), (self.b, pid_b):
            self.assertEqual([run.pid for run in ledger.runs()
                              if run.id == id_of(body)], [pid])
        self.pid_a, self.pid_b = pid_a, pid_b
        self.check_no_others(daemon, 2)

    def test_nothing_changed_restarts_nobody(self):
        daemon = self.two("timeout = 60s")
        before = self.generation(daemon)
        answer = self.reload(daemon)
        self.assertEqual((answer["kind"], answer["result"], answer["changes"],
                          answer["errors"], answer["killed"]),
                         ("apply", "done", [], [], 0))
        self.assertGreaterEqual(answer["generation"], before)
        self.assertEqual(self.hup(daemon), "reloaded")
        self.check_rolled(daemon, a=False)

    def test_what_is_only_written_otherwise_is_no_change(self):
        daemon = self.two("timeout = 60s")
        os.utime(self.so)
        self.write(daemon, "; a comment", "timeout = 1m", "concurrency = 1",
                   sleep_ms=0)
        self.assertEqual(self.reload(daemon)["changes"], [])
        self.check_rolled(daemon, a=False)

    def test_same_bytes_in_a_new_file_are_no_change(self):
        daemon = self.two()
        put(self.so, code_of("ledger"))
        self.assertEqual(self.reload(daemon)["changes"], [])
        self.check_rolled(daemon, a=False)

    def test_other_bytes_roll_it(self):
        daemon = self.two()
        put(self.so, version_of("ledger", 2))
        answer = self.reload(daemon)
        self.assertEqual(self.changes(answer), {("rolled", "plugin a")})
        self.assertIn(digest_of(version_of("ledger", 2))[:8],
                      answer["changes"][0]["detail"])
        self.check_rolled(daemon, a=True)

    def test_option_rolls_that_plugin_alone(self):
        daemon = self.two()
        self.write(daemon, sleep_ms=1)
        answer = self.reload(daemon)
        self.assertEqual(self.changes(answer), {("rolled", "plugin a")})
        self.assertIn("sleep_ms", answer["changes"][0]["detail"])
        self.check_rolled(daemon, a=True)
        self.write(daemon)
        self.assertEqual(self.hup(daemon), "reloaded")
        self.check_rolled(daemon, a=True)

    def test_environment_and_concurrency_roll_it(self):
        daemon = self.two()
        self.write(daemon, "env.TZ = UTC")
        self.assertEqual(self.changes(self.reload(daemon)),
                         {("rolled", "plugin a")})
        self.check_rolled(daemon, a=True)
        self.write(daemon, "env.TZ = UTC", "concurrency = 3")
        self.assertEqual(self.changes(self.reload(daemon)),
                         {("rolled", "plugin a")})
        self.assertNotIn(self.pid_a, self.pids(daemon, "a", 3))
        self.check_no_others(daemon, 4)

    def test_retries_and_filters_roll_nobody(self):
        daemon = self.two()
        self.write(daemon, "retry = 1s..2s", "max_attempts = 3",
                   "max_age = 1h", "order = none")
        answer = self.reload(daemon)
        self.assertEqual(self.changes(answer), {
            ("set", f"plugin a: {key}")
            for key in ("retry", "max_attempts", "max_age", "order")})
        self.check_rolled(daemon, a=False)

        self.write(daemon, "events = invoice.*")
        self.reload(daemon)
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        self.assertEqual(daemon.handlers(body), ["b"])
        self.write(daemon)
        self.reload(daemon)
        self.check_rolled(daemon, a=False)

    def test_plugins_come_and_go(self):
        daemon = self.two()
        both = daemon.ini.read_text()
        self.write_ini(daemon, self.b.section("b"))
        self.assertEqual(self.changes(self.reload(daemon)),
                         {("removed", "plugin a")})
        wait_for(lambda: not daemon.runners("a"), "a to go")
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        self.assertEqual(daemon.handlers(body), ["b"])
        daemon.ini.write_text(both)
        self.assertEqual(self.changes(self.reload(daemon)),
                         {("added", "plugin a")})
        self.assertEqual(self.pid(daemon, "b"), self.pid_b)
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        self.assertEqual(daemon.handlers(body), ["a", "b"])

    def test_try_changes_nothing(self):
        daemon = self.two()
        before = self.generation(daemon)
        self.write(daemon, sleep_ms=1)
        answer = self.reload(daemon, "--dry-run")
        self.assertEqual((answer["kind"], answer["result"]), ("try", "done"))
        self.assertEqual(self.changes(answer), {("rolled", "plugin a")})
        self.assertEqual(self.generation(daemon), before)
        self.assertIsNone(self.status(daemon)["last_reload"])
        self.check_rolled(daemon, a=False)

    def test_renamed_section_leaves_what_was_owed(self):
        daemon = self.daemon(start=False)
        locker = Locker(daemon.folder / "p")
        self.write_ini(daemon, locker.section("p"))
        daemon.start()
        first, waits = about("pi_1", gate=1), about("pi_1", gate=1)
        for body in first, waits:
            daemon.post(body)
        wait_for(lambda: locker.begun() == [id_of(first)], "the first")
        self.write_ini(daemon, locker.section("q"))
        asked = self.in_background(daemon)
        daemon.wait_log('msg="reloaded"')
        locker.open_gate()
        self.assertEqual(self.changes(asked.answer()), {
            ("removed", "plugin p"), ("added", "plugin q")})
        # What was at work ended well; what waited waits on.
        wait_for(lambda: self.attempts(daemon, first), "its verdict")
        self.assertEqual(self.attempts(daemon, first)[0].outcome, DONE)
        owed = self.plugin(daemon, "p")
        self.assertEqual((owed["state"], owed["pending"]), ("orphaned", 1))
        body = event()
        daemon.post(body)
        self.wait_handled(daemon, body, "q")
        self.assertEqual(daemon.handlers(body), ["q"])
        self.write_ini(daemon, locker.section("p"))
        self.reload(daemon)
        self.wait_handled(daemon, waits, "p")
        daemon.wait_finished()
        self.assertEqual(daemon.handlers(waits), ["p"])
        self.assertEqual(daemon.handlers(body), ["q"])


class Refused(reloads.TestCase):
    """A mistake leaves everything as it was, and all of them are told."""

    def test_every_mistake_is_told_as_check_tells_it(self):
        daemon = self.serve(section("p", "noop"))
        pid = self.pid(daemon, "p")
        self.write_ini(daemon, section("p", "noop", "tiemout = 5s") +
                       section("gone", "/no/such/file.so") +
                       section("bad", "size0") +
                       section("options", "ledger", file="x", sleep_ms="soon"),
                       secrets="file:no_such_secret")
        answer = self.refuse(
            daemon, 'did you mean "timeout"',
            "/no/such/file.so", r"\.size is 0", '"sleep_ms" must be',
            "no_such_secret")
        checked = command("check", "-c", daemon.ini)
        self.assertEqual(checked.returncode, CONFIG)
        for error in answer["errors"]:
            self.assertIn(f"{error['file']}:{error['line']}: "
                          f"{error['message']}\n", checked.stderr)
        self.assertEqual(self.hup(daemon), "reload refused")
        for error in answer["errors"]:
            self.assertIn(f"line={error['line']} ", daemon.log())
        last = self.status(daemon)["last_reload"]
        self.assertEqual(last["result"], "refused")
        self.assertNotEqual(last["detail"], "")
        self.assertEqual(self.pid(daemon, "p"), pid)
        self.handled(daemon, "p")

    def test_file_that_cannot_be_trusted_to_name_the_daemon(self):
        """With [server] wrong the command cannot tell whose daemon to ask;
        SIGHUP reaches it, and is refused."""
        daemon = self.serve(section("p", "noop"))
        self.write_ini(daemon, section("p", "noop"), server="thread = 5")
        asked = command("reload", "-c", daemon.ini)
        self.assertEqual(asked.returncode, CONFIG)
        self.assertIn('did you mean "threads"', asked.stderr)
        self.assertEqual(self.hup(daemon), "reload refused")
        self.assertIn('did you mean', daemon.log())
        self.handled(daemon, "p")

    def test_one_bad_plugin_among_good_ones_refuses_all(self):
        daemon = self.serve(section("p", "noop"))
        pid = self.pid(daemon, "p")
        for so, why in (("init_fail", "cannot reach the database"),
                        ("init_crash", "SIGABRT"),
                        ("no_symbol", "exports no pegboard_plugin_v1"),
                        ("ctor_crash", "SIGABRT|exited with status")):
            with self.subTest(so):
                self.write_ini(daemon,
                               section("p", "noop", "env.A = 1", DEADLY) +
                               section("good", "skip") +
                               section("bad", so, DEADLY))
                answer = self.refuse(daemon, why)
                error, = answer["errors"]
                above = daemon.ini.read_text().split("\n")[:error["line"]]
                self.assertEqual([line for line in above
                                  if line.startswith("[")][-1],
                                 "[plugin bad]")
                self.check_no_others(daemon, 1)
                self.assertEqual(daemon.runners(), [pid])
        self.handled(daemon, "p")

    def test_bad_then_good(self):
        daemon = self.serve(section("p", "noop"))
        pid = self.pid(daemon, "p")
        before = self.generation(daemon)
        good = daemon.ini.read_text()
        self.write_ini(daemon, section("p", "noop", "concurrency = many"))
        self.assertEqual(self.hup(daemon), "reload refused")
        self.assertEqual(self.generation(daemon), before)
        daemon.ini.write_text(good)
        self.assertEqual(self.hup(daemon), "reloaded")
        self.assertEqual(self.pid(daemon, "p"), pid)
        self.write_ini(daemon, section("p", "noop", "env.A = 1"))
        self.assertEqual(self.hup(daemon), "reloaded")
        self.assertGreater(self.generation(daemon), before)
        self.assertNotEqual(self.pid(daemon, "p"), pid)
        self.assertEqual(self.status(daemon)["last_reload"]["result"], "done")

    def test_restart_only_key_is_named_and_nothing_else_is_done(self):
        daemon = self.serve(section("p", "noop"))
        pid = self.pid(daemon, "p")
        text = daemon.ini.read_text()
        for old, new, what in (
                ("threads = 32", "threads = 33", "server.threads"),
                ("[admin]\nlisten = 127.0.0.1:0",
                 f"[admin]\nlisten = 127.0.0.1:{reloads.free_port()}",
                 "admin.listen")):
            with self.subTest(what):
                daemon.ini.write_text(text.replace(old, new, 1).replace(
                    "[plugin p]", "[plugin p]\nenv.A = 1"))
                answer = self.reload(daemon, exits=CONFIG)
                self.assertEqual(answer["result"], "refused")
                self.assertIn(("refused", what), self.changes(answer))
                self.assertIn(what, answer["detail"])
                self.assertEqual(self.pid(daemon, "p"), pid)
        daemon.ini.write_text(text)
        self.assertEqual(self.reload(daemon)["changes"], [])

    def test_other_state_dir_is_refused_by_name(self):
        """The command looks for a daemon there, and says what to do."""
        daemon = self.serve(section("p", "noop"))
        text = daemon.ini.read_text()
        daemon.ini.write_text(re.sub(
            "state_dir = .*", f"state_dir = {daemon.folder}/other", text))
        self.assertEqual(self.hup(daemon), "reload refused")
        self.assertIn("server.state_dir can only be changed by a restart",
                      daemon.log())
        asked = command("reload", "-c", daemon.ini)
        self.assertEqual(asked.returncode, 5)
        self.assertIn("state_dir", asked.stderr)
        self.handled(daemon, "p")

    def test_no_file_at_all(self):
        daemon = self.serve(section("p", "noop"))
        daemon.ini.rename(daemon.folder / "elsewhere")
        self.assertEqual(self.hup(daemon), "reload refused")
        self.handled(daemon, "p")


class Boot(reloads.TestCase):

    def test_failing_init_starts_degraded(self):
        daemon = self.daemon(start=False)
        ready = daemon.folder / "ready"
        self.write_ini(daemon, section("p", "init_fail", until=ready) +
                       section("q", "noop"))
        daemon.start()
        body = event()
        self.assertEqual(daemon.post(body).status, 200)
        self.wait_handled(daemon, body, "q")
        self.assertEqual(daemon.request("GET", "/readyz").status, 200)
        shown = wait_for(lambda: (
            plugin if (plugin := self.plugin(daemon, "p"))["state"] ==
            "failing" else None), "it to be failing")
        self.assertIn("cannot reach the database", shown["detail"])
        self.assertGreater(shown["failures"], 0)
        self.assertTrue(self.status(daemon)["degraded"])
        status = json.loads(self.run_command(
            "status", "-c", daemon.ini, "--json"))
        self.assertEqual({plugin["name"]: plugin["state"]
                          for plugin in status["plugins"]},
                         {"p": "failing", "q": "running"})
        ready.touch()
        self.wait_handled(daemon, body, "p")
        daemon.wait_finished()
        self.assertEqual(self.plugin(daemon, "p")["state"], "running")
        self.assertFalse(self.status(daemon)["degraded"])

    def test_static_mistakes_do_not_start(self):
        daemon = self.daemon(start=False)
        self.write_ini(daemon, section("p", "noop", "tiemout = 5s") +
                       section("q", "abi2") +
                       section("r", "ledger"), server="thread = 5")
        result = command("serve", "-c", daemon.ini)
        self.assertEqual(result.returncode, CONFIG)
        for said in ('did you mean "timeout"', 'did you mean "threads"',
                     "built for pegboard ABI 2", 'needs the option "file"'):
            self.assertRegex(result.stderr, said)
        self.assertFalse(daemon.state.exists())

    def test_generation_numbers_go_on_over_restarts(self):
        daemon = self.serve(section("p", "noop"))
        numbers = [self.generation(daemon)]
        for step in (self.reload, lambda d: (d.stop(), d.start()),
                     lambda d: (d.kill(), d.start()), self.reload):
            step(daemon)
            numbers.append(self.generation(daemon))
        self.assertEqual(numbers, sorted(set(numbers)))


if __name__ == "__main__":
    pegboard.main()
