#!/usr/bin/env python3
"""`pegboard new --lang sh|python`, and scripts in the place of a plugin."""

import json
import os
import shutil
import subprocess
import time
import unittest

from new_rig import (BUILD, CONFIG, MISSING, OK, PATIENCE_S, USAGE, Dev,
                     TestCase)

SUFFIX = {"sh": "sh", "python": "py"}
RUNS = {"sh": "sh", "python": "python3"}


class ThreeCommands(TestCase):
    """What `new` prints is typed, line by line."""

    def type_them(self, lang, where, *args, **env):
        began = time.monotonic()
        said = self.new("billing", "--lang", lang, "--events", "invoice.paid",
                        *args, where=where, **env)
        commands = [line.strip() for line in said.splitlines()[-3:]]
        self.sh(commands[0], **env)
        dev = Dev(commands[1], self.folder, {**self.env, **env})
        self.addCleanup(dev.close)
        dev.wait_line("Ready!")
        self.sh(commands[2], **env)
        dev.wait_line(r"<--  \[done\] billing .*invoice\.paid: in_")
        self.assertLess(time.monotonic() - began, PATIENCE_S)
        return commands

    def test_from_the_build_tree(self):
        for lang in SUFFIX:
            with self.subTest(lang):
                self.setUp()
                self.type_them(lang, "build")

    def test_installed_in_the_path(self):
        path = f"{self.prefix}/bin:{os.environ['PATH']}"
        for lang, suffix in SUFFIX.items():
            with self.subTest(lang):
                self.setUp()
                self.assertEqual(
                    self.type_them(lang, "installed", PATH=path),
                    [f"{RUNS[lang]} billing/test.{suffix}",
                     f"pegboard dev billing/billing.{suffix}",
                     "pegboard trigger invoice.paid"])

    def test_in_a_folder_with_odd_characters(self):
        odd = self.folder / "it's \"here\" $HOME; \\ too"
        odd.mkdir()
        self.folder = odd
        self.type_them("sh", "build")


class Made(TestCase):

    def test_files(self):
        for lang, suffix in SUFFIX.items():
            with self.subTest(lang):
                self.new(lang, "--lang", lang)
                made = self.files(lang)
                self.assertEqual(made - {".gitignore"},
                                 {f"{lang}.{suffix}", f"test.{suffix}",
                                  f"{lang}.ini", "README.md", "event.json"})
                for path in (self.folder / lang).iterdir():
                    text = path.read_text()
                    for machine in (str(BUILD), str(self.folder)):
                        self.assertNotIn(machine, text)
                    self.assertNotRegex(text, "@[A-Z_]+@")
                    self.assertEqual(os.access(path, os.X_OK),
                                     text.startswith("#!"), path)

    def test_every_kind_of_event(self):
        for number, events in enumerate((
                "*", "balance.available", "v1.balance.available",
                "v2.core.event_destination.ping")):
            for lang, suffix in SUFFIX.items():
                with self.subTest(events=events, lang=lang):
                    name = f"{lang}{number}"
                    self.new(name, "--lang", lang, "--events", events)
                    self.sh(f"{RUNS[lang]} {name}/test.{suffix}",
                            PEGBOARD=str(self.programs["build"]))

    def test_its_own_test_can_fail(self):
        for lang, suffix in SUFFIX.items():
            for broken in ("exit 65", "exit 0"):
                with self.subTest(lang=lang, broken=broken):
                    self.setUp()
                    self.new("mine", "--lang", lang)
                    script = self.folder / "mine" / f"mine.{suffix}"
                    script.write_text(f"#!/bin/sh\n{broken}\n")
                    done = subprocess.run(
                        [RUNS[lang], self.folder / "mine" / f"test.{suffix}"],
                        env={**self.env,
                             "PEGBOARD": str(self.programs["build"])},
                        capture_output=True, timeout=PATIENCE_S)
                    self.assertNotEqual(done.returncode, 0)

    def test_section_is_taken_by_check(self):
        many = [f"invoice.{name}" for name in
                ("paid", "created", "deleted", "finalized", "sent", "updated",
                 "voided", "upcoming", "overpaid", "will_be_due", "overdue")]
        for lang in SUFFIX:
            with self.subTest(lang):
                self.setUp()
                self.new("mine", "--lang", lang, "--events", ",".join(many))
                (self.folder / "pegboard.ini").write_text(
                    f"[server]\nstate_dir = {self.folder}/state\n"
                    f"[plugins]\ndir = {BUILD}/plugins\nautoload = no\n"
                    "[endpoint main]\npath = /webhook\nsecrets = env:SECRET\n" +
                    (self.folder / "mine" / "mine.ini").read_text())
                said = self.sh(f"{self.programs['build']} check -c "
                               "pegboard.ini", SECRET="whsec_0123456789abcdef")
                self.assertIn("ok: 1 endpoint, 1 plugin", said)

    def test_where_the_plugin_is_to_be_found(self):
        self.new("mine", "--lang", "sh")
        (self.folder / "pegboard.ini").write_text(
            f"[server]\nstate_dir = {self.folder}/state\n"
            "[endpoint main]\npath = /webhook\nsecrets = env:SECRET\n" +
            (self.folder / "mine" / "mine.ini").read_text())
        done = subprocess.run(
            [self.programs["installed"], "check", "-c", "pegboard.ini"],
            cwd=self.folder, text=True, capture_output=True,
            env={**self.env, "SECRET": "whsec_0123456789abcdef"},
            timeout=PATIENCE_S)
        self.assertEqual(done.returncode, CONFIG, done.stdout)
        self.assertRegex(done.stderr, r"pegboard\.ini:\d+: .*write path = "
                                      rf"{self.prefix}/.*/more/exec\.so")


class InThePlaceOfAPlugin(TestCase):

    def write(self, name, text, mode=0o755):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def pegboard(self, *args, exits=OK, env=None):
        done = subprocess.run([self.programs["build"], *map(str, args)],
                              cwd=self.folder, env={**self.env, **(env or {})},
                              text=True, capture_output=True,
                              timeout=PATIENCE_S)
        self.assertEqual(done.returncode, exits, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_try(self):
        script = self.write("mine.sh", '#!/bin/sh\necho "$PEGBOARD_EVENT_TYPE"'
                                       ' "$(basename "$(pwd)")"\nexit 65\n')
        for flags in ([], ["--isolated"]):
            with self.subTest(flags):
                said = self.pegboard("try", *flags, script, "invoice.paid",
                                     "--expect", "fail")
                self.assertIn("fail: exit status 65: invoice.paid "
                              f"{self.folder.name}", said)

    def test_options_are_those_of_exec(self):
        script = self.write("mine.sh", "#!/bin/sh\nread -r line\n"
                            "echo '{\"ready\":false,\"reason\":\"not now\"}'\n")
        for flags in ([], ["--isolated"]):
            with self.subTest(flags):
                said = self.pegboard("try", *flags, script, "invoice.paid",
                                     "-o", "mode=lines", exits=CONFIG)
                self.assertIn("it is not ready: not now", said)

    def test_dev_environment_change_and_several(self):
        one = self.write("one.sh", '#!/bin/sh\necho "first $WORD"\n')
        self.write("two.sh", '#!/bin/sh\necho "second $WORD"\n')
        dev = Dev(f"{self.programs['build']} dev one.sh two.sh "
                  "--env WORD=hello", self.folder, self.env)
        self.addCleanup(dev.close)
        dev.wait_line("Ready!")
        self.pegboard("trigger", "invoice.paid")
        dev.wait_line(r"\[done\] one .*first hello")
        dev.wait_line(r"\[done\] two .*second hello")
        one.write_text('#!/bin/sh\necho "third $WORD"\n')
        self.pegboard("trigger", "invoice.paid")
        dev.wait_line(r"\[done\] one .*third hello")

    def test_environment_of_try(self):
        script = self.write("mine.sh", "#!/bin/sh\n"
                            'echo "$WORD ${OTHER-none} $PEGBOARD_EVENT_TYPE"\n')
        for flags, other in ([], "ours"), (["--isolated"], "none"):
            with self.subTest(flags):
                said = self.pegboard("try", *flags, "--env", "WORD=a b",
                                     script, "invoice.paid",
                                     env={"OTHER": "ours"})
                self.assertIn(f"done: a b {other} invoice.paid", said)

    def test_options_of_ours_come_first(self):
        script = self.write("mine.sh", "#!/bin/sh\npwd\n")
        other = self.folder / "other"
        other.mkdir()
        for flags in ([], ["--isolated"]):
            with self.subTest(flags):
                said = self.pegboard("try", *flags, script, "invoice.paid",
                                     "-o", f"dir={other}")
                self.assertIn(f"done: {other}", said)
        dev = Dev(f"{self.programs['build']} dev mine.sh -o dir={other} "
                  "--trigger invoice.paid", self.folder, self.env)
        self.addCleanup(dev.close)
        dev.wait_line(rf"\[done\] mine .*{other} ")

    def test_section_of_a_relative_file(self):
        self.new("mine", "--lang", "sh")
        (self.folder / "pegboard.ini").write_text(
            "[endpoint main]\npath = /webhook\nsecrets = env:SECRET\n" +
            (self.folder / "mine" / "mine.ini").read_text())
        for flags in ([], ["--isolated"]):
            with self.subTest(flags):
                self.pegboard("try", *flags, "-c", "pegboard.ini", "--section",
                              "mine", BUILD / "plugins" / "more" / "exec.so",
                              "invoice.paid", "--expect", "done")

    def test_what_an_ini_file_would_change_is_refused(self):
        self.write("mine.sh", "#!/bin/sh\n")
        for flag, pair in (("--env", "WORD=a ;b"), ("--env", "WORD= a"),
                           ("--env", "WORD=a "), ("--env", "W:x=b"),
                           ("--env", "=b"), ("--env", "WORD=" + "x" * 250),
                           ("--env", "WORD=a\nb"), ("-o", "[endpoint x]=1"),
                           ("-o", "mode=lines ;")):
            with self.subTest(pair):
                said = self.pegboard("dev", "mine.sh", flag, pair, exits=USAGE)
                self.assertNotIn(".ini:", said)

    def test_path_is_no_matter(self):
        deep = self.folder / ("x" * 200) / "blank at its end "
        deep.mkdir(parents=True)
        script = self.write("mine.sh", "#!/bin/sh\necho here\n")
        script = script.rename(deep / "mine.sh")
        self.pegboard("dev", script, "--once", "--trigger", "invoice.paid",
                      "--listen", "127.0.0.1:0")
        for flags in ([], ["--isolated"]):
            self.pegboard("try", *flags, script, "invoice.paid")

    def test_mistakes(self):
        self.write("mine.sh", "#!/bin/sh\n", 0o644)
        said = self.pegboard("try", "mine.sh", "invoice.paid", exits=CONFIG)
        self.assertIn("chmod +x", said)
        self.assertIn("chmod +x", self.pegboard("dev", "mine.sh", exits=CONFIG))
        self.write("odd ;.sh", "#!/bin/sh\n")
        self.assertIn('" ;"', self.pegboard("dev", "odd ;.sh", exits=USAGE))
        self.write(".sh", "#!/bin/sh\n")
        self.assertIn("a name", self.pegboard("dev", ".sh", exits=USAGE))
        for name in "test", "json":
            self.assertIn(f'"{name}-events"', self.pegboard(
                "new", name, "--lang", "python", exits=USAGE))
        self.assertIn("KEY=VALUE", self.pegboard(
            "dev", "mine.sh", "--env", "WORD", exits=USAGE))
        self.assertIn("file behind", self.pegboard(
            "dev", "--env", "WORD=a", exits=USAGE))
        self.assertIn("No such file", self.pegboard(
            "dev", "gone.sh", exits=MISSING))

    def test_without_exec(self):
        script = self.write("mine.sh", "#!/bin/sh\n")
        shutil.copytree(BUILD / "bin", self.folder / "bin")
        done = subprocess.run(
            [self.folder / "bin" / "pegboard", "try", script, "invoice.paid"],
            text=True, capture_output=True, timeout=PATIENCE_S)
        self.assertEqual(done.returncode, MISSING)
        self.assertIn("there is no more/exec.so", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
