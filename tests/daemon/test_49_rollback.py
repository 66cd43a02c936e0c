"""`pegboard rollback`: back to the generation before, and there it stays until
somebody says otherwise."""

import json
import os
import shutil

import pegboard
import reloads
from commands import OK, REFUSED
from pegboard import section
from reloads import digest_of, mark_of, put, version_of


class Rollback(reloads.TestCase):

    def setUp(self):
        self.server = self.daemon(start=False)
        self.so = self.server.folder / "p.so"
        self.write(1)
        self.server.start()
        self.check_serves(1)

    def code(self, version):
        return version_of("tells_pid", version)

    def copy(self, version):
        return (self.server.state / "plugins" /
                f"{digest_of(self.code(version))}.so")

    def write(self, version):
        """A file and a configuration of that version."""
        put(self.so, self.code(version))
        self.write_ini(self.server, section(
            "p", self.so, f"timeout = {version}m"))

    def apply(self, version):
        self.write(version)
        self.reload(self.server)
        self.check_serves(version)

    def rollback(self, exits=OK):
        return json.loads(self.run_command(
            "rollback", "-c", self.server.ini, "--json", exits=exits))

    def go_back(self, version):
        before = self.generation(self.server)
        answer = self.rollback()
        self.assertEqual((answer["kind"], answer["result"]),
                         ("rollback", "done"))
        self.assertGreater(answer["generation"], before)
        self.check_serves(version)

    def check_serves(self, version):
        self.assertEqual(self.handled(self.server, "p"),
                         mark_of(self.code(version)))
        self.assertEqual(self.plugin(self.server, "p")["limits"][
            "timeout_seconds"], version * 60)
        self.check_no_others(self.server, 1)

    def check_stays(self, version):
        """However the daemon ends."""
        for end in self.server.stop, self.server.kill:
            end()
            self.server.start()
            self.check_serves(version)

    # -- where it goes -----------------------------------------------------

    def test_first_generation_has_none_before_it(self):
        answer = self.rollback(exits=REFUSED)
        self.assertIn("no generation to go back to", answer["detail"])
        self.check_serves(1)

    def test_reloads_and_restarts_without_a_change_are_none(self):
        self.apply(2)
        for step in (lambda: self.reload(self.server), self.server.stop,
                     self.server.start, self.server.kill, self.server.start,
                     lambda: self.reload(self.server)):
            step()
        self.go_back(1)

    def test_start_with_other_files_is_one(self):
        self.server.stop()
        self.write(2)
        self.server.start()
        self.check_serves(2)
        self.go_back(1)

    def test_refused_reload_is_none(self):
        self.apply(2)
        put(self.so, b"nothing")
        self.assertEqual(self.hup(self.server), "reload refused")
        self.go_back(1)

    def test_two_are_where_it_began(self):
        self.apply(2)
        for version in 1, 2, 1, 2:
            self.go_back(version)

    def test_two_and_a_restart(self):
        self.apply(2)
        self.go_back(1)
        self.go_back(2)
        self.check_stays(2)
        self.go_back(1)

    def test_file_that_is_gone_or_spoilt(self):
        for version, spoil in ((2, self.so.unlink),
                               (3, lambda: self.so.write_bytes(b"nothing")),
                               (4, self.spoil_ini)):
            with self.subTest(version):
                self.apply(version)
                spoil()
                self.go_back(version - 1)
                self.write(version)
                self.reload(self.server)

    def spoil_ini(self):
        self.server.ini.write_text(self.server.ini.read_text().replace(
            "[plugin p]", "[plugin p]\ntiemout = 5s"))

    # -- how long it stays -------------------------------------------------

    def test_stays_until_a_reload(self):
        self.apply(2)
        self.go_back(1)
        self.check_stays(1)
        self.reload(self.server)
        self.check_serves(2)
        self.check_stays(2)

    def test_stays_until_a_signal(self):
        self.apply(2)
        self.go_back(1)
        self.assertEqual(self.hup(self.server), "reloaded")
        self.check_serves(2)

    def test_stays_until_the_files_change(self):
        self.apply(2)
        self.go_back(1)
        self.check_stays(1)
        self.server.stop()
        self.write(3)
        self.server.start()
        self.check_serves(3)
        self.check_stays(3)
        self.go_back(1)

    def test_after_restarts_there_is_still_the_way_back(self):
        self.apply(2)
        self.go_back(1)
        self.check_stays(1)
        self.go_back(2)
        self.check_stays(2)

    # -- what was kept -----------------------------------------------------

    def spoil(self, path, content):
        path.chmod(0o644)
        path.write_bytes(content)

    def test_damaged_copy_is_refused(self):
        self.apply(2)
        good = self.copy(1).read_bytes()
        for name, content in (("one bit", bytes([good[0] ^ 1]) + good[1:]),
                              ("cut", good[:-1]), ("empty", b""),
                              ("other code", self.code(3))):
            with self.subTest(name):
                self.spoil(self.copy(1), content)
                answer = self.rollback(exits=REFUSED)
                self.assertEqual(answer["result"], "refused")
                self.assertIn("not whole", str(answer))
                self.check_serves(2)
        self.spoil(self.copy(1), good)
        self.go_back(1)

    def test_missing_copy_is_refused(self):
        self.apply(2)
        self.copy(1).unlink()
        answer = self.rollback(exits=REFUSED)
        self.assertIn("not whole", str(answer))
        self.check_serves(2)

    def test_damaged_list_is_refused(self):
        self.apply(2)
        folder = self.server.state / "generations" / "1"
        for content in b"p", b"p ../../../etc/passwd\n", b"\n":
            with self.subTest(content):
                (folder / "plugins").write_bytes(content)
                answer = self.rollback(exits=REFUSED)
                self.assertEqual(answer["result"], "refused")
                self.check_serves(2)

    def test_missing_folder_is_refused(self):
        self.apply(2)
        shutil.rmtree(self.server.state / "generations" / "1")
        answer = self.rollback(exits=REFUSED)
        self.assertIn("not kept", answer["detail"])
        self.check_serves(2)

    def test_start_without_what_was_rolled_back_to_serves_the_files(self):
        self.apply(2)
        self.go_back(1)
        self.server.stop()
        self.spoil(self.copy(1), b"what a disk did to it")
        self.server.start()
        self.assertIn("cannot serve what was rolled back to",
                      self.server.log_since_start())
        self.check_serves(2)

    def test_only_what_one_can_go_back_to_is_kept(self):
        for version in range(2, 6):
            self.apply(version)
        for version in 4, 5:
            pegboard.wait_for(lambda: sorted(os.listdir(
                self.server.state / "plugins")) == sorted(
                    self.copy(n).name for n in (4, 5)), "the others to go")
            self.assertEqual(len(os.listdir(
                self.server.state / "generations")), 2)
            self.go_back(version)


if __name__ == "__main__":
    pegboard.main()
