"""kill -9 at random moments, of the daemon and of runners: nothing that was
acknowledged is lost, nothing is invented, and repeats are few."""

import collections
import http.client
import os
import random
import select
import signal
import threading
import time

import pegboard
from pegboard import Ledger, event, id_of, sign, wait_for

SENDERS = 4
AHEAD = 200  # events that may be acknowledged and not handled yet
CONCURRENCY = {"a": 2, "b": 1}

# Deliveries per runner that are claimed and whose end is not committed: one in
# work and two at hand, and as many that ended while the others were committed.
OPEN_PER_RUNNER = 6


class Senders:
    """Threads that post events of their own, each until it is acknowledged."""

    def __init__(self, daemon, may_send):
        self.daemon, self.may_send = daemon, may_send
        self.lock = threading.Lock()
        self.sent, self.acked = {}, set()  # guarded by lock
        self.odd = []  # answers that are neither 200 nor 503; as above
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._send_all)
                        for _ in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def _send_all(self):
        connection = None
        while not self.ended.is_set():
            if not self.may_send(len(self.acked)):
                time.sleep(0.005)
                continue
            body = event()
            with self.lock:
                self.sent[id_of(body)] = body
            acknowledged = False
            while not acknowledged:
                connection, acknowledged = self._send(connection, body)
        if connection:
            connection.close()

    def _send(self, connection, body):
        """Try once. Returns the connection, if it can be used on."""
        try:
            if connection is None:
                connection = http.client.HTTPConnection(
                    "127.0.0.1", self.daemon.port, timeout=10)
            connection.request("POST", "/webhook", body,
                               {"Stripe-Signature": sign(body)})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection and connection.close()
            time.sleep(0.005)  # nobody there: the daemon is being started
            return None, False
        with self.lock:
            if answer.status == 200:
                self.acked.add(id_of(body))
            elif answer.status != 503:
                self.odd.append((answer.status, id_of(body)))
        return connection, answer.status == 200


class Kill(pegboard.TestCase):

    DAEMON_KILLS = 8
    RUNNER_KILLS = 10

    def setUp(self):
        seed = int(os.environ.get("PEGBOARD_SEED", time.time_ns() % 10**9))
        print(f"PEGBOARD_SEED={seed}", end=" ", flush=True)
        self.random = random.Random(seed)
        self.server = self.daemon(start=False)
        self.ledgers = {name: Ledger(self.server.folder / name)
                        for name in CONCURRENCY}
        self.server.write_ini("".join(
            ledger.section(name, f"concurrency = {CONCURRENCY[name]}",
                           "retry = 10ms..50ms", "max_attempts = 1000")
            for name, ledger in self.ledgers.items()))
        self.server.start()

    def handled(self):
        """Of the slower plugin."""
        return min(len(ledger.runs()) for ledger in self.ledgers.values())

    def start_senders(self):
        self.senders = Senders(self.server,
                               lambda acked: acked < self.handled() + AHEAD)
        self.addCleanup(self.senders.stop)

    def wait_for_some(self, count, what, patience_s=60):
        """Wait until a random number more of it are counted."""
        goal = count() + self.random.randint(5, 60)
        wait_for(lambda: count() >= goal, what, patience_s)

    # -- the two ways to die -----------------------------------------------

    def kill_daemon(self):
        """Kill it, start it again, and see its runners die with it."""
        self.wait_for_some(lambda: len(self.senders.acked), "acknowledgements")
        runners = [os.pidfd_open(pid) for pid in self.server.runners()]
        self.server.kill()
        self.server.start()
        for runner in runners:
            self.assertTrue(select.select([runner], [], [], 10)[0],
                            "a runner outlives its daemon")
            os.close(runner)

    def kill_runner(self):
        self.wait_for_some(self.handled, "handled events")
        runners = wait_for(self.server.runners, "a runner")
        os.kill(self.random.choice(runners), signal.SIGKILL)

    # -- the end -----------------------------------------------------------

    def finish(self):
        self.senders.stop()
        self.server.wait_finished(60)
        self.assertEqual(self.senders.odd, [])
        self.assertEqual(self.server.dead(), 0)

    def check_inbox(self):
        stored = self.server.query(
            "SELECT event_id, data FROM event JOIN body USING(seq)")
        counts = collections.Counter(id for id, _ in stored)
        self.assertEqual(self.senders.acked - counts.keys(), set(), "lost")
        self.assertEqual({id for id in counts if counts[id] > 1}, set())
        for id, data in stored:
            self.assertEqual(data, self.senders.sent[id])
        self.assertEqual(self.server.query("PRAGMA integrity_check"),
                         [("ok",)])

    def check_attempts(self):
        """All are numbered from 1 on, without a gap."""
        self.assertEqual(self.server.query(
            "SELECT seq, plugin, count(*), max(n) FROM attempt"
            " GROUP BY seq, plugin HAVING count(*) <> max(n)"), [])

    def check_ledgers(self, most_repeats):
        for name, ledger in self.ledgers.items():
            with self.subTest(plugin=name):
                counts = collections.Counter(ledger.ids())
                self.assertEqual(self.senders.acked - counts.keys(), set(),
                                 "acknowledged and not handled")
                self.assertEqual(counts.keys() - self.senders.sent.keys(),
                                 set(), "handled and never sent")
                repeats = sum(counts.values()) - len(counts)
                self.assertLessEqual(repeats, most_repeats(name))
                print(f"{name}: {len(counts)} events, {repeats} repeats;",
                      end=" ", flush=True)

    def test_of_the_daemon(self):
        self.start_senders()
        for _ in range(self.DAEMON_KILLS):
            self.kill_daemon()
        self.finish()
        self.check_inbox()
        self.check_attempts()
        self.check_ledgers(lambda name: self.DAEMON_KILLS *
                           CONCURRENCY[name] * OPEN_PER_RUNNER)

    def test_of_runners(self):
        self.start_senders()
        for _ in range(self.RUNNER_KILLS):
            self.kill_runner()
        self.finish()
        self.check_inbox()
        self.check_attempts()
        self.check_ledgers(lambda name: self.RUNNER_KILLS)

    def test_of_a_daemon_that_does_nothing(self):
        """Its runners die with it also when they are idle."""
        for name, count in CONCURRENCY.items():
            self.server.wait_runner(name, count)
        runners = [os.pidfd_open(pid) for pid in self.server.runners()]
        self.assertEqual(len(runners), sum(CONCURRENCY.values()))
        self.server.kill()
        for runner in runners:
            self.assertTrue(select.select([runner], [], [], 10)[0])
            os.close(runner)


if __name__ == "__main__":
    pegboard.main()
