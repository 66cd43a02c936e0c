"""A full disk: 503, nothing lost, and on without a restart."""

import pathlib
import shutil
import subprocess
import tempfile
import threading

import pegboard
from pegboard import event, id_of, wait_for

DISK_BYTES = 8 << 20


# A disk that runs low is refused early (test_27_overload); here it is to be
# found out by writing.
NO_FLOOR = "[inbox]\nmin_free = 0\n"


class FullDisk(pegboard.TestCase):

    def small_disk(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="pegboard-disk-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        mount = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "pegboard",
             folder], capture_output=True, text=True)
        if mount.returncode != 0:
            self.skipTest(f"no leave to mount a small disk: {mount.stderr}")
        self.addCleanup(subprocess.run, ["umount", folder], check=True)
        return folder

    def fill(self, disk):
        """Leave not a byte; return what to delete to make room again."""
        filler = disk / "filler"
        with open(filler, "wb", buffering=0) as file:
            for size in 65536, 1:
                try:
                    while file.write(bytes(size)):
                        pass
                except OSError:
                    pass
        return filler

    def post(self, daemon, ids):
        body = event(note="x" * 20000)
        answer = daemon.post(body)
        if answer.status == 200:
            ids.add(id_of(body))
        return answer

    def test_refused_while_full_and_taken_when_there_is_room_again(self):
        disk = self.small_disk()
        daemon = self.daemon(state_dir=disk / "state", more=NO_FLOOR)
        acknowledged = set()
        for _ in range(3):
            self.assertEqual(self.post(daemon, acknowledged).status, 200)

        for _ in range(2):
            filler = self.fill(disk)
            answer = wait_for(lambda: next(
                (answer for answer in [self.post(daemon, acknowledged)]
                 if answer.status != 200), None), "the disk to be full")
            self.assertEqual((answer.status, answer.closes), (503, True))
            self.assertEqual(answer.headers["Retry-After"], "5")
            self.assertEqual(answer.json()["code"], "unavailable")
            self.assertEqual(daemon.request("GET", "/readyz").status, 503)
            self.assertEqual(daemon.request("GET", "/livez").status, 200)
            daemon.wait_log('level=error module=inbox msg="commit failed" '
                            "rc=full .*action=reply_503")
            self.assertLessEqual(acknowledged, daemon.stored())

            filler.unlink()
            wait_for(lambda: daemon.request("GET", "/readyz").status == 200,
                     "/readyz to say 200 again")
            daemon.wait_log("store works again")
            self.assertEqual(self.post(daemon, acknowledged).status, 200)

        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(acknowledged, daemon.stored())
        self.assertEqual(daemon.query("PRAGMA integrity_check"), [("ok",)])

    def test_nothing_acknowledged_by_many_at_once_is_missing(self):
        disk = self.small_disk()
        daemon = self.daemon(state_dir=disk / "state", more=NO_FLOOR)
        acknowledged, statuses = set(), set()

        def post_until_refused():
            for _ in range(2 * DISK_BYTES // 20000):
                status = self.post(daemon, acknowledged).status
                if status != 200:
                    break
            statuses.add(status)

        for _ in range(2):
            threads = [threading.Thread(target=post_until_refused)
                       for _ in range(8)]
            for thread in threads:
                thread.start()
            filler = self.fill(disk)
            for thread in threads:
                thread.join()
            filler.unlink()
            wait_for(lambda: daemon.request("GET", "/readyz").status == 200,
                     "/readyz to say 200 again")
        self.assertEqual(statuses, {503})
        self.assertEqual(acknowledged - daemon.stored(), set())


if __name__ == "__main__":
    pegboard.main()
