"""A process for each event."""

import hashlib
import json
import os
import pathlib
import shlex
import signal
import time

import rig
from pegboard import wait_for
from rig import EVENT, big_event, is_alive


class Bytes(rig.TryCase):

    def check_bytes(self, body):
        handler = self.python("""\
            import hashlib, sys
            print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())
            """)
        self.assertEqual(self.attempt(handler, body).verdict,
                         f"done: {hashlib.sha256(body).hexdigest()}")

    def test_handler_gets_the_exact_bytes(self):
        self.check_bytes(EVENT.read_bytes())
        self.check_bytes(b'{"id" :\r\n"evt_1",\t"type":"a.b" , "x":"\\u0000'
                         b'\xc3\xa9 \\ud800", "n":1.50e+3}')

    def test_large_event_is_given_whole(self):
        self.check_bytes(big_event(10 << 20))

    def test_handler_that_does_not_read_is_fine(self):
        body = big_event(10 << 20)
        self.assertEqual(self.attempt("true", body).verdict, "done")
        handler = self.script("exec <&-; sleep 0.2; echo fine")
        self.assertEqual(self.attempt(handler, body).verdict, "done: fine")
        handler = self.script("head -c 10; echo; sleep 0.2; echo fine")
        self.assertEqual(self.attempt(handler, body).verdict, "done: fine")

    def test_stdin_can_be_opened_by_name(self):
        handler = self.script("cmp /dev/stdin \"$FOLDER/event\" && echo same")
        self.assertEqual(self.attempt(handler, EVENT.read_bytes()).verdict,
                         "done: same")


class Verdicts(rig.TryCase):

    def test_exit_status_is_the_verdict(self):
        for status, verdict in (
                (0, "done"), (65, "fail: exit status 65"),
                (75, "retry: exit status 75"), (1, "retry: exit status 1"),
                (2, "retry: exit status 2"), (77, "retry: exit status 77"),
                (99, "retry: exit status 99"),
                (126, "retry: exit status 126"),
                (127, "retry: exit status 127"),
                (255, "retry: exit status 255")):
            with self.subTest(status=status):
                tried = self.attempt(f"sh -c 'exit {status}'")
                self.assertEqual(tried.verdict, verdict)

    def test_signal_is_retry(self):
        for name in ("SEGV", "KILL", "TERM", "PIPE"):
            with self.subTest(name=name):
                self.assertEqual(
                    self.attempt(f"sh -c 'kill -{name} $$'").verdict,
                    f"retry: killed by SIG{name}")

    def test_last_line_of_stdout_is_the_reason(self):
        tried = self.attempt(
            "sh -c 'echo one; echo; echo two; printf \"no end\"'")
        self.assertEqual(tried.verdict, "done: no end")
        self.assertEqual(tried.log, [("info", "one"), ("info", "two")])
        tried = self.attempt("sh -c 'echo no such order; exit 65'")
        self.assertEqual(tried.verdict, "fail: exit status 65: no such order")

    def test_without_one_a_failure_has_the_last_line_of_stderr(self):
        handler = self.python("import nothing_of_that_name")
        self.assertEqual(
            self.attempt(handler).verdict,
            "retry: exit status 1: ModuleNotFoundError: No module named "
            "'nothing_of_that_name'")
        tried = self.attempt("sh -c 'echo warned >&2'")
        self.assertEqual(tried.verdict, "done")

    def test_stderr_is_logged_with_its_level(self):
        tried = self.attempt("sh -c 'printf \"plain\\n<3>bad\\n<4>hm\\n<6>ok"
                             "\\n<7>detail\\n<9>no level\\n<6>\\ncut\" >&2'")
        self.assertEqual(tried.log, [
            ("info", "plain"), ("error", "bad"), ("warn", "hm"),
            ("info", "ok"), ("debug", "detail"), ("info", "<9>no level"),
            ("info", "cut")])

    def test_key_is_the_same_on_every_call(self):
        handler = self.script("""\
            echo "$PEGBOARD_ATTEMPT $PEGBOARD_IDEMPOTENCY_KEY"
            """)
        self.assertEqual(
            self.attempt(handler, repeat=2).verdicts,
            ["done: 1 evt_1PegReceiptsSample0001:exec",
             "done: 2 evt_1PegReceiptsSample0001:exec"])


class Surroundings(rig.TryCase):

    def test_environment_is_ours_the_path_and_the_facts(self):
        handler = self.python("""\
            import json, os
            print(json.dumps(dict(os.environ)))
            """)
        body = json.loads(EVENT.read_bytes())
        body["account"] = 'acct_1"\\\n$(x)'
        before = time.time() * 1000
        env = json.loads(self.attempt(
            handler, json.dumps(body).encode(),
            env={"PEGBOARD_REPLAY": "of ours", "PEGBOARD_X": "of ours"}
        ).verdict[len("done: "):])
        after = time.time() * 1000
        deadline = int(env.pop("PEGBOARD_DEADLINE_MS"))
        self.assertTrue(before + 27900 <= deadline <= after + 28000)
        received = int(env.pop("PEGBOARD_RECEIVED_MS"))
        self.assertTrue(before - 1 <= received <= after)
        env.pop("LC_CTYPE", None)  # by Python
        self.assertEqual(env, self.environment(
            PATH="/usr/local/bin:/usr/bin:/bin",
            PEGBOARD_EVENT_ID="evt_1PegReceiptsSample0001",
            PEGBOARD_EVENT_TYPE="payment_intent.succeeded",
            PEGBOARD_IDEMPOTENCY_KEY="evt_1PegReceiptsSample0001:exec",
            PEGBOARD_ATTEMPT="1", PEGBOARD_REPLAY="0",
            PEGBOARD_ACCOUNT='acct_1"\\\n$(x)', PEGBOARD_LIVEMODE="0",
            PEGBOARD_OBJECT_ID="pi_3PegReceiptsSample0001",
            PEGBOARD_CREATED="1767225600",
            PEGBOARD_API_VERSION="2025-03-31.basil", PEGBOARD_THIN="0",
            PEGBOARD_CHANGE="payment_intent.succeeded:"
                            "pi_3PegReceiptsSample0001"))

    def test_path_of_the_ini_is_kept_and_searched(self):
        folder = self.folder / "bin"
        folder.mkdir()
        self.script('echo "$PATH"', name="bin/of-mine")
        path = f"{folder}:/usr/bin:/bin"
        tried = self.attempt("of-mine", env={"PATH": path})
        self.assertEqual(tried.verdict, f"done: {path}")

    def test_handler_has_three_descriptors_and_plain_signals(self):
        handler = self.python("""\
            import os, signal
            fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
            status = open("/proc/self/status").read().split("\\n")
            masks = [int(line.split()[1], 16) for line in status
                     if line.startswith(("SigBlk", "ShdPnd", "SigPnd"))]
            # One is the listing's own.
            print(fds[:3], len(fds) - 1, masks, os.getpgid(0) == os.getpid())
            """)
        end, other = os.pipe()  # as plugins in the runner may have some
        with open(end), open(other, "w"):
            self.assertEqual(self.attempt(handler, pass_fds=(end,)).verdict,
                             "done: [0, 1, 2] 3 [0, 0, 0] True")

    def test_closed_descriptors_of_the_runner_do_no_harm(self):
        handler = self.script("wc -c; echo seen >&2")
        command = shlex.join(str(word) for word in self.arguments(
            handler, EVENT, {}))
        for closed in ("<&-", "<&- >&-", "<&- >&- 2>&-", "2>&-"):
            with self.subTest(closed=closed):
                os.system(f"{command} {closed} >/dev/null 2>&1")
                status = os.system(f"FOLDER={self.folder} {command} {closed}"
                                   " >/dev/null 2>&1")
                self.assertEqual(status, 0)

    def test_it_runs_in_its_folder(self):
        (self.folder / "here").mkdir()
        self.script("pwd", name="here/where")
        self.assertEqual(self.attempt("./here/where").verdict,
                         f"done: {self.folder}")
        self.assertEqual(self.attempt("./where", dir="here").verdict,
                         f"done: {self.folder}/here")

    def test_runner_keeps_no_descriptors(self):
        arguments = self.arguments("true", EVENT, {"repeat": 200})
        status = os.system("ulimit -n 24; " + shlex.join(
            str(word) for word in arguments) + f" > {self.folder}/out")
        self.assertEqual(status, 0)
        self.assertEqual((self.folder / "out").read_text(), "done\n" * 200)


class Commands(rig.TryCase):

    def test_words_are_split_without_a_shell(self):
        self.python("import json, sys; print(json.dumps(sys.argv[1:]))",
                    name="argv")
        for text, words in (
                ("", []),
                ("a  b\tc d", ["a", "b", "c", "d"]),
                ("'a b' \"c d\"", ["a b", "c d"]),
                ("a'b'\"c\"d", ["abcd"]),
                ("'' \"\"", ["", ""]),
                (r"a\ b \' \\ \"", ["a b", "'", "\\", '"']),
                (r"'a\b' 'c\'", ["a\\b", "c\\"]),
                (r'"a\"b" "\\" "\n"', ['a"b', "\\", "\\n"]),
                ("$HOME * ~ ; | > x & `y` #z", ["$HOME", "*", "~", ";", "|",
                                                ">", "x", "&", "`y`", "#z"])):
            with self.subTest(text=text):
                said = self.attempt(f"./argv {text}").verdict
                self.assertEqual(json.loads(said[len("done: "):]), words)

    def test_shell_runs_what_it_is_given(self):
        tried = self.attempt("cat | wc -l; echo \"$PEGBOARD_EVENT_ID\" | tr "
                             "a-z A-Z; exit 65", shell="yes")
        self.assertEqual(tried.verdict,
                         "fail: exit status 65: EVT_1PEGRECEIPTSSAMPLE0001")

    def test_command_that_cannot_work_is_refused(self):
        (self.folder / "plain").write_text("#!/bin/sh\n")
        for command, options, why in (
                ("", {}, "command is empty"),
                (" \t", {}, "command is empty"),
                ("a 'b", {}, "command has a ' without its other half"),
                ('a "b', {}, 'command has a " without its other half'),
                ("a \\", {}, "command ends with a backslash"),
                ("no-such-program", {},
                 "cannot run no-such-program: No such file or directory; "
                 "looked in /usr/local/bin:/usr/bin:/bin"),
                ("./missing", {},
                 "cannot run ./missing: No such file or directory; looked in "
                 f"{self.folder}/."),
                ("./plain", {},
                 "cannot run ./plain: Permission denied (it must be a file "
                 f"and executable: chmod +x); looked in {self.folder}/."),
                ("/usr/bin", {},
                 "cannot run /usr/bin: Permission denied (it must be a file "
                 f"and executable: chmod +x); looked in {self.folder}/."),
                ("true", {"dir": "nowhere"},
                 f"dir {self.folder}/nowhere: No such file or directory"),
                ("true", {"mode": "line"},
                 "mode is oneshot or lines, not line")):
            with self.subTest(command=command, **options):
                self.assertEqual(self.refused(command, **options), why)

    def test_interpreter_that_cannot_be_run_is_refused(self):
        for text, why in (
                (b"#!/no/such/interpreter -u\n", "its interpreter, "
                 "/no/such/interpreter: No such file or directory"),
                (b"#! /etc/passwd", "its interpreter, /etc/passwd: Permission "
                 "denied"),
                (b"#!/bin/sh\r\necho\r\n", "its lines end with CR LF, as on "
                 "Windows: write them with LF")):
            with self.subTest(text=text):
                path = self.script("")
                path.write_bytes(text)
                self.assertEqual(self.refused(path),
                                 f"cannot run {path}: {why}")

    def test_what_shows_only_when_it_is_run_is_retry(self):
        path = self.script("")
        path.write_bytes(b"\x7fELF, but no more")
        self.assertEqual(self.attempt(path).verdict,
                         "retry: cannot be run: Exec format error (a script "
                         "begins with #!/path/of/interpreter)")

    def test_program_that_is_gone_is_retry(self):
        handler = self.script('rm "$0"; echo ran')
        self.assertEqual(self.attempt(handler, repeat=2).verdicts, [
            "done: ran", "retry: cannot be run: No such file or directory (or "
            "the interpreter behind its #!)"])


class Faults(rig.TryCase):

    def test_flood_is_bounded_and_told(self):
        handler = self.python("""\
            import sys
            for n in range(50000):
                print(n, file=sys.stderr)
                print(n, "x" * 100)
            print("the end")
            """)
        tried = self.attempt(handler)
        self.assertEqual(tried.verdict, "done: the end")
        self.assertEqual(len(tried.log), 201)
        self.assertEqual(tried.log[-1],
                         ("warn", "99800 more lines are not logged"))

    def test_line_without_an_end_is_cut(self):
        handler = self.python("""\
            import sys
            for _ in range(100):
                sys.stderr.write("e" * 100000)
                sys.stdout.write("o" * 100000)
            """)
        tried = self.attempt(handler)
        self.assertEqual(tried.verdict, "done: " + "o" * 1000)
        self.assertEqual(tried.log, [("info", "e" * 1000)])

    def test_bytes_that_are_no_text_do_no_harm(self):
        handler = self.python(r"""
            import sys
            sys.stderr.buffer.write(b"a\0b\xff\xfe\x1b[31m\n\0\n")
            sys.stdout.buffer.write(b"%s %n \xc3\0x\x80")
            """)
        tried = self.attempt(handler)
        self.assertTrue(tried.verdict.startswith("done: %s %n "))
        self.assertTrue(tried.verdict.endswith("?x\ufffd"))
        self.assertEqual(tried.log[0], ("info", "a?b\ufffd\ufffd\x1b[31m"))
        self.assertEqual(tried.log[1], ("info", "?"))

    def check_told(self, handler, **options):
        self.assertRegex(self.attempt(handler, **options).verdict,
                         r"^retry: not ended within \d+ ms: killed$")

    def test_slow_handler_is_told_to_end(self):
        handler = self.script("""\
            trap 'echo told; echo term > "$FOLDER/told"; exit 1' TERM
            sleep 100 & wait
            """)
        self.check_told(handler, try_timeout=2000)
        self.assertTrue((self.folder / "told").exists())

    def test_handler_that_ignores_sigterm_is_killed(self):
        self.check_told(self.script(
            "trap '' TERM; sleep 1000; sleep 1000; sleep 1000"),
            try_timeout=1000)

    def test_success_after_sigterm_does_not_count(self):
        self.check_told(self.script("trap 'exit 0' TERM; sleep 1000 & wait"),
                        try_timeout=1000)

    def test_stopped_handler_is_killed(self):
        self.check_told("sh -c 'kill -STOP $$'", try_timeout=400)

    def test_stopped_keeper_is_no_reason_to_wait(self):
        self.check_told("sh -c 'kill -STOP $PPID; exec sleep 1000'",
                        try_timeout=400)

    def test_handler_that_kills_its_group_hits_nobody_else(self):
        self.assertEqual(self.attempt("sh -c 'kill -9 0'").verdict,
                         "retry: killed by SIGKILL")


# Writes its pid, that of a child, of one in a session of its own, and of one
# whose parent has ended; all of them hold stdout and stderr open.
FAMILY = """\
    trap '' HUP TERM
    echo $$ >> "$FOLDER/pids"
    sh -c 'echo $$ >> "$FOLDER/pids"; sleep 1000; :' &
    setsid sh -c 'echo $$ >> "$FOLDER/pids"; sleep 1000; :' &
    sh -c 'setsid sh -c "echo \\$\\$ >> \\"$FOLDER/pids\\"; sleep 1000; :" &'
    while [ "$(wc -l < "$FOLDER/pids")" -lt 4 ]; do sleep 0.01; done
    """


class Families(rig.TryCase):

    def check_gone(self):
        for pid in self.pids(4):
            self.assertFalse(is_alive(pid), pid)

    def test_nothing_outlives_the_verdict(self):
        tried = self.attempt(self.script(FAMILY + "\necho all there"))
        self.assertEqual(tried.verdict, "done: all there")
        self.check_gone()

    def test_nothing_outlives_a_timeout(self):
        handler = self.script(FAMILY + "\nsleep 1000; sleep 1000")
        self.assertRegex(self.attempt(handler, try_timeout=3000).verdict,
                         "^retry: not ended within")
        self.check_gone()

    def test_nothing_outlives_the_keeper(self):
        handler = self.script(FAMILY + "\nkill -9 $PPID; exec sleep 1000")
        self.assertEqual(self.attempt(handler).verdict,
                         "retry: killed, nobody saw how")
        self.check_gone()

    def test_nothing_outlives_the_runner(self):
        process = self.begin(self.script(FAMILY + "\nsleep 1000; sleep 1000"))
        pids = self.pids(4)
        self.assertTrue(all(map(is_alive, pids)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_for(lambda: not any(map(is_alive, pids)), f"{pids} to end")
        self.check_nothing_left()

    def test_handler_dies_with_runner_and_keeper(self):
        process = self.begin(self.script(
            'echo $PPID $$ >> "$FOLDER/pids"\nsleep 1000; :'))
        keeper, handler = self.pids(2)
        stat = pathlib.Path(f"/proc/{keeper}/stat").read_text()
        self.assertIn("(exec-keeper)", stat)
        self.assertEqual(os.listdir(f"/proc/{keeper}/fd"), ["0"])
        os.kill(process.pid, signal.SIGSTOP)  # it shall not come before
        os.kill(keeper, signal.SIGKILL)
        process.kill()
        wait_for(lambda: not is_alive(handler), "the handler to end")


if __name__ == "__main__":
    rig.main()
