#!/usr/bin/env python3
"""`pegboard try` and `pegboard plugins inspect`, as authors type them: events by
their type, options of a section, runners as the daemon's, debuggers, sanitizers.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from mistakes import BUILD, CC, FIXTURES, INCLUDE, PATIENCE_S

PEGBOARD = BUILD / "bin" / "pegboard"
RUNNER = BUILD / "bin" / "pegboard-runner"
RECEIPTS = BUILD / "plugins" / "receipts.so"
ROOT = pathlib.Path(__file__).resolve().parents[2]
EVENT = ROOT / "plugins" / "receipts" / "event.json"
OK, FAILED, USAGE, REFUSED, MISSING, TIMED_OUT = 0, 1, 2, 3, 4, 8

WILD = """
    #include <pegboard/plugin.h>
    #include <stdlib.h>
    static int32_t handle(peg_ctx *ctx, const peg_event *ev)
    {
        char *bytes = malloc(10);
        (void)ev;
        free(bytes);
        peg_info(ctx, "%d", bytes[3]);
        return PEG_DONE;
    }
    PEG_PLUGIN(.name = "wild", .version = "1.0", PEG_EVENTS("*"),
               .handle = handle);
    """


class TestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pegboard-try-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_words(self, *words, exits=OK, input="", **env):
        """Its standard output; the rest is in self.stderr."""
        done = subprocess.run([str(word) for word in words], input=input,
                              cwd=self.folder, env={**os.environ, **env},
                              text=True, capture_output=True,
                              timeout=PATIENCE_S)
        self.stderr = done.stderr
        if exits is not None:
            self.assertEqual(done.returncode, exits,
                             f"{words}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def pegboard_try(self, *args, **more):
        return self.run_words(PEGBOARD, "try", *args, **more)

    def wild(self, *flags, cc=CC):
        """A plugin that reads what it has freed."""
        source = self.folder / "wild.c"
        source.write_text(WILD)
        plugin = self.folder / "wild.so"
        subprocess.run([cc, "-g", "-shared", "-fPIC", f"-I{INCLUDE}", "-o",
                        plugin, source, *flags], check=True)
        return plugin


class Events(TestCase):

    def test_by_type(self):
        self.assertEqual(self.pegboard_try(RECEIPTS,
                                           "payment_intent.succeeded"),
                         "done\n")
        self.assertRegex(self.stderr, r"PaymentIntent was successful! id=pi_")
        for isolated in ([], ["--isolated"]):
            self.assertEqual(self.pegboard_try(
                *isolated, FIXTURES / "noop.so", "v1.balance.available"),
                "done\n")

    def test_a_file_comes_before_a_type(self):
        shutil.copy(EVENT, self.folder / "invoice.paid")
        self.pegboard_try(RECEIPTS, "invoice.paid")
        self.assertIn("pi_3PegReceiptsSample0001", self.stderr)

    def test_from_standard_input(self):
        for isolated in ([], ["--isolated"]):
            self.assertEqual(self.pegboard_try(
                *isolated, RECEIPTS, "-", input=EVENT.read_text()), "done\n")


class Sections(TestCase):

    def ini(self, *lines):
        path = self.folder / "mine.ini"
        path.write_text("\n".join(lines) + "\n")
        return path

    def secret(self, *args, **more):
        return self.pegboard_try(FIXTURES / "secret.so", EVENT, *args, **more)

    def test_options_of_the_plugins_section(self):
        (self.folder / "sub").mkdir()
        (self.folder / "sub" / "token").write_text("tok_1\n")
        (self.folder / "sub" / "token").chmod(0o600)
        ini = self.ini("[plugin secret]", "path = elsewhere.so",
                       "[plugin secret options]", "token = file:sub/token",
                       "word = hello", "[plugin other]", "tiemout = 3")
        for isolated in ([], ["--isolated"]):
            with self.subTest(isolated):
                self.secret("-c", ini, *isolated)
                self.assertEqual(self.stderr, "info secret: tok_1 hello\n")
                self.secret("-c", ini, "-o", "word=loud", *isolated)
                self.assertEqual(self.stderr, "info secret: tok_1 loud\n")

    def test_another_section(self):
        ini = self.ini("[plugin second]", "[plugin second options]",
                       "token = t", "word = two")
        for isolated in ([], ["--isolated"]):
            self.secret("-c", ini, "--section", "second", *isolated)
            self.assertIn(": t two\n", self.stderr)
        self.secret("-c", ini, "--section", "secnod", exits=MISSING)
        self.assertIn("did you mean --section second?", self.stderr)
        self.secret("-c", ini, exits=MISSING)
        self.assertIn("no [plugin secret]", self.stderr)

    def test_mistakes_are_told_with_their_lines(self):
        ini = self.ini("[plugin secret]", "timeout = 5",
                       "[plugin secret options]", "token = t", "wrod = x")
        self.secret("-c", ini, exits=REFUSED)
        self.assertIn(f"{ini}:2: timeout: ", self.stderr)
        ini = self.ini("[plugin secret]", "[plugin secret options]",
                       "token = t", "wrod = x")
        for isolated in ([], ["--isolated"]):
            self.secret("-c", ini, *isolated, exits=REFUSED)
            self.assertIn(f"{ini}:4: ", self.stderr)
            self.assertIn('did you mean "word"?', self.stderr)

    def test_environment_and_paths(self):
        (self.folder / "sub").mkdir()
        path = self.folder / "sub" / "mine.ini"
        path.write_text("[plugin surroundings]\nenv.LEDGER = yes\n"
                        "[plugin ledger]\n[plugin ledger options]\n"
                        "file = ledger.txt\n")
        self.pegboard_try(FIXTURES / "ledger.so", EVENT, "-c", path)
        self.assertTrue((self.folder / "sub" / "ledger.txt").exists())
        self.pegboard_try(FIXTURES / "ledger.so", EVENT, "-o", "file=here.txt")
        self.assertTrue((self.folder / "here.txt").exists())

    def test_secrets_are_no_arguments(self):
        """Everybody can see the arguments of a process."""
        ini = self.ini("[plugin secret]", "[plugin secret options]",
                       "token = literal-token")
        said = self.run_words("strace", "-f", "-e", "execve", "-s", "500",
                              PEGBOARD, "try", FIXTURES / "secret.so", EVENT,
                              "-c", ini, exits=None) \
            if shutil.which("strace") else self.arguments(ini)
        self.assertNotIn("literal-token", said + self.arguments(ini))

    def arguments(self, ini):
        """The command line of a try that waits."""
        hang = subprocess.Popen(
            [PEGBOARD, "try", FIXTURES / "secret.so", "-", "-c", ini],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        try:
            text = ""
            while "pegboard-runner" not in text:
                text = pathlib.Path(f"/proc/{hang.pid}/cmdline").read_text()
            return text
        finally:
            hang.communicate(EVENT.read_bytes(), timeout=PATIENCE_S)


class Isolated(TestCase):

    def isolated(self, name, *args, **more):
        return self.pegboard_try("--isolated", FIXTURES / f"{name}.so", EVENT,
                                 *args, **more)

    def test_verdicts(self):
        self.assertEqual(self.isolated("noop"), "done\n")
        self.assertEqual(self.isolated("skip"), "skip: not for me\n")
        self.assertEqual(self.isolated("retry", exits=FAILED),
                         "retry in 5000 ms: the backend is down\n")
        self.isolated("retry", "--expect", "retry,5s")
        self.isolated("retry", "--expect", "done", exits=FAILED)
        self.assertIn("expected done, got: retry", self.stderr)

    def test_ends(self):
        for name, said, exits in (
                ("crash", r"crash: .* signal 11 \(SIGSEGV\)", FAILED),
                ("abort", r"crash: .* signal 6 \(SIGABRT\)", FAILED),
                ("exit0", "crash: the runner exited with status 0", FAILED),
                ("garbage", "crash: the runner spoke nonsense", FAILED),
                ("hang", "timeout: no verdict within 300 ms", TIMED_OUT),
                ("spin", "timeout: no verdict within 300 ms", TIMED_OUT)):
            with self.subTest(name):
                began = time.monotonic()
                self.assertRegex(self.isolated(name, "--timeout", "300ms",
                                               exits=exits), said)
                self.assertLess(time.monotonic() - began, 10)
                got = json.loads(self.isolated(name, "--timeout", "300ms",
                                               "--json", exits=exits))
                self.assertIn(got["verdict"], ("crash", "timeout"))

    def test_what_it_prints_and_logs(self):
        self.isolated("prints")
        self.assertIn("prints prints: stdout line\n", self.stderr)
        self.isolated("init_fail", exits=REFUSED)
        self.assertIn("error init_fail: cannot reach the database\n",
                      self.stderr)

    def test_store_is_kept_between_calls(self):
        (self.folder / "count.json").write_text(json.dumps(
            {"id": "evt_1", "type": "invoice.paid",
             "data": {"object": {"id": "in_1", "metadata": {}}}}))
        self.pegboard_try("--isolated", FIXTURES / "store.so", "count.json",
                          "--repeat", "3", "-o", "file=seen.txt")
        self.assertEqual(self.stderr, "store: put count:in_1 (1 bytes)\n" * 3)
        self.assertEqual((self.folder / "seen.txt").read_text(),
                         "evt_1 in_1 1 0\nevt_1 in_1 2 1\nevt_1 in_1 3 2\n")

    def test_nothing_is_left(self):
        temporary = self.folder / "tmp"
        temporary.mkdir()
        for name in ("noop", "crash", "size0", "forks"):
            option = ["-o", f"file={self.folder}/pids"] if name == "forks" \
                else []
            self.isolated(name, *option, exits=None, TMPDIR=str(temporary))
        self.assertEqual(list(temporary.iterdir()), [])
        for pid in (self.folder / "pids").read_text().split():
            stat = pathlib.Path(f"/proc/{pid}/stat")
            self.assertTrue(not stat.exists() or ") Z " in stat.read_text())

    def test_sandbox_of_the_section_holds(self):
        ini = self.folder / "mine.ini"
        said = {}
        for level in ("none", "strict"):
            ini.write_text(f"[plugin does]\nsandbox = {level}\n"
                           "[plugin does options]\ndo = read:/etc/hostname\n")
            said[level] = self.isolated("does", "-c", ini, exits=None)
            said[level] += self.stderr
        self.assertNotIn("EACCES", said["none"])
        self.assertIn("EACCES", said["strict"])

    def test_preload_is_not_for_it(self):
        self.isolated("noop", "--preload", "libasan.so.8", exits=USAGE)


class Tools(TestCase):

    def test_gdb(self):
        if not shutil.which("gdb"):
            self.skipTest("gdb is not installed")
        plugin = self.wild()
        # pegboard has functions of that name itself, and becomes the runner.
        for program, place in ((RUNNER, "handle"), (PEGBOARD, "wild.c:7")):
            said = self.run_words(
                "gdb", "-batch", "-nx", "-ex", "set breakpoint pending on",
                "-ex", "set debuginfod enabled off", "-ex", f"break {place}",
                "-ex", "run", "-ex", "next", "-ex", "backtrace", "--args",
                program, "try", plugin, EVENT, exits=None)
            self.assertRegex(said, r"#0 +handle \(ctx=.* at .*wild\.c:\d+",
                             self.stderr)

    def test_valgrind(self):
        if not shutil.which("valgrind"):
            self.skipTest("valgrind is not installed")
        plugin = self.wild()
        for words in (["valgrind", RUNNER],
                      ["valgrind", "--trace-children=yes", PEGBOARD]):
            self.run_words(*words, "try", plugin, EVENT, exits=None)
            self.assertIn("Invalid read of size 1", self.stderr)
            self.assertIn("wild.c:", self.stderr)
        self.run_words("valgrind", PEGBOARD, "try", plugin, EVENT)
        self.assertIn("--trace-children=yes", self.stderr)
        self.run_words("valgrind", "--error-exitcode=99", "--leak-check=full",
                       "--errors-for-leak-kinds=definite", RUNNER, "try",
                       RECEIPTS, EVENT)

    def sanitized(self, cc, library, *flags):
        if not shutil.which(cc):
            self.skipTest(f"{cc} is not installed")
        plugin = self.wild("-fsanitize=address", *flags, cc=cc)
        self.pegboard_try(plugin, EVENT, exits=REFUSED)
        said = re.search(r"pegboard try --preload (\$\(.*?\)|\S+)",
                         self.stderr).group(1)
        # What it says is typed.
        self.run_words("bash", "-c", f"{PEGBOARD} try --preload {said} "
                       f"{plugin} {EVENT}", exits=None)
        self.assertIn("heap-use-after-free", self.stderr)
        path = self.run_words(cc, f"-print-file-name={library}").strip()
        for words in ([PEGBOARD, "try"], [RUNNER, "try"]):
            self.run_words(*words, plugin, EVENT, exits=None, LD_PRELOAD=path)
            self.assertIn("heap-use-after-free", self.stderr)

    def test_address_sanitizer_of_gcc(self):
        self.sanitized("gcc", "libasan.so")

    def test_address_sanitizer_of_clang(self):
        self.sanitized("clang", "libclang_rt.asan-x86_64.so",
                       "-shared-libasan")


class Inspect(TestCase):

    def inspect(self, plugin, **more):
        return self.run_words(PEGBOARD, "plugins", "inspect", plugin, **more)

    def as_json(self, plugin, **more):
        return json.loads(self.run_words(PEGBOARD, "plugins", "inspect",
                                         "--json", plugin, **more))

    def shared(self, source, *flags):
        (self.folder / "mine.c").write_text(source)
        plugin = self.folder / "mine.so"
        subprocess.run([CC, "-shared", "-fPIC", "-w", f"-I{INCLUDE}", "-o",
                        plugin, self.folder / "mine.c", *flags], check=True)
        return plugin

    def test_good_plugin(self):
        said = self.inspect(RECEIPTS)
        for line in (r"name +receipts", r"exports +pegboard_plugin_v1",
                     r"abi +1\.\d+ \(this pegboard has 1\.\d+\)",
                     r"machine +\S.*", r"needs +libc\.so\.6",
                     r"imports +\d+ symbols, all found",
                     r"hardening relro yes, bind now yes, executable stack no, "
                     r"text relocations no"):
            self.assertRegex(said, rf"(?m)^{line}$")
        self.assertNotIn("warning", said)
        got = self.as_json(RECEIPTS)
        self.assertEqual((got["exports"], got["undefined"], got["warnings"]),
                         (["pegboard_plugin_v1"], [], []))
        self.assertEqual(got["needed"], [{"name": "libc.so.6", "found": True}])
        self.assertEqual(got["hardening"],
                         {"relro": True, "bind_now": True,
                          "executable_stack": False,
                          "text_relocations": False})

    def test_symbols_that_nothing_provides(self):
        plugin = self.shared(
            "#include <pegboard/plugin.h>\n"
            "int first(void); int second(void); double cos(double);\n"
            "static int32_t handle(peg_ctx *c, const peg_event *e)\n"
            "{ return first() + second() + (int)cos((double)(long)c); }\n"
            'PEG_PLUGIN(.name = "mine", .version = "1", PEG_EVENTS("*"),'
            " .handle = handle);\n")
        self.assertRegex(self.inspect(plugin, exits=REFUSED),
                         r"(?m)^undefined (?=.*first)(?=.*second)(?=.*cos).*$")
        self.assertIn("a daemon would refuse it: undefined symbol",
                      self.stderr)
        got = self.as_json(plugin, exits=REFUSED)
        self.assertEqual(set(got["undefined"]), {"first", "second", "cos"})
        self.assertIn("undefined symbol", got["refused"])

    def test_advice(self):
        plugin = self.shared(
            "#include <pegboard/plugin.h>\n"
            "static const peg_option options[] = {\n"
            '{"token", PEG_OPTION_STRING, PEG_OPTION_REQUIRED |'
            ' PEG_OPTION_SECRET, "tok_1", ""}};\n'
            "int32_t handle(peg_ctx *c, const peg_event *e) { return 0; }\n"
            'PEG_PLUGIN(.name = "mine", .version = "1",'
            ' PEG_EVENTS("invoce.paid"), PEG_OPTIONS(options),'
            " .handle = handle);\n", "-Wl,-z,norelro,-z,execstack",
            "-Wl,-rpath,$ORIGIN/lib")
        plugin.chmod(0o666)
        advice = "\n".join(self.as_json(plugin)["warnings"])
        for said in ("chmod o-w", r"exports 1 more than .* \(handle\)",
                     "-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack",
                     r"\$ORIGIN/lib", 'did you mean "invoice.paid"',
                     "required and has a default", "secret with a default",
                     "no help"):
            self.assertRegex(advice, said)
        self.assertEqual(self.inspect(plugin).count("warning   "),
                         len(advice.splitlines()))

    def test_library_that_kills_is_survived(self):
        (self.folder / "part.c").write_text(
            "#include <stdlib.h>\nint part(void) { return 1; }\n"
            "__attribute__((constructor)) static void die(void) { abort(); }\n")
        part = self.folder / "libpart.so"
        subprocess.run([CC, "-shared", "-fPIC", "-o", part,
                        self.folder / "part.c"], check=True)
        plugin = self.shared(
            "#include <pegboard/plugin.h>\nint part(void);\n"
            "static int32_t handle(peg_ctx *c, const peg_event *e)\n"
            "{ return part(); }\n"
            'PEG_PLUGIN(.name = "mine", .version = "1", PEG_EVENTS("*"),'
            " .handle = handle);\n", str(part))
        self.inspect(plugin, exits=REFUSED)
        self.assertIn("loading it ends the process", self.stderr)

    def test_names_cannot_command_the_terminal(self):
        plugin = self.shared(
            "#include <pegboard/plugin.h>\n"
            "static int32_t handle(peg_ctx *c, const peg_event *e)"
            "{ return 0; }\n"
            'PEG_PLUGIN(.name = "mine", .version = "\\033[2J\\n1",'
            ' .summary = "a\\nname    other", PEG_EVENTS("*"),'
            " .handle = handle);\n")
        said = self.inspect(plugin)
        self.assertNotIn("\033", said)
        self.assertEqual(len(re.findall(r"(?m)^name ", said)), 1)


if __name__ == "__main__":
    unittest.main()
