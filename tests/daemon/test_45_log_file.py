"""[log] file, and places that cannot be written: found out at the start."""

import json
import re

import commands
import pegboard
from commands import CONFIG, OK
from pegboard import wait_for


class Places(commands.TestCase):

    def daemon_with(self, log_file, **kwargs):
        """One that was not started, with that `[log] file`."""
        daemon = self.daemon(start=False, **kwargs)
        text = daemon.ini.read_text()
        daemon.ini.write_text(
            text.replace("[log]\n", f"[log]\nfile = {log_file}\n"))
        return daemon

    def line_of(self, daemon, key):
        lines = daemon.ini.read_text().splitlines()
        return [line.startswith(key) for line in lines].index(True) + 1

    def assert_refused(self, daemon, key, said):
        """`serve` and `check` exit 3 and name the line."""
        found = f"{daemon.ini}:{self.line_of(daemon, key)}: {said}"
        self.run_command("check", "-c", daemon.ini, exits=CONFIG)
        self.assertIn(found, self.stderr)
        daemon.start(ready=False)
        self.assertEqual(daemon.process.wait(pegboard.PATIENCE_S), CONFIG)
        self.assertIn(found, daemon.log())

    def serves(self, daemon):
        """Its port is found by asking: standard error says nothing."""
        def url():
            result = pegboard.command("status", "--json", "-c", daemon.ini)
            return (result.returncode == OK and
                    json.loads(result.stdout).get("url"))
        found = wait_for(url, "the daemon to answer")
        daemon.port = int(re.search(r":(\d+)$", found).group(1))

    def test_lines_go_to_the_file(self):
        daemon = self.daemon_with("lines.log")
        lines = daemon.folder / "lines.log"
        lines.write_text("an old line\n")
        daemon.start(ready=False)
        self.serves(daemon)
        self.assertEqual(daemon.post().status, 200)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(daemon.log(), "")
        self.assertRegex(lines.read_text(),
                         r'(?s)^an old line\nts=.* msg="serving" .*'
                         r' msg="stopped"\n$')

    def test_new_file_is_for_the_group_too(self):
        daemon = self.daemon_with("lines.log")
        daemon.start(ready=False)
        self.serves(daemon)
        mode = (daemon.folder / "lines.log").stat().st_mode
        self.assertEqual(mode & 0o777, 0o640)

    def test_full_disk_costs_lines_only(self):
        daemon = self.daemon_with("/dev/full")
        daemon.start(ready=False)
        self.serves(daemon)
        for _ in range(5):
            self.assertEqual(daemon.post().status, 200)
        self.assertEqual(daemon.stop(), 0)

    def test_bad_log_file(self):
        self.assert_refused(self.daemon_with("absent/lines.log"), "file =",
                            "file: ")

    def test_bad_state_dir(self):
        for place, why in (("absent/state", "No such file or directory"),
                           ("secret", "Not a directory")):
            with self.subTest(place):
                daemon = self.daemon(start=False, state_dir=place)
                self.assert_refused(daemon, "state_dir =", "state_dir: ")
                self.assertIn(why, daemon.log())

    def test_check_makes_nothing(self):
        daemon = self.daemon_with("state/lines.log")
        self.run_command("check", "-c", daemon.ini)
        self.assertFalse(daemon.state.exists())
        daemon.start(ready=False)
        self.serves(daemon)
        self.assertTrue((daemon.state / "lines.log").exists())


if __name__ == "__main__":
    pegboard.main()
