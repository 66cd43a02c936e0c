#!/usr/bin/env python3
"""Each mistake that an author of plugins can make, and the message that it meets.

The tables of mistakes.py are the test: a mistake, how it is made, and what is to
be said of it, by `try`, by `check` of a configuration, and by `plugins inspect`.
They are printed with what was said, side by side.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import textwrap
import unittest

from mistakes import (BUILD, CONFIGS, FILES, FIXTURES, INIT, INITS, OPTIONS,
                      PATIENCE_S, Maker)

PEGBOARD = BUILD / "bin" / "pegboard"
EVENT = pathlib.Path(__file__).resolve().parent / "getters.json"
REFUSED, MISSING = 3, 4


class Mistakes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="pegboard-mistakes-")
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name)
        cls.maker = Maker(cls.root)
        cls.rows = []
        cls.addClassCleanup(cls.print_table)

    @classmethod
    def print_table(cls):
        """Mistakes at the left, messages at the right."""
        for mistake, command, said in cls.rows:
            right = textwrap.wrap(said, 76, break_long_words=False,
                                  break_on_hyphens=False) or [""]
            left = textwrap.wrap(mistake, 32) + [f"  ({command})"]
            for i in range(max(len(left), len(right))):
                print(f"{left[i] if i < len(left) else '':36}"
                      f"{right[i] if i < len(right) else ''}")
            print()

    def run_command(self, *args, cwd=None, **env):
        done = subprocess.run(
            [os.fsencode(str(arg)) for arg in (PEGBOARD, *args)],
            cwd=cwd or self.root, env={**os.environ, **env}, timeout=PATIENCE_S,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, done.stderr.decode(errors="surrogateescape")

    def expect(self, mistake, command, said, wanted, code, wanted_code):
        """One row."""
        with self.subTest(mistake=mistake, command=command):
            match = re.search(wanted, said)
            self.assertTrue(match, f"not said: {wanted}\nsaid: {said}")
            if wanted_code is not None:
                self.assertEqual(code, wanted_code, said)
            begin = said.rfind("\n", 0, match.start()) + 1
            end = said.find("\n", match.end() - 1)
            line = said[begin:end if end >= 0 else len(said)]
            line = line.replace(str(self.root), "").encode(
                errors="replace").decode()
            self.rows.append((mistake, command, line[:400]))

    def ini(self, plugin, *lines, folder=None):
        """A configuration of that one plugin."""
        folder = folder or self.maker.folder()
        path = folder / "pegboard.ini"
        path.write_text("\n".join((
            "[server]", f"state_dir = {folder}/state", "[plugins]",
            "autoload = no", "[endpoint main]", "path = /webhook",
            "secrets = env:MAIN_SECRET", "[plugin mine]", f"path = {plugin}",
            *lines)) + "\n", errors="surrogateescape")
        return path

    def check(self, plugin, *lines, folder=None, **env):
        return self.run_command("check", "-c", self.ini(plugin, *lines,
                                                        folder=folder),
                                MAIN_SECRET="whsec_0123456789abcdef", **env)

    # ---- The tables -----------------------------------------------------

    def test_files_loading_and_descriptors(self):
        for mistake, make, wanted in FILES:
            plugin = make(self.maker)
            shown = len(self.rows)
            for command, run in (
                    ("try", lambda: self.run_command("try", plugin, EVENT)),
                    ("check", lambda: self.check(plugin)),
                    ("plugins inspect",
                     lambda: self.run_command("plugins", "inspect", plugin))):
                code, said = run()
                self.expect(mistake, command, said, wanted, code, REFUSED)
            if len(self.rows) == shown + 3:  # they say the same: show it once
                _, _, said = self.rows[shown]
                self.rows[shown:] = [(mistake, "try, check, inspect", said)]

    def test_init(self):
        for mistake, body, checked, tried in INITS:
            plugin = self.maker.shared(INIT % body, "-pthread")
            code, said = self.check(plugin)
            self.expect(mistake, "check", said, checked, code, REFUSED)
            code, said = self.run_command("try", "--isolated", plugin, EVENT)
            self.expect(mistake, "try --isolated", said, checked, code,
                        REFUSED)
            if tried is not None:
                code, said = self.run_command("try", plugin, EVENT)
                self.expect(mistake, "try", said, tried, code, None)
                self.assertNotEqual(code, 0)

    def test_init_may_start_threads(self):
        plugin = self.maker.shared(
            INIT % "return pthread_create(&thread, NULL, wait_long, NULL);",
            "-pthread")
        for args in ((), ("--isolated",)):
            code, said = self.run_command("try", *args, plugin, EVENT)
            self.assertEqual((code, said), (0, ""))
        self.assertEqual(self.check(plugin)[0], 0)

    def test_options(self):
        plugin = self.maker.shared(OPTIONS)
        folder = self.maker.folder()
        (folder / "open").write_text("tok_1\n")
        (folder / "open").chmod(0o644)
        for mistake, line, checked, option, tried in CONFIGS:
            token = [] if line and "token" in line else ["token = t"]
            if checked is not None:
                lines = ([] if line is None else
                         ["[plugin mine options]", *token, line])
                code, said = self.check(plugin, *lines, folder=folder)
                self.expect(mistake, "check", said, checked, code, REFUSED)
            if tried is not None:
                given = ([] if option is None else option.split("\0"))
                if given and not option.startswith("token"):
                    given.append("token=t")
                words = [word for one in given for word in ("-o", one)]
                code, said = self.run_command("try", plugin, EVENT, *words,
                                              cwd=folder)
                self.expect(mistake, "try", said, tried, code, REFUSED)

    # ---- What has a place of its own ------------------------------------

    def test_file_that_is_not_there(self):
        code, said = self.run_command("try", "nowhere.so", EVENT)
        self.expect("no such file", "try", said,
                    "nowhere.so refused: No such file", code, REFUSED)
        code, said = self.check("nowhere.so")
        self.expect("no such file", "check", said,
                    "the file of plugin mine is missing: there is neither .* "
                    "nor .*nowhere.so", code, REFUSED)
        code, said = self.run_command("plugins", "inspect", "nowhere.so")
        self.expect("no such file", "plugins inspect", said,
                    "nowhere.so: No such file", code, MISSING)

    def test_event_that_is_not_there(self):
        plugin = FIXTURES / "noop.so"
        for event, wanted in (
                ("nowhere.json", "nowhere.json: No such file"),
                ("invoce.paid", "there is no file invoce.paid, and no event "
                                'type of that name, did you mean "invoice.paid"')):
            code, said = self.run_command("try", plugin, event)
            self.expect(f"no such event: {event}", "try", said, wanted, code,
                        MISSING)
        for content, wanted in (
                ('{"id": "evt_1"', "not JSON: .* at byte"),
                ('{"id": "evt_1", "type": 7}',
                 'not a Stripe event: "id" and "type" must be strings')):
            event = self.maker.folder() / "event.json"
            event.write_text(content)
            code, said = self.run_command("try", plugin, event)
            self.expect("a file that is no event", "try", said, wanted, code,
                        MISSING)

    def test_file_that_everybody_can_write(self):
        plugin = self.maker.file((FIXTURES / "noop.so").read_bytes(), 0o666)
        wanted = "can be written by every user[;,].* run chmod o-w on it"
        code, said = self.check(plugin)
        self.expect("world-writable", "check", said, wanted, code, REFUSED)
        code, said = self.run_command("try", "--isolated", plugin, EVENT)
        self.expect("world-writable", "try --isolated", said, wanted, code,
                    REFUSED)
        code, said = self.run_command("try", plugin, EVENT)
        self.expect("world-writable", "try", said, "warning: .* can be written "
                    "by every user, so a daemon refuses it: run chmod o-w on "
                    "it", code, 0)

    def test_folder_that_is_mounted_noexec(self):
        folder = self.maker.folder()
        mount = (f"mount -t tmpfs -o noexec none {folder} && "
                 f"cp {FIXTURES}/noop.so {folder}/mine.so")
        if subprocess.run(["unshare", "-m", "sh", "-c", mount],
                          capture_output=True).returncode != 0:
            self.skipTest("no right to mount")
        ini = self.ini(FIXTURES / "noop.so")
        for command, line, wanted, wanted_code in (
                ("try", f"{PEGBOARD} try {folder}/mine.so {EVENT}",
                 "its folder is mounted noexec: put it elsewhere, or remount "
                 "with exec", REFUSED),
                ("check", f"TMPDIR={folder} {PEGBOARD} check -c {ini}",
                 "is mounted noexec, so plugins cannot be loaded from it: set "
                 "TMPDIR to a folder that is not", 1),
                ("serve", f"sed -i s,{ini.parent}/state,{folder}/state, {ini} "
                          f"&& {PEGBOARD} serve -c {ini}",
                 "mounted noexec, so plugins cannot be loaded from there: set "
                 "state_dir to a folder elsewhere", None)):
            done = subprocess.run(
                ["unshare", "-m", "sh", "-c", f"{mount} && {line}"], text=True,
                capture_output=True, timeout=PATIENCE_S,
                env={**os.environ, "MAIN_SECRET": "whsec_0123456789abcdef"})
            self.expect("a folder mounted noexec", command, done.stderr,
                        wanted, done.returncode, wanted_code)

    def test_library_beside_the_plugin(self):
        plugin = self.maker.library_gone("-Wl,-rpath,$ORIGIN",
                                         "-Wl,--enable-new-dtags")
        # Where it stands it works; a daemon loads a copy.
        code, said = self.run_command("try", plugin, EVENT)
        self.assertEqual((code, said), (0, ""))
        code, said = self.check(plugin)
        self.expect("a library beside the plugin ($ORIGIN)", "check", said,
                    r"the library libpart.so.1 is not found: its run path is "
                    r"\$ORIGIN, and a daemon loads a copy .* give -Wl,-rpath a "
                    "whole path", code, REFUSED)

    def test_handle_that_ends_the_process(self):
        for name, wanted_try, wanted in (
                ("crash", r"SIGSEGV in handle\(\)\n  where: gdb --args",
                 r"crash: the runner was killed by signal 11 \(SIGSEGV\)"),
                ("exit0", r"handle\(\) called exit\(\)",
                 "crash: the runner exited with status 0")):
            plugin = FIXTURES / f"{name}.so"
            code, said = self.run_command("try", plugin, EVENT)
            self.expect(f"handle(): {name}", "try", said, wanted_try, code,
                        None)
            self.assertNotEqual(code, 0)
            done = subprocess.run([PEGBOARD, "try", "--isolated", plugin, EVENT],
                                  text=True, capture_output=True,
                                  timeout=PATIENCE_S)
            self.expect(f"handle(): {name}", "try --isolated", done.stdout,
                        wanted, done.returncode, 1)
        done = subprocess.run(
            [PEGBOARD, "try", "--isolated", "--timeout", "200ms",
             FIXTURES / "hang.so", EVENT], text=True, capture_output=True,
            timeout=PATIENCE_S)
        self.expect("handle(): hangs", "try --isolated", done.stdout,
                    "timeout: no verdict within 200 ms", done.returncode, 8)

    def test_constructors(self):
        for name, wanted in (
                ("ctor_crash", "loading it ends the process: killed by signal "
                               "6 .SIGABRT. .pegboard try on its file"),
                ("ctor_hang", "loading it takes more than 10 s")):
            code, said = self.check(FIXTURES / f"{name}.so")
            self.expect(f"a constructor: {name}", "check", said, wanted, code,
                        REFUSED)
        code, said = self.run_command("try", FIXTURES / "ctor_crash.so", EVENT)
        self.expect("a constructor: ctor_crash", "try", said,
                    "SIGABRT in a constructor of the plugin", code, None)


if __name__ == "__main__":
    unittest.main()
