"""A disk that runs low: posts are refused while there is still room for what
was promised, and taken again when there is more."""

import faults
import pegboard
from pegboard import Ledger, event, id_of, wait_for
from test_70_admin import Admin

DISK_BYTES = 96 << 20
FLOOR_BYTES = DISK_BYTES // 16  # a disk this small keeps less than min_free
BELOW_BYTES = FLOOR_BYTES - (1 << 19)
LITTLE_BYTES = 1 << 20


class LowDisk(faults.TestCase):

    def serve(self, more="", **options):
        self.disk = self.small_disk(DISK_BYTES)
        daemon = self.daemon(state_dir=self.disk / "state", start=False)
        self.ledger = Ledger(daemon.folder / "ledger")
        daemon.write_ini(self.ledger.section("p", "retry = 10ms..10ms",
                                             **options), more=more)
        return daemon.start()

    def check_refused(self, daemon):
        wait_for(lambda: daemon.request("GET", "/readyz").status == 503,
                 "not to be ready")
        answer = daemon.post()
        self.assertEqual((answer.status, answer.closes), (503, True))
        self.assertEqual(answer.headers["Retry-After"], "5")
        self.assertEqual(answer.json()["code"], "unavailable")
        self.assertEqual(daemon.request("GET", "/livez").status, 200)
        for path, status, verdict in (("readyz", 503, "failed"),
                                      ("livez", 200, "passed")):
            answer = Admin(daemon).request("GET", f"/{path}?verbose")
            self.assertEqual(answer.status, status)
            self.assertRegex(answer.body, rb"(?m)^\[-\] store ")
            self.assertTrue(answer.body.endswith(
                f"\n{path} check {verdict}\n".encode()))
        # Early: not one write has failed.
        self.assertNotIn("commit failed", daemon.log())

    def check_taken(self, daemon):
        wait_for(lambda: daemon.request("GET", "/readyz").status == 200,
                 "to be ready")
        body = event()
        self.assertEqual(daemon.post(body).status, 200)
        return body

    def test_refused_below_the_floor_and_taken_above_it(self):
        daemon = self.serve()
        for _ in range(2):
            body = self.check_taken(daemon)
            wait_for(lambda: id_of(body) in self.ledger.ids(), "it")
            filler = self.fill(self.disk, BELOW_BYTES)
            self.check_refused(daemon)
            daemon.wait_log('level=error .*"the disk is nearly full" .*'
                            "action=reply_503")
            filler.unlink()
        self.check_taken(daemon)
        daemon.wait_log('"the disk has room again"')
        self.assertNotIn("commit failed", daemon.log())
        self.assertEqual(daemon.log().count('"the disk is nearly full"'), 2)

    def test_just_above_the_floor_posts_are_taken(self):
        daemon = self.serve()
        self.fill(self.disk, FLOOR_BYTES + (1 << 20))
        for _ in range(5):
            self.check_taken(daemon)
        self.assertNotIn("nearly full", daemon.log())

    def test_verdicts_are_written_below_the_floor(self):
        daemon = self.serve(sleep_ms=100)
        bodies = [event() for _ in range(20)]
        self.post_all(daemon, bodies)
        filler = self.fill(self.disk, BELOW_BYTES)
        self.check_refused(daemon)
        daemon.wait_finished()
        self.assertLessEqual(set(map(id_of, bodies)), set(self.ledger.ids()))
        self.check_each_done_once(daemon, bodies)
        self.assertEqual(daemon.request("GET", "/readyz").status, 503)
        self.assertNotIn("commit failed", daemon.log())
        filler.unlink()
        self.check_taken(daemon)

    def test_verdicts_are_written_with_hardly_anything_left(self):
        daemon = self.serve(sleep_ms=20)
        bodies = [event() for _ in range(300)]
        self.post_all(daemon, bodies)
        self.fill(self.disk, LITTLE_BYTES)
        daemon.wait_finished()
        self.check_each_done_once(daemon, bodies)
        self.assertEqual(daemon.post().status, 503)

    def test_it_starts_below_the_floor_and_works_off_what_is_owed(self):
        daemon = self.serve(sleep_ms=100)
        bodies = [event() for _ in range(10)]
        self.post_all(daemon, bodies)
        daemon.kill()
        filler = self.fill(self.disk, BELOW_BYTES)
        daemon.start()
        self.check_refused(daemon)
        daemon.wait_finished()
        self.assertEqual(set(map(id_of, bodies)), set(self.ledger.ids()))
        filler.unlink()
        self.check_taken(daemon)

    def test_min_free_can_be_less_or_nothing(self):
        daemon = self.serve("[inbox]\nmin_free = 1M\n")
        self.fill(self.disk, BELOW_BYTES)
        for _ in range(5):
            self.check_taken(daemon)
        filler = self.fill(self.disk, 1 << 19)
        self.check_refused(daemon)
        filler.unlink()
        self.check_taken(daemon)
        daemon.stop()
        daemon.write_ini(self.ledger.section("p"),
                         more="[inbox]\nmin_free = 0\n")
        daemon.start()
        self.fill(self.disk, 1 << 19)
        self.check_taken(daemon)


if __name__ == "__main__":
    pegboard.main()
