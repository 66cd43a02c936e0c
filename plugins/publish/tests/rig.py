"""What the tests of publish.so share: one event handed to it, or a daemon."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import pegboard
import server
import wires

RUNNER = pegboard.BUILD / "bin" / "pegboard-runner"
PLUGIN = pegboard.PLUGINS / "more" / "publish.so"
# The environment in which the name server is silent; in sanitized builds, too.
SLOW_NAMES = {"LD_PRELOAD": str(pegboard.FAULTS / "publish_slow_names.so"),
              "ASAN_OPTIONS": "verify_asan_link_order=0"}
EVENT = pathlib.Path(__file__).parents[1] / "event.json"
EVENT_ID = "evt_1PegPublishSample0001"
SLACK_S = 8  # for a process on a busy machine
SKIPPED = 77  # the exit status that CTest takes for it


def main():
    if server.SERVER is None:
        print("skipped: nats-server is not installed (Debian: nats-server)")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)


def changed(**members):
    """Our sample event, but for these members."""
    event = json.loads(EVENT.read_bytes())
    event.update(members)
    return json.dumps(event).encode()


class Peers:
    """Whoever the plugin can meet; all are gone when the test ends."""

    def _keep(self, peer):
        self.addCleanup(peer.close)
        return peer

    def server(self, *args, **kwargs):
        return self._keep(server.Server(*args, **kwargs))

    def tls_server(self):
        nats, ca = server.tls_server(self.folder())
        return self._keep(nats), ca

    def client(self, nats, **login):
        client = nats.client(**login)
        self.addCleanup(client.__exit__)
        return client

    def wire(self, nats):
        return self._keep(wires.Wire(nats))

    def mute(self, *args, **kwargs):
        return self._keep(wires.Mute(*args, **kwargs))

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return pathlib.Path(folder.name)


class Tried:
    """What came of one run of `pegboard-runner try`."""

    def __init__(self, done, took_s):
        self.status, self.took_s = done.returncode, took_s
        self.log = done.stderr.decode()
        self.verdicts = done.stdout.decode().splitlines()

    @property
    def verdict(self):
        return self.verdicts[-1] if self.verdicts else self.log


class TestCase(Peers, unittest.TestCase):
    """Tests of single events, without a daemon."""

    def attempt(self, url, event=None, runner=(), env=None, **options):
        """Hand an event over; its bytes, or our sample's."""
        args = ["--option", f"url={url}"]
        for name, value in options.items():
            args += ["--option", f"{name}={value}"]
        start = time.monotonic()
        done = subprocess.run(
            [RUNNER, "try", PLUGIN, "-", *args, *runner], timeout=60,
            input=EVENT.read_bytes() if event is None else event,
            env=dict(os.environ, **(env or {})), capture_output=True)
        tried = Tried(done, time.monotonic() - start)
        self.assertNotIn("Sanitizer", tried.log)
        self.assertNotIn("runtime error", tried.log)
        return tried

    def assertDone(self, *args, **kwargs):
        tried = self.attempt(*args, **kwargs)
        self.assertEqual(set(tried.verdicts), {"done"},
                         tried.verdicts + [tried.log])
        return tried


class DaemonTestCase(Peers, pegboard.TestCase):
    """Tests with a daemon, whose retries come soon."""

    def publishing(self, url, *keys, **options):
        return self.daemon(self.section(url, *keys, **options))

    def section(self, url, *keys, **options):
        return pegboard.section("publish", PLUGIN, "retry = 1s..1s", *keys,
                                url=url, **options)

    def reload(self, daemon, *args, **options):
        daemon.write_ini(self.section(*args, **options))
        done = pegboard.command("reload", "-c", daemon.ini)
        self.assertEqual(done.returncode, 0, done.stderr)

    def deliver(self, daemon, body=None):
        """Post an event; how its first attempt ended, why, and when."""
        body = body or pegboard.event()
        start = time.monotonic()
        self.assertEqual(daemon.post(body).status, 200)
        pegboard.wait_for(lambda: daemon.attempts(body), "an attempt")
        _, outcome, note = daemon.attempts(body)[0]
        return outcome, note, time.monotonic() - start

    def assertDelivered(self, daemon, body=None):
        """At its first attempt."""
        outcome, note, _ = self.deliver(daemon, body)
        self.assertEqual(outcome, pegboard.DONE, note)

    def assertStored(self, client, stream, bodies):
        """Each once."""
        self.assertEqual(sorted(client.ids(stream)),
                         sorted(map(pegboard.id_of, bodies)))
