#!/usr/bin/env python3
"""`pegboard new`: from nothing to a handler that gets an event.

What it prints is typed, line by line, with a Pegboard in its build tree and with
an installed one, for C and C++; what it makes is built with GCC and Clang and
passes its own tests.
"""

import json
import os
import re
import shutil
import subprocess
import time
import unittest

from new_rig import (BUILD, FAILED, MISSING, OK, PATIENCE_S, REFUSED, USAGE,
                     Dev, TestCase)

COMPILERS = {"gcc": ("gcc", "g++"), "clang": ("clang", "clang++")}
LIB = re.search(r"^CMAKE_INSTALL_LIBDIR:\w+=(.*)$",
                (BUILD / "CMakeCache.txt").read_text(), re.M).group(1)


class ThreeCommands(TestCase):

    def type_them(self, where, *args, **env):
        began = time.monotonic()
        said = self.new("billing", *args, where=where, **env)
        commands = [line.strip() for line in said.splitlines()[-3:]]
        self.assertRegex(commands[0], "^cmake -S billing -B billing/build.* && "
                                      "cmake --build billing/build$")
        self.sh(commands[0], **env)
        dev = Dev(commands[1], self.folder, {**self.env, **env})
        self.addCleanup(dev.close)
        dev.wait_line("Ready!")
        self.sh(commands[2], **env)
        dev.wait_line(r"<--  \[done\] billing")
        dev.wait_line(r"says.*hello invoice\.\w+: in_")
        self.assertLess(time.monotonic() - began, PATIENCE_S)
        tests = self.sh("ctest --test-dir billing/build")
        self.assertRegex(tests, "100% tests passed, 0 tests failed out of 2")
        return commands

    def test_in_c_from_the_build_tree(self):
        commands = self.type_them("build", "--events", "invoice.paid")
        self.assertIn(f"-DPegboard_DIR={BUILD}", commands[0])

    def test_in_cpp_from_the_build_tree(self):
        self.type_them("build", "--lang", "c++", "--events", "invoice.paid")

    def test_in_c_installed(self):
        commands = self.type_them("installed", "--events", "invoice.*")
        self.assertIn(f"-DPegboard_DIR={self.prefix / LIB}", commands[0])

    def test_in_cpp_installed_in_the_path(self):
        path = f"{self.prefix}/bin:{os.environ['PATH']}"
        commands = self.type_them("installed", "--lang", "C++", "--events",
                                  "invoice.paid", PATH=path)
        self.assertEqual(commands[1:], ["pegboard dev billing/build/billing.so",
                                        "pegboard trigger invoice.paid"])


class Made(TestCase):

    def build(self, name, *flags):
        self.sh(f"cmake -S {name} -B {name}/build -DPegboard_DIR={BUILD} "
                f"{' '.join(flags)} && cmake --build {name}/build && "
                f"ctest --test-dir {name}/build --output-on-failure")

    def test_gcc_and_clang_without_a_warning(self):
        strict = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
        for lang, flag, index in (("c", "C", 0), ("c++", "CXX", 1)):
            for compiler, pair in COMPILERS.items():
                with self.subTest(lang=lang, compiler=compiler):
                    if not shutil.which(pair[index]):
                        self.skipTest(f"{pair[index]} is not installed")
                    name = f"{compiler}-{flag.lower()}"
                    self.new(name, "--lang", lang)
                    self.build(name, f"-DCMAKE_{flag}_COMPILER={pair[index]}",
                               f"-DCMAKE_{flag}_FLAGS='{strict}'")

    def test_every_kind_of_event(self):
        for number, events in enumerate((
                "*", "charge.*", "balance.available", "customer.deleted",
                "v1.balance.available", "v2.core.event_destination.ping",
                "payment_intent.succeeded,charge.dispute.*, invoice.paid")):
            with self.subTest(events):
                self.new(f"kind{number}", "--events", events)
                self.build(f"kind{number}")

    def test_names(self):
        for name in ("a", "9-lives", "a_b-c", "a" * 32, "int", "class"):
            with self.subTest(name):
                self.new(name, "--lang", "c++" if name == "class" else "c")
                self.build(name)

    def test_files(self):
        common = {".gitignore", "CMakeLists.txt", "README.md", "event.json",
                  "mine.ini"}
        self.new("mine")
        self.assertEqual(self.files("mine"), common | {"mine.c", "test.c"})
        for path in (self.folder / "mine").iterdir():
            text = path.read_text()
            for machine in (str(BUILD), str(self.folder), str(self.prefix)):
                self.assertNotIn(machine, text, f"{path} is for this machine")
            self.assertNotRegex(text, "@[A-Z]+@", f"{path} is not filled in")
            self.assertTrue(text.endswith("\n"))
        shutil.rmtree(self.folder / "mine")
        self.new("mine", "--lang", "cpp")
        self.assertEqual(self.files("mine"), common | {"mine.cpp", "test.cpp"})

    def test_one_line_builds_it_too(self):
        for lang in ("c", "c++"):
            name = f"line-{lang[-1]}".replace("+", "p")
            self.new(name, "--lang", lang)
            readme = (self.folder / name / "README.md").read_text()
            line = re.search(r"^(cc|c\+\+) -shared .*$", readme, re.M).group()
            self.sh(line, cwd=self.folder / name, PKG_CONFIG_PATH=str(BUILD))
            said = self.sh(f"{self.programs['build']} try ./{name}.so "
                           "event.json --expect done", cwd=self.folder / name)
            self.assertIn("hello payment_intent.succeeded: pi_", said)

    def test_section_is_taken_by_check(self):
        self.new("mine")
        self.build("mine")
        mine = self.folder / "mine"
        (self.folder / "plugins").mkdir()
        shutil.copy(mine / "build" / "mine.so", self.folder / "plugins")
        (self.folder / "pegboard.ini").write_text(
            f"[server]\nstate_dir = {self.folder}/state\n"
            "[endpoint main]\npath = /webhook\nsecrets = env:SECRET\n" +
            (mine / "mine.ini").read_text())
        said = self.sh(f"{self.programs['build']} check -c pegboard.ini",
                       SECRET="whsec_0123456789abcdef")
        self.assertIn("ok: 1 endpoint, 1 plugin", said)

    def test_elsewhere_and_with_odd_characters(self):
        (self.folder / "it's here").mkdir()
        said = self.new("mine", "--dir", "it's here")
        first = said.splitlines()[-3].strip()
        self.sh(first)
        self.assertTrue((self.folder / "it's here/mine/build/mine.so").exists())

    def test_json(self):
        made = json.loads(self.new("mine", "--json", "--events", "charge.*"))
        self.assertEqual(made["folder"], "mine")
        self.assertEqual(set(made["files"]), self.files("mine"))
        self.assertRegex(made["type"], r"^charge\.")
        self.assertEqual(len(made["commands"]), 3)

    def test_event_is_of_the_type(self):
        self.new("mine", "--events", "invoice.*")
        event = json.loads((self.folder / "mine" / "event.json").read_text())
        self.assertRegex(event["type"], r"^invoice\.")
        self.assertEqual(event["data"]["object"]["object"], "invoice")


class Refused(TestCase):

    def test_mistakes(self):
        (self.folder / "there").mkdir()
        (self.folder / "file").write_text("mine\n")
        for args, exits, *said in (
                (["there"], REFUSED, "there already", "--dir"),
                (["file"], REFUSED, "there already"),
                (["My Billing"], USAGE, 'did you mean "my-billing"'),
                (["Rechnungen!"], USAGE, 'did you mean "rechnungen"'),
                (["a/b"], USAGE, 'did you mean "b"', "--dir"),
                (["a" * 33], USAGE, "1 to 32", f'"{"a" * 32}"'),
                (["---", "--", "-x"], USAGE, "unknown flag"),
                (["--", "-x"], USAGE, 'did you mean "x"'),
                (["!!!"], USAGE, "1 to 32 of a-z 0-9 - _"),
                ([""], USAGE, "1 to 32"),
                ([], USAGE, "missing argument"),
                (["test"], USAGE, "CMake", '"test-events"'),
                (["all"], USAGE, "CMake"),
                (["x", "--events", "invoce.paid"], USAGE,
                 'did you mean "invoice.paid"'),
                (["x", "--events", "invoce.*"], USAGE,
                 'did you mean "invoice.*"'),
                (["x", "--events", "invoice*"], USAGE, '"prefix.*"'),
                (["x", "--events", " , "], USAGE, "name one"),
                (["x", "--lang", "rust"], USAGE, "c, c++, sh and python",
                 "sdk/README.md"),
                (["x", "--dir", "nowhere"], MISSING, "nowhere/x", "No such"),
                (["x", "--dir", "file"], FAILED, "Not a directory")):
            with self.subTest(args):
                self.assertEqual(self.new(*args, exits=exits), "")
                for text in said:
                    self.assertIn(text, self.said)
        self.assertEqual({path.name for path in self.folder.iterdir()},
                         {"there", "file"})
        self.assertEqual(list((self.folder / "there").iterdir()), [])

    def test_nothing_is_left_when_the_disk_is_full(self):
        # Files may not grow, so that the first write of one fails.
        done = subprocess.run(
            ["bash", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@"', "-",
             self.programs["build"], "new", "mine"], cwd=self.folder,
            env=self.env, text=True, capture_output=True, timeout=PATIENCE_S)
        self.assertEqual(done.returncode, FAILED, done.stdout)
        self.assertIn("cannot write", done.stderr)
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
