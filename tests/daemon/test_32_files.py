"""Wrong files of plugins: refused at start, all in one run."""

import os
import pathlib
import re
import signal

import pegboard
from pegboard import DEADLY, DONE, FAULTS, command, section, wait_for

GOOD = FAULTS / "noop.so"


class Cases:
    """Sections with one mistake each, and what shall be said of them."""

    def __init__(self, folder):
        self.folder = folder
        self.ini = ""
        self.said = {}

    def add(self, name, so, said, *keys, **options):
        self.ini += section(name, so, *keys, **options)
        self.said[name] = said

    def file(self, name, content):
        path = self.folder / f"{name}.so"
        path.write_bytes(content)
        path.chmod(0o644)
        return path

    def add_all(self):
        good = GOOD.read_bytes()
        short = "cut short|not a shared object"
        self.add("empty", self.file("empty", b""), "the file is empty")
        self.add("text", self.file("text", b"int main(void);\n" * 50),
                 "not a shared object")
        for part in range(1, 8):
            cut = good[:len(good) * part // 8]
            name = f"cut{part}"
            self.add(name, self.file(name, cut), short)
        self.add("last-byte", self.file("last-byte", good[:-1]), short)
        machine = good[:18] + b"\xf3\x00" if good[18:20] != b"\xf3\x00" else (
            good[:18] + b"\x3e\x00")
        self.add("machine", self.file("machine", machine + good[20:]),
                 "built for another machine")
        self.add("no-symbol", "no_symbol", "exports no pegboard_plugin_v1")
        self.add("function", "function", "is a function, it must be data")
        self.add("undefined", "undefined", "nobody_defines_this")
        self.add("size0", "size0", ".size is 0")
        self.add("size-lies", "size_lies", ".size is 4096")
        self.add("major2", "major2", "abi_major is 2")
        self.add("abi2", "abi2", "built for pegboard ABI 2")
        self.add("minor99", "needs_minor99", r"needs pegboard ABI 1\.99")
        self.add("no-handle", "null_handle", ".handle is missing")
        self.add("ctor-crash", "ctor_crash", r"SIGABRT|exited with status",
                 DEADLY)
        self.add("missing", "/no/such/file.so", "/no/such/file.so")
        writable = self.file("writable", good)
        writable.chmod(0o646)
        self.add("writable", writable, "written by every user.*chmod")
        self.add("folder", self.folder, "regular file")
        self.add("narrower", "receipts", 'does not declare "charge.refunded"',
                 "events = charge.refunded")

    def add_options(self):
        self.add("unknown", "receipts",
                 'no option "greetnig", did you mean "greeting"',
                 greetnig="hello")
        self.add("required", "ledger", 'needs the option "file"')
        self.add("form", "ledger", '"sleep_ms" must be', file="x",
                 sleep_ms="soon")


class WrongFiles(pegboard.TestCase):

    def cases(self):
        daemon = self.daemon(start=False)
        cases = Cases(daemon.folder)
        cases.add_all()
        cases.add_options()
        daemon.write_ini(section("good", "noop") + cases.ini)
        return daemon, cases

    def line_of(self, daemon, text):
        return daemon.ini.read_text().split("\n").index(text) + 1

    def check_findings(self, daemon, cases, stderr):
        findings = re.findall(rf"^{daemon.ini}:(\d+): (.*)$", stderr, re.M)
        self.assertEqual(len(findings), len(cases.said), stderr)
        for name, said in cases.said.items():
            with self.subTest(name):
                begin = self.line_of(daemon, f"[plugin {name}]")
                texts = [text for line, text in findings
                         if begin <= int(line) < begin + 7]
                self.assertTrue(any(re.search(said, text) for text in texts),
                                f"{said!r} is not said at {begin}:\n{stderr}")

    def test_serve_lists_all_mistakes_and_ends_with_3(self):
        daemon, cases = self.cases()
        result = command("serve", "-c", daemon.ini)
        self.assertEqual(result.returncode, 3, result.stderr)
        self.check_findings(daemon, cases, result.stderr)
        self.assertIn(f"error: {len(cases.said)} errors in {daemon.ini}",
                      result.stderr)

    def test_check_says_the_same(self):
        daemon, cases = self.cases()
        result = command("check", "-c", daemon.ini)
        self.assertEqual(result.returncode, 3, result.stderr)
        self.check_findings(daemon, cases, result.stderr)
        self.assertEqual(result.stdout, "")

    def test_mistakes_of_keys_and_of_files_are_listed_together(self):
        daemon = self.daemon(section("p", "size0", "tiemout = 5s"),
                             server="thread = 5", start=False)
        result = command("serve", "-c", daemon.ini)
        self.assertEqual(result.returncode, 3)
        for said in ('did you mean "timeout"', 'did you mean "threads"',
                     r"\.size is 0"):
            self.assertRegex(result.stderr, said)
        self.assertFalse(daemon.state.exists(), "a wrong file changes nothing")

    def test_writable_file_is_never_loaded(self):
        daemon = self.daemon(start=False)
        path = daemon.folder / "p.so"
        path.write_bytes((FAULTS / "ctor_crash.so").read_bytes())
        path.chmod(0o666)
        daemon.write_ini(section("p", path))
        result = command("check", "-c", daemon.ini)
        self.assertEqual(result.returncode, 3)
        self.assertIn("chmod", result.stderr)
        self.assertNotIn("ends the process", result.stderr)

    def test_file_that_never_loads_is_given_up(self):
        daemon = self.daemon(section("p", "ctor_hang"), start=False)
        result = command("check", "-c", daemon.ini)
        self.assertEqual(result.returncode, 3)
        self.assertIn("loading it takes more than 10 s", result.stderr)


class Copies(pegboard.TestCase):
    """The daemon works on a copy of its own."""

    def test_file_rewritten_or_removed_reaches_no_running_code(self):
        daemon = self.daemon(start=False)
        path = daemon.folder / "p.so"
        path.write_bytes(GOOD.read_bytes())
        daemon.write_ini(section("p", path))
        daemon.start()
        runner = daemon.wait_runner("p")
        path.write_bytes(b"\0" * len(GOOD.read_bytes()))
        daemon.post()
        daemon.wait_finished()
        path.unlink()
        os.kill(runner, signal.SIGKILL)
        self.assertNotEqual(daemon.wait_runner("p", 2), runner)
        daemon.post()
        daemon.wait_finished()
        self.assertEqual(daemon.attempts(), [(1, DONE, None)] * 2)

    def test_check_leaves_nothing_behind(self):
        daemon = self.daemon(section("p", "noop"), start=False)
        folders = pathlib.Path("/tmp").glob
        before = set(folders("pegboard-check-*"))
        self.assertEqual(command("check", "-c", daemon.ini).returncode, 0)
        wait_for(lambda: set(folders("pegboard-check-*")) <= before,
                 "no folder of ours; those of others go")
        self.assertFalse(daemon.state.exists())


if __name__ == "__main__":
    pegboard.main()
