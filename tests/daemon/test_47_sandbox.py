"""What plugins may do: sandbox, folder, user, limits."""

import json
import os
import pathlib
import shutil
import signal
import sys
import unittest

import pegboard
from pegboard import DONE, FAIL, Ledger, command, event, section, wait_for

NOBODY = 65534

# Runs the rest of its arguments in a world without Landlock.
WITHOUT_LANDLOCK = """
import ctypes, os, struct, sys
CREATE_RULESET, NO_NEW_PRIVS, SECCOMP, FILTER, ENOSYS = 444, 38, 22, 2, 38
code = b"".join(struct.pack("HBBI", *one) for one in (
    (0x20, 0, 0, 0), (0x15, 0, 1, CREATE_RULESET),
    (0x06, 0, 0, 0x00050000 | ENOSYS), (0x06, 0, 0, 0x7fff0000)))
room = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(room))
libc = ctypes.CDLL(None)
if (libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or
        libc.prctl(SECCOMP, FILTER, program, 0, 0) != 0):
    sys.exit("no filter")
os.execv(sys.argv[1], sys.argv[1:])
"""


def landlock_abi():
    import ctypes
    return ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1)


needs_root = unittest.skipUnless(os.geteuid() == 0,
                                 "only root can become another user")
needs_landlock = unittest.skipUnless(landlock_abi() >= 1,
                                     "this kernel has no Landlock")


class Sandboxed(pegboard.TestCase):

    def told(self, daemon, plugin="p"):
        """Post an event, and have the plugin's last word on it."""
        body = event()
        self.assertEqual(daemon.post(body).status, 200)
        daemon.wait_finished()
        (_, outcome, note), = daemon.attempts(body, plugin)
        self.assertEqual(outcome, FAIL)
        return note

    def does(self, *keys, **options):
        return section("p", "does", *keys, **options)


class Levels(Sandboxed):

    def test_basic_is_the_default(self):
        daemon = self.daemon(section("p", "denied"))
        self.assertEqual(self.told(daemon), "constructor: ; handler: ")

    def test_none_denies_nothing(self):
        daemon = self.daemon(section("p", "denied", "sandbox = none"))
        self.assertIn("ptrace, kill", self.told(daemon))

    @needs_landlock
    def test_files_keeps_to_the_data_dir(self):
        daemon = self.daemon(start=False)
        data = daemon.state / "p-data"
        daemon.write_ini(self.does(
            "sandbox = files", "data_dir = p-data",
            do=f"write:{data}/a, read:{daemon.state}/inbox.db, "
               f"read:{daemon.folder}/secret, write:{daemon.state}/b"))
        daemon.start()
        self.assertEqual(self.told(daemon), "ok EACCES EACCES EACCES")
        self.assertEqual(data.stat().st_mode & 0o7777, 0o700)

    @needs_landlock
    def test_strict_has_no_network(self):
        daemon = self.daemon(self.does(
            "sandbox = strict", do="socket:inet, socket:unix, pair:, fork:"))
        self.assertEqual(self.told(daemon), "EPERM EPERM ok ok")

    def test_limits_are_set(self):
        daemon = self.daemon(self.does(
            "limit_files = 40", "limit_file_size = 1M", "limit_memory = 64M",
            do="files:20, files:60, malloc:16, malloc:256, fork:"))
        self.assertEqual(self.told(daemon), "ok EMFILE ok ENOMEM ok")
        limits = pathlib.Path(
            f"/proc/{daemon.runners('p')[0]}/limits").read_text()
        self.assertRegex(limits, r"Max file size +1048576 +1048576")
        self.assertRegex(limits, r"Max core file size +0 +0")

    def test_a_memory_hog_fails_alone(self):
        daemon = self.daemon(
            self.does("limit_memory = 64M", do="malloc:100000, malloc:8") +
            section("other", "noop"))
        self.assertEqual(self.told(daemon), "ENOMEM ok")

    def test_a_changed_sandbox_rolls_the_plugin(self):
        daemon = self.daemon(section("p", "denied"))
        former = daemon.wait_runner("p")
        daemon.write_ini(section("p", "denied", "sandbox = none",
                                 "limit_files = 100"))
        reload = command("reload", "-c", daemon.ini)
        self.assertEqual(reload.returncode, 0, reload.stderr)
        self.assertRegex(reload.stdout,
                         r"~ plugin p +sandbox basic -> none; "
                         r"limit_files 256 -> 100")
        self.assertNotEqual(daemon.wait_runner("p", 2), former)
        self.assertIn("ptrace", self.told(daemon))


class Shipped(pegboard.TestCase):
    """Each plugin that comes with us works as it is shipped."""

    def handled(self, *keys):
        names = sorted(path.stem for path in pegboard.PLUGINS.glob("*.so"))
        self.assertGreaterEqual(len(names), 3)
        daemon = self.daemon("".join(section(name, name, *keys)
                                     for name in names))
        source = pathlib.Path(__file__).parents[2] / "plugins"
        for name in names:
            with self.subTest(name):
                body = json.loads((source / name / "event.json").read_text())
                body = json.dumps(body).encode()
                self.assertEqual(daemon.post(body).status, 200)
                daemon.wait_finished()
                self.assertEqual(
                    [outcome for _, outcome, _ in daemon.attempts(body, name)],
                    [DONE])

    def test_under_basic(self):
        self.handled()

    @needs_landlock
    def test_under_files(self):
        self.handled("sandbox = files")


class DataDirs(Sandboxed):

    @needs_landlock
    def test_ledger_writes_where_it_may(self):
        daemon = self.daemon(start=False)
        ledger = Ledger(daemon.state / "ledger" / "lines")
        daemon.write_ini(ledger.section("p", "sandbox = files",
                                        "data_dir = ledger"))
        daemon.start()
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        self.assertEqual(ledger.ids(), [pegboard.id_of(body)])

    def test_check_makes_none_and_says_so(self):
        daemon = self.daemon(section("p", "noop", "data_dir = p-data"),
                             start=False)
        check = command("check", "-c", daemon.ini)
        self.assertEqual(check.returncode, 0, check.stderr)
        self.assertRegex(check.stderr, r"warning: data_dir of plugin p: there "
                                       r"is no \S+/p-data yet")
        self.assertFalse(daemon.state.exists())
        daemon.start()
        self.assertEqual(os.listdir(daemon.state / "p-data"), [])
        check = command("check", "-c", daemon.ini)
        self.assertEqual((check.returncode, check.stderr), (0, ""))

    def test_one_that_cannot_be_made_is_told_at_the_start(self):
        daemon = self.daemon(section("p", "noop", "data_dir = a/b"),
                             start=False)
        serve = command("serve", "-c", daemon.ini)
        self.assertEqual(serve.returncode, 3)
        self.assertRegex(serve.stderr, r"data_dir of plugin p: \S+/a/b cannot "
                                       r"be made: No such file")


class Lacking(Sandboxed):
    """A kernel that cannot do it."""

    WRAPPER = (sys.executable, "-c", WITHOUT_LANDLOCK)
    WARNING = r'text="its sandbox is weaker than asked for: this system ' \
              r'cannot deny files \(landlock\): Function not implemented"'

    def test_it_is_told_once_and_the_rest_is_denied(self):
        daemon = self.daemon(section("p", "denied", "sandbox = files",
                                     "concurrency = 3"), wrapper=self.WRAPPER)
        daemon.wait_runner("p", 3)
        self.assertEqual(self.told(daemon), "constructor: ; handler: ")
        self.assertRegex(daemon.log(), "level=warn .*plugin=p " + self.WARNING)
        self.assertEqual(daemon.log().count("weaker than asked for"), 1)

    def test_it_is_refused_when_it_is_required(self):
        daemon = self.daemon(section("p", "noop", "sandbox = files",
                                     "sandbox_required = yes"),
                             wrapper=self.WRAPPER, start=False)
        daemon.start(ready=False)
        self.assertEqual(daemon.process.wait(pegboard.PATIENCE_S), 3)
        self.assertRegex(daemon.log(), r'pegboard.ini:\d+: plugin "p": its '
                                       r'sandbox needs what this system cannot '
                                       r'deny: files \(landlock\): .*'
                                       r'sandbox_required = no')

    def test_basic_needs_no_landlock(self):
        daemon = self.daemon(section("p", "noop", "sandbox_required = yes"),
                             wrapper=self.WRAPPER)
        self.assertNotIn("weaker", daemon.log())


@needs_root
class Users(Sandboxed):

    def status(self, pid):
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        return {key: value.split() for key, _, value in
                (line.partition(":") for line in lines)}

    def test_runner_is_that_user_and_nobody_else(self):
        daemon = self.daemon(start=False)
        daemon.write_ini(self.does(
            "user = nobody",
            do=f"ids:uid, ids:gid, ids:groups, read:{daemon.state}/inbox.db, "
               f"read:{daemon.folder}/secret, kill:self, fork:"))
        daemon.start()
        self.assertEqual(daemon.state.stat().st_mode & 0o777, 0o700)
        self.assertEqual(self.told(daemon),
                         "65534 65534 0 EACCES EACCES ok ok")
        status = self.status(daemon.runners("p")[0])
        self.assertEqual(status["Uid"], ["65534"] * 4)
        self.assertEqual(status["Gid"], ["65534"] * 4)
        self.assertEqual(status["Groups"], [])
        self.assertEqual(status["CapPrm"], ["0000000000000000"])
        self.assertEqual(daemon.stop(), 0)

    def test_it_dies_with_the_daemon(self):
        daemon = self.daemon(section("p", "hang", "user = nobody"))
        daemon.post()
        pid = daemon.wait_runner("p")
        self.assertTrue(pathlib.Path(f"/proc/{pid}").exists())
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        wait_for(lambda: not pathlib.Path(f"/proc/{pid}/exe").exists(),
                 "the end of the runner")

    def test_four_capabilities_are_enough(self):
        """Those that etc/pegboard.service names."""
        if not shutil.which("setpriv"):
            self.skipTest("no setpriv here")
        daemon = self.daemon(
            self.does("user = nobody", do="ids:uid, ids:groups") +
            section("hangs", "hang", "user = nobody", "timeout = 200ms",
                    "max_attempts = 1", "events = charge.failed"),
            wrapper=("setpriv", "--bounding-set",
                     "-all,+setuid,+setgid,+kill,+chown"))
        self.assertEqual(self.told(daemon), "65534 0")
        daemon.post(event("charge.failed"))
        daemon.wait_finished()
        self.assertEqual([outcome for _, outcome, _ in
                          daemon.attempts(plugin="hangs")], [pegboard.TIMEOUT])

    def test_data_dir_is_given_to_it(self):
        daemon = self.daemon(start=False)
        daemon.folder.chmod(0o755)
        data = daemon.folder / "of-nobody"
        daemon.write_ini(self.does("user = nobody", f"data_dir = {data}",
                                   do=f"write:{data}/a"))
        daemon.start()
        self.assertEqual(data.stat().st_uid, NOBODY)
        self.assertEqual(data.stat().st_mode & 0o777, 0o700)
        self.assertEqual(self.told(daemon), "ok")

    def test_data_dir_in_a_closed_folder_is_refused(self):
        daemon = self.daemon(section("p", "noop", "user = nobody",
                                     "data_dir = p-data"), start=False)
        serve = command("serve", "-c", daemon.ini)
        self.assertEqual(serve.returncode, 3)
        self.assertRegex(serve.stderr,
                         r'pegboard.ini:\d+: plugin "p": data_dir \S+/p-data '
                         r'is out of reach for user 65534.*chmod o\+x')

    def test_one_that_times_out_is_killed(self):
        daemon = self.daemon(section("p", "hang", "user = nobody",
                                     "timeout = 200ms", "max_attempts = 1"))
        daemon.post()
        daemon.wait_finished()
        self.assertEqual([outcome for _, outcome, _ in daemon.attempts()],
                         [pegboard.TIMEOUT])


if __name__ == "__main__":
    pegboard.main()
