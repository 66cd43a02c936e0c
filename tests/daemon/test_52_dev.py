"""`pegboard dev`: an event at the first command."""

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import termios
import threading

import commands
import pegboard
from commands import CONFIG, FAILED, MISSING, OK, REFUSED, USAGE
from pegboard import BIN, FAULTS, PLUGINS, wait_for


TYPE = "payment_intent.succeeded"


class Running:
    """A `pegboard dev` that runs, and all that it said."""

    def __init__(self, process):
        self.process, self.lines = process, []
        self.threads = [threading.Thread(target=self._read, args=[stream])
                        for stream in (process.stdout, process.stderr)]
        for thread in self.threads:
            thread.start()

    def _read(self, stream):
        for line in stream:
            self.lines.append(line)

    def wait_line(self, pattern, count=1):
        """The text of line number `count` like this."""
        return wait_for(lambda: [line for line in self.lines
                                 if re.search(pattern, line)][count - 1:],
                        f"line {pattern!r} in {self.lines}")[0]

    def wait_ready(self):
        self.wait_line("Ready!")
        return self

    def wait_end(self):
        self.process.wait(pegboard.PATIENCE_S)
        for thread in self.threads:
            thread.join()
        return self.process.returncode

    def close(self):
        self.process.kill()
        self.wait_end()
        self.process.stdout.close()
        self.process.stderr.close()


class TestCase(commands.TestCase):

    def setUp(self):
        self.runtime = self.folder()
        self.env = {"XDG_RUNTIME_DIR": str(self.runtime), "PEGBOARD_CONFIG": ""}

    def dev(self, *args, **kwargs):
        return self.run_command("dev", "--listen", "127.0.0.1:0", *args,
                                env=self.env, cwd=self.runtime, **kwargs)

    def start_dev(self, *args, **kwargs):
        """In a session of its own: without a terminal, if nothing else is
        asked for."""
        process = subprocess.Popen(
            [BIN, "dev", "--listen", "127.0.0.1:0", *args],
            env=dict(os.environ, **self.env), cwd=self.runtime, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, **kwargs)
        dev = Running(process)
        self.addCleanup(dev.close)
        return dev

    def trigger(self, *args, **kwargs):
        """Send an event; its id."""
        text = self.run_command("trigger", TYPE, *args, env=self.env,
                                cwd=self.runtime, **kwargs)
        return re.search(r"<--  \[200\] POST .* \[(\w+)\]\n", text)[1]

    def check_cleaned_up(self):
        self.assertEqual(list(self.runtime.glob("pegboard-dev/*")), [])


class Dev(TestCase):

    def test_once_shows_the_event_the_answer_and_the_verdict(self):
        lines = self.dev("--trigger", TYPE, "--once",
                         PLUGINS / "receipts.so").splitlines()
        now = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        self.assertRegex(lines[0], rf"^{now}   --> {TYPE} \[evt_\w+\]$")
        id = lines[0].split()[-1]
        self.assertEqual(len(lines), 3)
        answer, verdict = sorted(lines[1:], key=lambda line: "[done]" in line)
        self.assertRegex(answer, rf"^{now}  <--  \[200\] POST /webhook \d+ ms ")
        self.assertRegex(verdict, rf"^{now}  <--  \[done\] receipts \d+ ms ")
        self.assertTrue(answer.endswith(id) and verdict.endswith(id))
        self.assertRegex(self.stderr, r"Ready! Accepting on http://127\.0\.0"
                         r"\.1:\d+/webhook, signing secret whsec_\w+ ")
        self.check_cleaned_up()

    def test_once_without_plugins_uses_the_shipped_ones(self):
        text = self.dev("--trigger", "charge.dispute.created", "--once")
        self.assertIn("[done] disputes", text)

    def test_once_ends_with_1_when_the_plugin_fails(self):
        text = self.dev("--trigger", TYPE, "--once", FAULTS / "fail.so",
                        exits=FAILED)
        self.assertRegex(text, r"<--  \[dead\] fail \d+ ms  no such order \[")
        self.check_cleaned_up()

    def test_trigger_finds_it_by_itself(self):
        dev = self.start_dev(PLUGINS / "receipts.so").wait_ready()
        id = self.trigger()
        dev.wait_line(rf"\[done\] receipts .*\[{id}\]")
        dev.process.send_signal(signal.SIGINT)
        self.assertEqual(dev.wait_end(), OK)
        self.check_cleaned_up()

    def test_trigger_tells_when_it_goes_elsewhere(self):
        dev = self.start_dev(PLUGINS / "receipts.so").wait_ready()
        told = self.runtime / "pegboard-dev" / "dev.ini"
        (self.runtime / "pegboard.ini").write_text(told.read_text())
        self.trigger()
        self.assertIn(f"this is for the daemon of pegboard.ini; for the "
                      f"`pegboard dev` that runs, too, say -c {told}",
                      self.stderr)
        self.trigger("-c", told)
        self.assertNotIn("this is for", self.stderr)
        (self.runtime / "pegboard.ini").unlink()
        self.trigger()
        self.assertNotIn("this is for", self.stderr)
        dev.process.send_signal(signal.SIGINT)
        self.assertEqual(dev.wait_end(), OK)

    def test_busy_port_is_told(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.run_command("dev", "--listen", address, FAULTS / "noop.so",
                             env=self.env, cwd=self.runtime, exits=FAILED)
        self.assertIn(f"cannot listen on {address}", self.stderr)
        self.assertIn("choose one with", self.stderr)
        self.check_cleaned_up()

    def test_mistakes(self):
        self.dev("--once", exits=USAGE)
        self.assertIn("--once needs --trigger", self.stderr)
        self.dev("/no/such.so", exits=MISSING)
        self.dev(FAULTS / "size0.so", exits=CONFIG)
        self.dev("--trigger", "no.such", "--once", FAULTS / "noop.so",
                 exits=MISSING)
        self.check_cleaned_up()

    def test_folder_that_others_can_open_is_refused(self):
        (self.runtime / "pegboard-dev").mkdir(mode=0o755)
        self.dev(FAULTS / "noop.so", exits=REFUSED)

    def runs(self):
        return sorted(self.runtime.glob("pegboard-dev/run-*"))

    def test_what_a_killed_one_left_is_swept_and_no_other(self):
        first = self.start_dev(FAULTS / "noop.so").wait_ready()
        killed, = self.runs()
        first.process.kill()
        first.wait_end()
        self.assertTrue((killed / "state" / "inbox.db").exists())
        second = self.start_dev(FAULTS / "noop.so").wait_ready()
        self.assertFalse(killed.exists())
        third = self.start_dev(FAULTS / "noop.so").wait_ready()
        self.assertEqual(len(self.runs()), 2)
        self.assertIn("another pegboard dev runs", "".join(third.lines))
        second.wait_line(rf"\[done\] noop .*\[{self.trigger()}\]")
        ini = re.search(r"add -c (\S+)", "".join(third.lines))[1]
        third.wait_line(rf"\[done\] noop .*\[{self.trigger('-c', ini)}\]")
        for dev in second, third:
            dev.process.send_signal(signal.SIGTERM)
            self.assertEqual(dev.wait_end(), OK)
        self.check_cleaned_up()

    def test_nobody_is_sent_to_one_that_was_killed(self):
        first = self.start_dev(FAULTS / "noop.so").wait_ready()
        first.process.kill()
        first.wait_end()
        told = self.runtime / "pegboard-dev" / "dev.ini"
        self.assertTrue(told.exists())
        self.dev("/no/such.so", exits=MISSING)
        self.check_cleaned_up()


class Hangup(TestCase):
    """SIGHUP ends it only with its terminal; else it is a wish to reload."""

    def on_terminal(self, on_hangup=signal.SIG_DFL):
        """Start one on a terminal; that is held open by self.master."""
        self.master, slave = os.openpty()
        self.addCleanup(self.hang_up)

        def take_terminal():
            signal.signal(signal.SIGHUP, on_hangup)
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        dev = self.start_dev(FAULTS / "noop.so", preexec_fn=take_terminal,
                             pass_fds=[slave])
        os.close(slave)
        return dev.wait_ready()

    def hang_up(self):
        if self.master is not None:
            os.close(self.master)
        self.master = None

    def check_goes_on(self, dev):
        dev.process.send_signal(signal.SIGHUP)
        dev.wait_line('msg="reloaded"')
        dev.wait_line(rf"\[done\] noop .*\[{self.trigger()}\]")

    def test_without_a_terminal_it_goes_on(self):
        self.check_goes_on(self.start_dev(FAULTS / "noop.so").wait_ready())

    def test_on_a_terminal_it_goes_on_until_that_is_gone(self):
        dev = self.on_terminal()
        self.check_goes_on(dev)
        self.hang_up()
        self.assertEqual(dev.wait_end(), OK)
        self.check_cleaned_up()

    def test_nohup_keeps_it(self):
        dev = self.on_terminal(signal.SIG_IGN)
        self.hang_up()
        dev.wait_line('msg="reloaded"')
        dev.wait_line(rf"\[done\] noop .*\[{self.trigger()}\]")


class Rebuild(TestCase):
    """What is built anew is taken up. fail.so stands for another version."""

    def setUp(self):
        super().setUp()
        self.build = self.folder()
        self.so = self.build / "p.so"

    def put(self, version, path=None):
        """As a linker does."""
        path = path or self.so
        path.unlink(missing_ok=True)
        shutil.copyfile(FAULTS / f"{version}.so", path)

    def wait_verdict(self, dev, verdict, plugin="p"):
        """The next events end like this, from some event on."""
        wait_for(lambda: self.verdict(dev, plugin) == verdict, verdict)

    def verdict(self, dev, plugin="p"):
        id = self.trigger()
        line = dev.wait_line(rf"\[\w+\] {plugin} .*\[{id}\]")
        return re.search(r"\[(\w+)\]", line)[1]

    def test_new_code_serves(self):
        self.put("noop")
        dev = self.start_dev(self.so).wait_ready()
        self.assertEqual(self.verdict(dev), "done")
        for version, verdict in ("fail", "dead"), ("noop", "done"):
            self.put(version)
            self.wait_verdict(dev, verdict)
        dev.process.send_signal(signal.SIGINT)
        self.assertEqual(dev.wait_end(), OK)
        self.check_cleaned_up()

    def test_swapped_link_is_followed(self):
        for version in "noop", "fail":
            self.put(version, self.build / f"{version}-1.so")
        self.so.symlink_to("noop-1.so")
        dev = self.start_dev(self.so).wait_ready()
        self.assertEqual(self.verdict(dev), "done")
        (self.build / "next").symlink_to("fail-1.so")
        (self.build / "next").rename(self.so)
        self.wait_verdict(dev, "dead")

    def test_relative_name_and_second_dev(self):
        first = self.start_dev(FAULTS / "skip.so").wait_ready()
        os.symlink(self.build, self.runtime / "build")
        self.put("noop")
        dev = self.start_dev("build/p.so").wait_ready()
        ini = re.search(r"add -c (\S+)", "".join(dev.lines))[1]
        self.put("fail")

        def is_dead():
            id = self.trigger("-c", ini)
            return "dead" in dev.wait_line(rf"\[\w+\] p .*\[{id}\]")

        wait_for(is_dead, "the new version")
        self.assertNotIn("reload", "".join(first.lines))

    def test_bad_build_leaves_the_old_code_serving(self):
        self.put("noop")
        dev = self.start_dev(self.so).wait_ready()
        for version, why in (("size0", "size is 0"),
                             ("ctor_crash", "SIGABRT|exited with status"),
                             ("init_fail", "cannot reach the database")):
            self.put(version)
            dev.wait_line(why)
            self.assertEqual(self.verdict(dev), "done")
        self.so.write_text("int main(void);\n" * 50)
        dev.wait_line("not a shared object")
        self.assertEqual(self.verdict(dev), "done")
        self.put("fail")
        self.wait_verdict(dev, "dead")

    def test_touched_file_changes_nothing(self):
        self.put("noop")
        dev = self.start_dev(self.so).wait_ready()
        for _ in range(3):
            os.utime(self.so)
            self.put("noop")
            self.assertEqual(self.verdict(dev), "done")
        self.put("fail")
        self.wait_verdict(dev, "dead")
        starts = [line for line in dev.lines if "runner ready" in line]
        self.assertEqual(len(starts), 2)


if __name__ == "__main__":
    pegboard.main()
