"""Files of plugins that are dropped, replaced, damaged or taken away, while the
daemon runs and at the very moment of a reload."""

import os
import pathlib
import subprocess

import pegboard
import reloads
from commands import CONFIG, FAILED
from pegboard import DEADLY, event, section, wait_for
from reloads import code_of, digest_of, mark_of, put, version_of

BAD_SO = "cut short|not a shared object|file is empty|holes"
WRITTEN = f"{BAD_SO}|somebody is writing it"


class TestCase(reloads.TestCase):

    def serve_file(self):
        """A daemon with the plugin "p", of a file of its own."""
        daemon = self.daemon(start=False)
        self.so = put(daemon.folder / "p.so", version_of("tells_pid", 1))
        self.write_ini(daemon, section("p", self.so))
        daemon.start()
        self.old = self.pid(daemon, "p")
        return daemon

    def serve_folder(self, *names):
        """A daemon that loads what is in its plugins folder."""
        daemon = self.daemon(start=False)
        self.dir = self.plugins_dir(daemon)
        for name in names:
            put(self.dir / f"{name}.so", version_of("tells_pid", 1))
        self.write_ini(daemon, autoload=True)
        return daemon.start()

    def check_serves(self, daemon, number, pid=None):
        """Which version handles events; in which process, if that is known."""
        self.assertEqual(self.handled(daemon, "p"),
                         mark_of(version_of("tells_pid", number)))
        if pid is not None:
            self.assertEqual(daemon.runners("p"), [pid])

    def check_refused(self, daemon, *said):
        """A reload is refused with one mistake that names the file, and the
        old code serves on in its process."""
        answer = self.refuse(daemon, *said)
        self.assertIn(str(self.so), answer["errors"][0]["message"])
        self.check_serves(daemon, 1, self.old)


class Dropped(TestCase):
    """The plugins folder."""

    def test_new_file_gets_the_next_events(self):
        daemon = self.serve_folder()
        before = event()
        daemon.post(before)
        put(self.dir / "p.so", version_of("tells_pid", 1))
        between = event()
        daemon.post(between)
        self.assertEqual(self.hup(daemon), "reloaded")
        self.check_serves(daemon, 1)
        for body in before, between:
            self.assertEqual(daemon.handlers(body), [])

    def test_what_is_no_plugin_file_is_passed_over(self):
        daemon = self.serve_folder("p")
        pid = self.pid(daemon, "p")
        put(self.dir / ".hidden.so", b"nothing")
        put(self.dir / "notes.txt", b"nothing")
        put(self.dir / "p.so.bak", b"nothing")
        self.assertEqual(self.reload(daemon)["changes"], [])
        self.assertEqual(self.pid(daemon, "p"), pid)

    def test_bad_name_refuses(self):
        daemon = self.serve_folder("p")
        put(self.dir / "Bad Name.so", version_of("tells_pid", 1))
        self.refuse(daemon, "Bad Name.so.*no good name")
        self.check_serves(daemon, 1)

    def test_file_taken_away_is_a_plugin_removed(self):
        daemon = self.serve_folder("p", "q")
        self.pid(daemon, "p")
        (self.dir / "p.so").unlink()
        self.assertEqual(self.changes(self.reload(daemon)),
                         {("removed", "plugin p")})
        wait_for(lambda: not daemon.runners("p"), "it to go")
        body = event()
        daemon.post(body)
        self.wait_handled(daemon, body, "q")
        self.assertEqual(daemon.handlers(body), ["q"])

    def test_what_it_is_owed_stays_until_it_is_back(self):
        daemon = self.serve_folder("p")
        body = event()
        self.api(daemon, "POST", "/plugins/p/pause", {"reason": "a test"})
        daemon.post(body)
        wait_for(lambda: self.delivery(daemon, body), "it to be stored")
        (self.dir / "p.so").unlink()
        self.assertEqual(self.hup(daemon), "reloaded")
        owed = self.plugin(daemon, "p")
        self.assertEqual((owed["state"], owed["pending"]), ("orphaned", 1))
        put(self.dir / "p.so", version_of("tells_pid", 2))
        self.assertEqual(self.hup(daemon), "reloaded")
        self.assertEqual(self.plugin(daemon, "p")["state"], "paused")
        self.api(daemon, "POST", "/plugins/p/resume", {})
        self.assertEqual(self.wait_handled(daemon, body, "p"),
                         mark_of(version_of("tells_pid", 2)))

    def test_folder_taken_away_refuses(self):
        daemon = self.serve_folder("p")
        pid = self.pid(daemon, "p")
        self.dir.rename(daemon.folder / "elsewhere")
        answer = self.reload(daemon, exits=CONFIG)
        self.assertIn(str(self.dir), answer["errors"][0]["message"])
        self.check_serves(daemon, 1, pid)


class Replaced(TestCase):
    """Every way to put a new version in place."""

    def check_replaced(self, daemon, number=2):
        self.check_serves(daemon, number - 1, self.old)
        answer = self.reload(daemon)
        self.assertEqual(self.changes(answer), {("rolled", "plugin p")})
        self.check_serves(daemon, number)
        new = self.pid(daemon, "p")
        self.assertNotEqual(new, self.old)
        self.old = new

    def test_by_rename(self):
        daemon = self.serve_file()
        put(self.so, version_of("tells_pid", 2))
        self.check_replaced(daemon)

    def test_by_a_copy_over_it(self):
        daemon = self.serve_file()
        inode = self.so.stat().st_ino
        put(daemon.folder / "new", version_of("tells_pid", 2))
        subprocess.run(["cp", daemon.folder / "new", self.so], check=True)
        self.assertEqual(self.so.stat().st_ino, inode)
        self.check_replaced(daemon)

    def test_by_removal_and_creation(self):
        daemon = self.serve_file()
        self.so.unlink()
        self.so.write_bytes(version_of("tells_pid", 2))
        self.check_replaced(daemon)

    def test_by_a_link_that_is_swapped(self):
        daemon = self.daemon(start=False)
        self.so = daemon.folder / "p.so"
        for number in 1, 2, 3:
            folder = daemon.folder / f"release{number}"
            folder.mkdir()
            put(folder / "p.so", version_of("tells_pid", number))
        current = daemon.folder / "current"
        current.symlink_to("release1")
        self.so.symlink_to("current/p.so")
        self.write_ini(daemon, section("p", self.so))
        daemon.start()
        self.old = self.pid(daemon, "p")
        for number in 2, 3:
            fresh = daemon.folder / "next"
            fresh.symlink_to(f"release{number}")
            fresh.rename(current)
            self.check_replaced(daemon, number)

    def test_restart_of_its_runner_loads_what_was_checked(self):
        daemon = self.serve_file()
        for spoil in (lambda: self.so.write_bytes(b"nothing" * 1000),
                      lambda: os.truncate(self.so, 100),
                      self.so.unlink):
            spoil()
            self.kill_runner(self.old)
            wait_for(lambda: daemon.runners("p") not in ([], [self.old]),
                     "another runner")
            self.old = self.pid(daemon, "p")
            self.check_serves(daemon, 1, self.old)

    def test_two_sections_of_one_file(self):
        daemon = self.serve_file()
        self.write_ini(daemon, section("p", self.so) + section("q", self.so))
        self.assertEqual(self.changes(self.reload(daemon)),
                         {("added", "plugin q")})
        self.assertEqual(self.pid(daemon, "p"), self.old)
        put(self.so, version_of("tells_pid", 2))
        self.assertEqual(self.changes(self.reload(daemon)),
                         {("rolled", "plugin p"), ("rolled", "plugin q")})
        for name in "pq":
            self.assertEqual(self.handled(daemon, name),
                             mark_of(version_of("tells_pid", 2)))


class Damaged(TestCase):
    """Nothing of it reaches what serves, and it is said what is wrong."""

    def test_missing(self):
        daemon = self.serve_file()
        self.so.unlink()
        self.check_refused(daemon, str(self.so))
        put(self.so, version_of("tells_pid", 2))
        self.reload(daemon)
        self.check_serves(daemon, 2)

    def test_dangling_link(self):
        daemon = self.serve_file()
        self.so.unlink()
        self.so.symlink_to("nowhere.so")
        self.check_refused(daemon, str(self.so))

    def test_no_shared_object(self):
        daemon = self.serve_file()
        good = version_of("tells_pid", 2)
        other = b"\x3e\x00" if good[18:20] != b"\x3e\x00" else b"\xf3\x00"
        for content, said in (
                (b"", "file is empty"),
                (b"int main(void);\n" * 50, "not a shared object"),
                (good[:18] + other + good[20:], "built for another machine"),
                (good[:4] + b"\x01" + good[5:],
                 "another machine|built for 32-bit"),
                (good[:16] + b"\x02\x00" + good[18:], "link it with -shared"),
                (b"\0" * len(good), "not a shared object")):
            with self.subTest(said):
                put(self.so, content)
                self.check_refused(daemon, said)

    def test_library_beside_it_is_not_in_the_copy(self):
        """$ORIGIN of the copy is another folder."""
        daemon = self.serve_file()
        folder = daemon.folder / "built"
        folder.mkdir()
        (folder / "dep.c").write_text("int dep(void); int dep(void) "
                                      "{ return 1; }\n")
        (folder / "p.c").write_text(
            "#include <pegboard/plugin.h>\nint dep(void);\n"
            "static int32_t handle(peg_ctx *c, const peg_event *e)\n"
            "{ (void)c; (void)e; return dep() ? PEG_DONE : PEG_FAIL; }\n"
            'PEG_PLUGIN(.name = "p", .version = "1", PEG_EVENTS("*"),\n'
            "           .handle = handle);\n")
        sdk = pathlib.Path(__file__).parents[2] / "sdk" / "include"
        for args in (["-o", "libdep.so", "dep.c"],
                     ["-o", "p.so", f"-I{sdk}", "p.c", "-L.", "-ldep",
                      "-Wl,-rpath,$ORIGIN"]):
            subprocess.run(["cc", "-shared", "-fPIC", *args], cwd=folder,
                           check=True)
        put(self.so, (folder / "p.so").read_bytes())
        answer = self.refuse(
            daemon, r"libdep\.so is not found: its run path is \$ORIGIN.*"
            "give -Wl,-rpath a whole path")
        self.assertNotEqual(answer["errors"][0]["line"], 0)
        self.check_serves(daemon, 1, self.old)

    def test_state_folder_that_forbids_code(self):
        daemon = self.serve_file()
        folder = daemon.state / "plugins"
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec", "none",
                           folder], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no right to mount a file system")
        unmount = ["umount", folder]
        try:
            put(self.so, version_of("tells_pid", 2))
            answer = self.reload(daemon, exits=FAILED)
            self.assertEqual(answer["result"], "failed")
            self.assertRegex(answer["errors"][0]["message"],
                             f"{folder} .*noexec.* set state_dir")
            self.check_serves(daemon, 1, self.old)
        finally:
            subprocess.run(unmount, check=True)
        self.reload(daemon)
        self.check_serves(daemon, 2)

    def test_truncated_anywhere(self):
        daemon = self.serve_file()
        good = code_of("tells_pid")
        for size in *range(0, len(good), 512), len(good) - 1:
            with self.subTest(size):
                put(self.so, good[:size])
                answer = self.refuse(daemon, BAD_SO)
                self.assertIn(str(self.so), answer["errors"][0]["message"])
        self.check_serves(daemon, 1, self.old)

    def test_copy_that_is_not_finished(self):
        daemon = self.serve_file()
        good = version_of("tells_pid", 2)
        with open(self.so, "wb", buffering=0) as copy:
            copy.write(good[:len(good) // 2])
            self.assertEqual(self.hup(daemon), "reload refused")
            self.assertRegex(daemon.log(), f"{self.so}: .*({WRITTEN})")
            self.check_refused(daemon, WRITTEN)
            copy.write(good[len(good) // 2:])
        self.assertEqual(self.hup(daemon), "reloaded")
        self.check_serves(daemon, 2)

    def test_whole_file_that_is_still_open_for_writing(self):
        daemon = self.serve_file()
        self.so.unlink()
        with open(self.so, "wb", buffering=0) as copy:
            copy.write(version_of("tells_pid", 2))
            self.check_refused(daemon, "somebody is writing it")
        self.reload(daemon)
        self.check_serves(daemon, 2)

    def test_rewritten_without_end_is_one_version_or_the_other(self):
        daemon = self.serve_file()
        # They differ all over, behind what is loaded.
        versions = [code_of("tells_pid") + bytes([n]) * 4000000 for n in (1, 2)]
        put(self.so, versions[0])
        turn = iter(range(10**9))

        def rewrite():
            with open(self.so, "r+b", buffering=0) as file:
                file.write(versions[next(turn) % 2])

        writer = reloads.Writer(self, rewrite)
        known = {mark_of(version) for version in versions} | {
            mark_of(version_of("tells_pid", 1))}
        for _ in range(20):
            self.assertIn(self.hup(daemon), ("reloaded", "reload refused"))
            self.assertIn(self.handled(daemon, "p"), known)
        writer.stop()
        self.assertEqual(self.hup(daemon), "reloaded")
        self.assertIn(self.handled(daemon, "p"),
                      {mark_of(version) for version in versions})

    def test_replaced_without_end(self):
        daemon = self.serve_file()
        turn = iter(range(10**9))
        writer = reloads.Writer(self, lambda: put(
            self.so, version_of("tells_pid", next(turn) % 3)))
        for _ in range(20):
            self.assertEqual(self.hup(daemon), "reloaded")
        writer.stop()
        self.reload(daemon)
        self.assertEqual(self.handled(daemon, "p"),
                         mark_of(self.so.read_bytes()))

    def test_unsafe_or_no_file(self):
        daemon = self.serve_file()
        ways = {"writable": (lambda: self.so.chmod(0o646),
                             "written by every user.*chmod"),
                "folder": (self.so.mkdir, "regular file"),
                "pipe": (lambda: os.mkfifo(self.so), "regular file")}
        if os.geteuid() == 0:
            ways["stranger's"] = (lambda: os.chown(self.so, 65534, 65534),
                                  "belongs to user 65534")
        for name, (spoil, said) in ways.items():
            with self.subTest(name):
                if name in ("folder", "pipe"):
                    self.so.unlink()
                spoil()
                self.check_refused(daemon, said)
                if self.so.is_dir():
                    self.so.rmdir()
                put(self.so, version_of("tells_pid", 1))

    def test_wrong_inside(self):
        daemon = self.serve_file()
        for so, said in (("undefined", "nobody_defines_this"),
                         ("function", "is a function, it must be data"),
                         ("abi2", "built for pegboard ABI 2"),
                         ("needs_minor99", r"needs pegboard ABI 1\.99"),
                         ("null_handle", ".handle is missing")):
            with self.subTest(so):
                put(self.so, code_of(so))
                self.refuse(daemon, said)
                self.check_serves(daemon, 1, self.old)

    def test_dies_when_it_is_loaded(self):
        daemon = self.daemon(start=False)
        self.so = put(daemon.folder / "p.so", version_of("tells_pid", 1))
        self.write_ini(daemon, section("p", self.so, DEADLY))
        daemon.start()
        self.old = self.pid(daemon, "p")
        put(self.so, code_of("ctor_crash"))
        self.refuse(daemon, "SIGABRT|exited with status")
        self.check_serves(daemon, 1, self.old)
        put(self.so, code_of("ctor_hang"))
        self.refuse(daemon, "loading it takes more than 10 s")
        self.check_serves(daemon, 1, self.old)
        self.check_no_others(daemon, 1)

    def test_bad_then_good(self):
        daemon = self.serve_file()
        for number in 1, 2, 3:
            put(self.so, b"nothing")
            self.assertEqual(self.hup(daemon), "reload refused")
            self.check_serves(daemon, number)
            put(self.so, version_of("tells_pid", number + 1))
            self.assertEqual(self.hup(daemon), "reloaded")
            self.check_serves(daemon, number + 1)


class Disk(TestCase):
    """The daemon's own disk."""

    def test_full_disk_refuses_and_serves_on(self):
        disk = self.small_disk("64M")
        daemon = self.daemon(start=False, state_dir=disk / "state")
        self.so = put(daemon.folder / "p.so", version_of("tells_pid", 1))
        self.write_ini(daemon, section("p", self.so),
                       more="[inbox]\nmin_free = 0\n")
        daemon.start()
        self.old = self.pid(daemon, "p")
        put(self.so, code_of("tells_pid") + b"x" * (2 << 20))
        filler = self.fill(disk, 1 << 20)
        self.assertEqual(self.hup(daemon), "reload refused")
        self.assertEqual(daemon.runners("p"), [self.old])
        filler.unlink()
        self.check_serves(daemon, 1, self.old)
        self.assertEqual(self.hup(daemon), "reloaded")
        self.assertEqual(self.handled(daemon, "p"),
                         mark_of(self.so.read_bytes()))

    def test_damaged_copy_is_made_anew(self):
        daemon = self.serve_file()
        put(self.so, version_of("tells_pid", 2))
        copy = (daemon.state / "plugins" /
                f"{digest_of(version_of('tells_pid', 2))}.so")
        copy.write_bytes(b"what a disk did to it")
        self.assertEqual(self.hup(daemon), "reloaded")
        self.check_serves(daemon, 2)
        self.assertEqual(copy.read_bytes(), version_of("tells_pid", 2))


if __name__ == "__main__":
    pegboard.main()
