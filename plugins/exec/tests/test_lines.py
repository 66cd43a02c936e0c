"""A process for all events: a line in, a line out."""

import json
import time

import rig
from rig import EVENT, big_event, is_alive


class Talk(rig.TryCase):

    def test_one_process_handles_all_events(self):
        handler = self.lines("""\
            print(message["id"], file=sys.stderr, flush=True)
            verdict("done", reason=str(os.getpid()))
            """)
        tried = self.attempt(handler, mode="lines", repeat=5)
        self.assertEqual(len(tried.verdicts), 5)
        self.assertEqual(len(set(tried.verdicts)), 1)
        self.assertEqual(tried.log,
                         [("info", "evt_1PegReceiptsSample0001")] * 5)

    def test_it_is_greeted_and_gets_a_line_for_each_event(self):
        handler = self.python("""\
            import json, os, sys
            file = open(os.environ["FOLDER"] + "/heard", "wb")
            for n, line in enumerate(sys.stdin.buffer):
                file.write(line)
                answer = ({"verdict": "done", "id": json.loads(line)["id"]}
                          if n else {"ready": True})
                print(json.dumps(answer), flush=True)
            """)
        body = json.loads(EVENT.read_bytes())
        body["id"] = 'evt_"\\\n\u00e9'
        text = json.dumps(body, indent=1).replace("\n", "\r\n").encode()
        tried = self.attempt(handler, text, mode="lines", repeat=2)
        self.assertEqual(tried.verdicts, ["done"] * 2)
        hello, *events = (self.folder / "heard").read_bytes().splitlines()
        self.assertEqual(json.loads(hello), {"pegboard": 1, "plugin": "exec"})
        self.assertEqual(len(events), 2)
        for n, line in enumerate(events, 1):
            message = json.loads(line)
            self.assertIn(text.replace(b"\r\n", b"  "), line)
            self.assertEqual(message.pop("event"), body)
            self.assertTrue(27000 < message.pop("ms_left") <= 28000)
            self.assertAlmostEqual(message.pop("received_ms") / 1000,
                                   time.time(), delta=30)
            self.assertEqual(message, {
                "id": body["id"], "type": "payment_intent.succeeded",
                "key": body["id"] + ":exec", "attempt": n, "replay": 0,
                "livemode": 0, "object_id": "pi_3PegReceiptsSample0001",
                "created": 1767225600, "api_version": "2025-03-31.basil",
                "thin": 0, "change": "payment_intent.succeeded:"
                "pi_3PegReceiptsSample0001"})

    def test_changed_program_is_started_anew(self):
        new = self.lines('verdict("done", reason="new")', name="new")
        handler = self.lines(f"""\
            os.rename({str(new)!r}, sys.argv[0])
            verdict("done", reason="old")
            """)
        with open(handler, "a") as file:
            file.write('open(os.environ["FOLDER"] + "/ended", "w")\n')
        tried = self.attempt(handler, mode="lines", repeat=3)
        self.assertEqual(tried.verdicts, ["done: old"] + ["done: new"] * 2)
        self.assertTrue((self.folder / "ended").exists())  # not killed
        self.assertEqual(len(tried.log), 1)

    def test_facts_are_not_in_the_environment(self):
        handler = self.lines("""\
            names = [name for name in os.environ if name.startswith("PEGB")]
            verdict("done", reason=f"{names} {os.environ['PATH']}")
            """)
        self.assertEqual(self.attempt(handler, mode="lines").verdict,
                         "done: [] /usr/local/bin:/usr/bin:/bin")

    def test_large_event(self):
        handler = self.lines("""\
            verdict("done", reason=str(len(message["event"]["data"]
                                               ["object"]["text"])))
            """)
        size = 10 << 20
        self.assertEqual(self.attempt(handler, big_event(size),
                                      mode="lines").verdict, f"done: {size}")

    def test_it_sees_the_end_of_its_input(self):
        handler = self.lines('verdict("done")')
        with open(handler, "a") as file:
            file.write('open(os.environ["FOLDER"] + "/ended", "w")\n')
        self.assertEqual(self.attempt(handler, mode="lines").verdict, "done")
        self.assertTrue((self.folder / "ended").exists())

    def test_it_is_killed_if_that_is_not_enough(self):
        handler = self.lines('verdict("done")', start="""\
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            say(ready=True)
            """)
        with open(handler, "a") as file:
            file.write("time.sleep(100)\n")
        self.assertEqual(self.attempt(handler, mode="lines").verdict, "done")

    def test_what_it_wrote_between_events_is_logged(self):
        handler = self.lines('verdict("done")', start="""\
            say(ready=True)
            print("<4>warm", file=sys.stderr, flush=True)
            """)
        tried = self.attempt(handler, mode="lines")
        self.assertEqual(tried.log, [("warn", "warm")])

    def test_what_it_wrote_before_an_answer_is_of_that_event(self):
        """All that a pipe holds: the lines dropped are told for the first."""
        handler = self.lines("""\
            if message["attempt"] == 1:
                os.write(2, (b"x" * 199 + b"\\n") * 300)
            verdict("done")
            """)
        tried = self.attempt(handler, mode="lines", repeat=2)
        self.assertEqual(tried.log, [("info", "x" * 199)] * 200 +
                         [("warn", "100 more lines are not logged")])

    def test_no_event_holds_what_ends_a_line_for_somebody(self):
        handler = self.lines("""\
            same = message["event"] == json.load(open(os.environ["FOLDER"] +
                                                      "/event"))
            verdict("done", reason=f"{len(line.decode().splitlines())} {same}")
            """)
        body = json.dumps({
            "id": "evt_1", "type": "a.b", "account": "acct\u2028\u2029",
            "data": {"object": {"id": "x", "text":
                                "\u2027 \u2028\u2028\u2029 \u202a \u20ac"}}},
            ensure_ascii=False, indent=1).encode()
        self.assertEqual(self.attempt(handler, body, mode="lines").verdict,
                         "done: 1 True")


# Lines, and what they come to. The event's id is put into those without any.
ID = b'{"id":"evt_1PegReceiptsSample0001",'
GARBAGE = "it answered what makes no sense: %s (logs belong on stderr): "
NO_JSON = "retry: " + GARBAGE % "it is no JSON object"
NO_VERDICT = ('retry: ' + GARBAGE % 'its "verdict" is not "done", "skip", '
              '"retry" or "fail"')
NO_DELAY = ('retry: ' + GARBAGE %
            'its "delay_ms" is not a whole number from 0 on')
ANSWERS = [
    (b'{"verdict":"done"}', "done"),
    (b'{"verdict":"skip"}', "skip"),
    (b'{"verdict":"fail","reason":"why"}', "fail: why"),
    (b'{"verdict":"retry"}', "retry"),
    (b'{"verdict":"retry","delay_ms":0}', "retry in 0 ms"),
    (b'{"verdict":"retry","delay_ms":9223372036854775807}',
     "retry in 9223372036854775807 ms"),
    (b' \t{ "id" : "evt_1PegReceiptsSample0001" , "delay_ms" : 5 , "reason" : "r" , "verdict" : "retry" } \r',
     "retry in 5 ms: r"),
    (b'{"verdict":"fail","verdict":"done"}', "done"),
    (b'{"verdict":"done","reason":null,"delay_ms":null}', "done"),
    (b'{"verdict":"done","id":"evt_2","id":"evt_1PegReceiptsSample0001"}',
     "done"),
    (b'{"verdict":"done","reason":"\\"\\\\\\/\\b\\f\\t\\u00e9\\ud83d\\ude00'
     b'\xe2\x82\xac\\u20AC"}', 'done: "\\/\b\f\t\u00e9\U0001f600\u20ac\u20ac'),
    (b'{"verdict":"done","reason":"\\u0000\\ud800x\\udc00\\ud800\\u0041"}',
     "done: \ufffd\ufffdx\ufffd\ufffdA"),
    (b'{"verdict":"done","reason":"%s"}' % ("\u20ac" * 400).encode(),
     "done: " + "\u20ac" * 333),
    (b'{"a":{"b":[1,-2.5e+7,"]}",{}],"c":true},"d":[],"e":"\\"","f":null,'
     b'"verdict":"done","verdict_of_somebody_else":"no"}', "done"),
    (b'{"x":' + b"[" * 64 + b"]" * 64 + b',"verdict":"done"}', "done"),
    (b'{"x":' + b"[" * 65 + b"]" * 65 + b',"verdict":"done"}', NO_JSON),
    (b"{}", 'retry: it answered without the "id" of the event'),
    (b'{"verdict":"done","id":null}',
     'retry: it answered without the "id" of the event'),
    (b'{"verdict":"done","id":"evt_1PegReceiptsSample00010"}',
     "retry: it answered for another event"),
    (b'{"ready":true}', 'retry: it answered without a "verdict"'),
    (b'{"verdict":null}', 'retry: it answered without a "verdict"'),
    (b'{"verdict":"done","id":"evt_2"}',
     "retry: it answered for another event"),
    (b'{"verdict":"Done"}', NO_VERDICT), (b'{"verdict":0}', NO_VERDICT),
    (b'{"verdict":""}', NO_VERDICT), (b'{"verdict":"done\\u0000"}', NO_VERDICT),
    (b'{"verdict":"retry","delay_ms":-1}', NO_DELAY),
    (b'{"verdict":"retry","delay_ms":"1"}', NO_DELAY),
    (b'{"verdict":"retry","delay_ms":9223372036854775808}', NO_DELAY),
    (b'{"verdict":"retry","delay_ms":1.5}', NO_JSON),
    (b'{"verdict":"done","reason":7}',
     "retry: " + GARBAGE % 'its "reason" is not a string'),
    (b'{"verdict":"done","ready":1}',
     "retry: " + GARBAGE % 'its "ready" is not true or false'),
    (b"done", NO_JSON), (b"[]", NO_JSON), (b'"done"', NO_JSON),
    (b"{", NO_JSON), (b'{"', NO_JSON), (b'{"verdict', NO_JSON),
    (b'{"verdict"', NO_JSON), (b'{"verdict":', NO_VERDICT),
    (b'{"verdict":"done"', NO_JSON), (b'{"verdict":"done",', NO_JSON),
    (b'{"verdict":"done",}', NO_JSON), (b'{,"verdict":"done"}', NO_JSON),
    (b'{"verdict":"done"}}', NO_JSON), (b'{"verdict":"done"} x', NO_JSON),
    (b'{"verdict":"done" "id":"x"}', NO_JSON), (b'{verdict:"done"}', NO_JSON),
    (b'{"verdict":"done","x":[}]}', NO_JSON),
    (b'{"verdict":"done","x":]}', NO_JSON),
    (b'{"verdict":"done","x":nil}', NO_JSON),
    (b'{"verdict":"done","x":"\t"}', NO_JSON),
    (b'{"verdict":"done","x":"\\q"}', NO_JSON),
    (b'{"verdict":"done","x":"\\u12g4"}', NO_JSON),
    (b'{"verdict":"done","x":"\\u12', NO_JSON),
    (b'{"verdict":"done","x":"\\', NO_JSON),
    (b'{"verdict":"done"\0}', NO_JSON), (b"\0", NO_JSON), (b"\xff\xfe", NO_JSON),
    (b'{"verdict":"done","reason":"' + b"x" * (65536 - 64) + b'"}',
     "done: " + "x" * 1000),
    (b'{"verdict":"done","reason":"' + b"x" * (65537 - 64) + b'"}',
     "retry: " + GARBAGE % "it is too long"),
]


def with_id(line):
    if line.startswith(b'{"') and b'"id"' not in line:
        return ID + line[1:]
    return line


class Answers(rig.TryCase):

    def test_answers(self):
        """Each in turn, from a handler that is started anew after a bad one."""
        for n, (line, _) in enumerate(ANSWERS, 1):
            (self.folder / f"answer-{n}").write_bytes(with_id(line) + b"\n")
        handler = self.script("""\
            read -r hello
            echo '{"ready":true}'
            while read -r line; do
                n=${line#*'"attempt":'}
                cat "$FOLDER/answer-${n%%,*}"
            done
            """)
        tried = self.attempt(handler, mode="lines", repeat=len(ANSWERS))
        self.assertEqual(len(tried.verdicts), len(ANSWERS))
        for (line, want), got in zip(ANSWERS, tried.verdicts):
            with self.subTest(line=line[:80]):
                if want.endswith("stderr): "):
                    self.assertTrue(got.startswith(want), got)
                else:
                    self.assertEqual(got, want)


class Starts(rig.TryCase):

    def refused_by(self, start):
        return self.refused(self.lines("pass", start), mode="lines")

    def test_handler_that_does_not_start_is_refused(self):
        said = "the handler does not start: "
        for start, why in (
                ('say(ready=False, reason="no database")',
                 "it is not ready: no database"),
                ('say(verdict="done")', 'it did not say {"ready":true}'),
                ('print("hello", flush=True)',
                 GARBAGE % "it is no JSON object" + "hello"),
                ("time.sleep(100)", "it did not answer in time (does it "
                 "flush its output?)"),
                ("os.close(1); time.sleep(100)", "it closed its stdout"),
                ("sys.exit(3)", "it ended: exit status 3"),
                ("os.kill(os.getpid(), 11)", "it ended: killed by SIGSEGV"),
                ('raise OSError("no such host")',
                 "it ended: exit status 1: OSError: no such host")):
            with self.subTest(start=start):
                self.assertEqual(self.refused_by(start), said + why)

    def test_interpreter_that_is_missing(self):
        handler = self.script("", "/no/such/interpreter")
        self.assertEqual(
            self.refused(handler, mode="lines"),
            f"cannot run {handler}: its interpreter, /no/such/interpreter: No "
            "such file or directory")


class Faults(rig.TryCase):

    def attempts(self, body, count=2, start=rig.READY, **options):
        """The verdicts of so many attempts, and the whole."""
        options.setdefault("mode", "lines")
        tried = self.attempt(self.lines(body, start), repeat=count, **options)
        return tried.verdicts, tried

    def test_handler_that_dies_is_started_again(self):
        verdicts, _ = self.attempts("""\
            if message["attempt"] == 1:
                sys.exit("out of ideas")
            verdict("done", reason=message["key"])
            """)
        self.assertEqual(verdicts, [
            "retry: it ended: exit status 1: out of ideas",
            "done: evt_1PegReceiptsSample0001:exec"])

    def test_verdict_cut_by_death_is_none(self):
        verdicts, _ = self.attempts("""\
            if message["attempt"] == 1:
                os.write(1, b'{"verdict":"done"}')
                os.kill(os.getpid(), 9)
            verdict("done")
            """)
        self.assertEqual(verdicts,
                         ["retry: it ended: killed by SIGKILL", "done"])

    def test_late_verdict_is_not_that_of_the_next_event(self):
        verdicts, _ = self.attempts("""\
            if message["attempt"] == 1:
                def answer_late(*_):
                    verdict("fail", reason="late")
                    time.sleep(1000)
                signal.signal(signal.SIGTERM, answer_late)
                time.sleep(1000)
            verdict("done", reason="in time")
            """, try_timeout=4000)
        self.assertEqual(verdicts, ["retry: it did not answer in time",
                                    "done: in time"])

    def test_handler_that_ignores_sigterm_is_killed(self):
        verdicts, _ = self.attempts("""\
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(1000)
            """, try_timeout=2000)
        self.assertEqual(verdicts, ["retry: it did not answer in time"] * 2)

    def test_second_verdict_is_noticed(self):
        verdicts, tried = self.attempts("""\
            if message["attempt"] == 1:
                os.write(1, b'{"verdict":"done"}\\n{"verdict":"fail"}\\n')
            verdict("done", reason="alone")
            """)
        self.assertEqual(verdicts[0], "retry: it answered more than once")
        self.assertEqual(verdicts[1], "done: alone")

    def test_unasked_line_is_noticed(self):
        verdicts, tried = self.attempts(
            'verdict("done")', count=1, start="""\
            say(ready=True)
            print("listening", flush=True)
            """)
        self.assertRegex("".join(verdicts) + tried.stderr,
                         "without being asked|more than once|no sense")

    def test_half_a_line_behind_an_answer_is_noticed(self):
        verdicts, tried = self.attempts("""\
            answer = json.dumps({"verdict": "done", "id": message["id"]})
            os.write(1, answer.encode() + b"\\nhalf")
            """)
        self.assertEqual(verdicts, ["done"] * 2)
        self.assertEqual([level for level, text in tried.log
                          if "wrote to stdout without being asked" in text],
                         ["warn"])

    def test_handler_that_reads_nothing_times_out(self):
        verdicts, _ = self.attempts("", start="""\
            say(ready=True)
            time.sleep(100)
            """, event=big_event(1 << 20), try_timeout=2000, count=2)
        self.assertEqual(verdicts, ["retry: it did not answer in time"] * 2)

    def test_verdict_before_the_event_is_read_is_none(self):
        verdicts, _ = self.attempts("", start="""\
            say(ready=True)
            os.read(0, 1)
            say(verdict="done")
            time.sleep(100)
            """, event=big_event(1 << 20), count=1)
        self.assertEqual(
            verdicts, ["retry: it answered before it had read the event"])

    def test_closed_stdin_does_not_hurt_the_runner(self):
        verdicts, _ = self.attempts("", start="""\
            say(ready=True)
            os.close(0)
            time.sleep(100)
            """, event=big_event(1 << 20), try_timeout=2000, count=2)
        self.assertEqual(verdicts, ["retry: it did not answer in time"] * 2)

    def test_closed_stdout_is_noticed(self):
        verdicts, _ = self.attempts("os.close(1); time.sleep(1000)")
        self.assertEqual(verdicts, ["retry: it closed its stdout"] * 2)

    def test_start_that_hangs_ends_within_the_time_of_the_event(self):
        """From SIGTERM on it has 50 ms, not the half second of others. Of some
        tries one is not held up by a busy machine."""
        handler = self.script("""\
            if mkdir "$FOLDER/begun" 2>/dev/null; then
                echo '{"ready":true}'
                exit
            fi
            trap 'while :; do date +%s%N >> "$FOLDER/term.$$"; done' TERM
            sleep 1000 & wait
            """)
        tried = self.attempt(handler, mode="lines", try_timeout=400, repeat=6)
        self.assertEqual(
            tried.verdicts[-1],
            "retry: the handler does not start: it did not answer in time "
            "(does it flush its output?)")
        took_ms = []
        for path in self.folder.glob("term.*"):
            times = [int(line) for line in path.read_text().split()]
            took_ms.append((times[-1] - times[0]) / 1e6)
        self.assertLess(min(took_ms), 400)

    def test_flood_of_stderr_is_bounded(self):
        verdicts, tried = self.attempts("""\
            for n in range(100000):
                print(n, file=sys.stderr)
            verdict("done")
            """, count=1)
        self.assertEqual(verdicts, ["done"])
        self.assertEqual(len(tried.log), 201)

    def test_flood_of_stdout_ends_it(self):
        verdicts, _ = self.attempts("""\
            while True:
                os.write(1, b"x" * 65536)
            """, count=1, try_timeout=2000)
        self.assertEqual(verdicts, ["retry: its answer has no end of line"])

    def test_its_children_end_with_it(self):
        body = """\
            import subprocess
            for options in {}, {"start_new_session": True}:
                child = subprocess.Popen(["sleep", "1000"], **options)
                print(child.pid, file=open(os.environ["FOLDER"] + "/pids",
                                           "a"))
            verdict("done")
            """
        verdicts, _ = self.attempts(body, count=2)
        self.assertEqual(verdicts, ["done"] * 2)
        self.assertFalse(any(map(is_alive, self.pids(4))))

    def test_killed_runner_leaves_nothing(self):
        handler = self.lines("""\
            import subprocess
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
            print(os.getpid(), child.pid,
                  file=open(os.environ["FOLDER"] + "/pids", "a"))
            time.sleep(1000)
            """)
        process = self.begin(handler, mode="lines")
        pids = self.pids(2)
        process.kill()
        process.wait()
        rig.wait_for(lambda: not any(map(is_alive, pids)), f"{pids} to end")
        self.check_nothing_left()


if __name__ == "__main__":
    rig.main()
