"""What tests of faults and of delivery have in common."""

import collections
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import urllib.parse

import pegboard
from pegboard import DONE, id_of

# delivery.state in the inbox.
READY, LEASED, HELD, DEAD, WAITING = range(5)

Delivery = collections.namedtuple(
    "Delivery", "id plugin state attempt spared crashes due_ms")
Attempt = collections.namedtuple(
    "Attempt", "id n started_ms outcome note signal evidence digest generation")


def counted(delivery):
    """The attempts that count; one that is under way is none yet."""
    return (delivery.attempt - delivery.spared -
            (1 if delivery.state == LEASED else 0))


class TestCase(pegboard.TestCase):

    # -- operators ---------------------------------------------------------

    def api(self, daemon, method, path, body=None, status=200):
        """Ask the admin API; return its JSON, or its bytes."""
        url = urllib.parse.urlsplit(
            (daemon.state / "admin.url").read_text().strip())
        token = (daemon.state / "operator.token").read_text().strip()
        fields = {"Authorization": f"Bearer {token}",
                  "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(
            url.hostname, url.port, timeout=pegboard.PATIENCE_S)
        try:
            connection.request(method, f"/api/v1{path}",
                               None if body is None else json.dumps(body),
                               fields)
            answer = connection.getresponse()
            received = answer.read()
        finally:
            connection.close()
        self.assertEqual(answer.status, status,
                         f"{method} {path}: {received!r}")
        return json.loads(received) if received else None

    # -- Stripe ------------------------------------------------------------

    def post_all(self, daemon, bodies, senders=8, at=None):
        """Post them over a few connections; all must be taken."""
        daemon.post_all(bodies, senders, at)

    # -- the inbox ---------------------------------------------------------

    def deliveries(self, daemon, plugin=None):
        """All that are owed or dead."""
        return [Delivery(*row) for row in daemon.query(
            "SELECT event_id, name, state, attempt, spared, crashes, due_ms"
            " FROM delivery d JOIN event e USING(seq)"
            " JOIN plugin p ON p.id = d.plugin"
            " WHERE ?1 IS NULL OR name = ?1 ORDER BY seq, name", plugin)]

    def delivery(self, daemon, body, plugin=None):
        """What is owed for one event; None for nothing."""
        return next((row for row in self.deliveries(daemon, plugin)
                     if row.id == id_of(body)), None)

    def attempts(self, daemon, body=None, plugin=None):
        """All of an event or of a plugin, with the evidence."""
        return [Attempt(*row) for row in daemon.query(
            "SELECT event_id, n, started_ms, outcome, note, signal, evidence,"
            " a.digest, generation FROM attempt a JOIN event e USING(seq)"
            " JOIN plugin p ON p.id = a.plugin WHERE (?1 IS NULL OR"
            " event_id = ?1) AND (?2 IS NULL OR name = ?2)"
            " ORDER BY seq, name, n", body and id_of(body), plugin)]

    def check_each_done_once(self, daemon, bodies, plugin=None,
                             not_counted=()):
        """Each has one attempt that is done; beside it there are only such
        that end without counting."""
        outcomes = collections.defaultdict(list)
        for attempt in self.attempts(daemon, plugin=plugin):
            outcomes[attempt.id].append(attempt.outcome)
        for body in bodies:
            ends = outcomes[id_of(body)]
            self.assertEqual(ends.count(DONE), 1, f"{id_of(body)}: {ends}")
            self.assertEqual(set(ends) - {DONE, *not_counted}, set(),
                             f"{id_of(body)}: {ends}")

    # -- disks -------------------------------------------------------------

    def small_disk(self, size):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="pegboard-disk-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        mount = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "pegboard",
             folder], capture_output=True, text=True)
        if mount.returncode != 0:
            self.skipTest(f"no leave to mount a small disk: {mount.stderr}")
        # Lazy: runners of a killed daemon may still be ending.
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=True)
        return folder

    def fill(self, disk, leave):
        """Leave so many bytes; return what to delete to make room again."""
        filler = disk / "filler"
        room = os.statvfs(disk)
        size = filler.stat().st_size if filler.exists() else 0
        size += room.f_bavail * room.f_frsize - leave
        with open(filler, "ab") as file:
            os.posix_fallocate(file.fileno(), 0, size)
        return filler
