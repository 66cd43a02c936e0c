"""publish.so in a real daemon, while its nats-server comes and goes."""

import threading

import pegboard
import rig
from pegboard import DONE, RETRY, event, id_of, wait_for
from rig import SLACK_S


class Publishing(rig.DaemonTestCase):
    def test_events_are_in_the_stream_once(self):
        nats = self.server()
        client = self.client(nats)
        client.add_stream("STRIPE", "stripe.>")
        daemon = self.publishing(nats.url, "concurrency = 4", stream="STRIPE")
        bodies = [event() for _ in range(100)]
        daemon.post_all(bodies)
        daemon.wait_finished()
        self.assertStored(client, "STRIPE", bodies)
        self.assertLessEqual(daemon.log().count("connected to"), 4)
        got = {message.headers["Nats-Msg-Id"]: message
               for message in client.consume("STRIPE", 100)}
        for body in bodies:
            message = got[id_of(body)]
            self.assertEqual(message.body, body)
            self.assertEqual(message.headers["Pegboard-Idempotency-Key"],
                             f"{id_of(body)}:publish")
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn("action=kill", daemon.log())

    def test_killed_in_the_middle(self):
        nats = self.server()
        self.client(nats).add_stream("STRIPE", "stripe.>")
        daemon = self.publishing(nats.url, "concurrency = 2")
        bodies, over = [], threading.Event()

        def post():
            while not over.is_set():
                bodies.append(event())
                daemon.post(bodies[-1])

        poster = threading.Thread(target=post)
        poster.start()
        try:
            for _ in range(3):
                with nats.client() as watcher:
                    stored = watcher.count("STRIPE")
                    wait_for(lambda: watcher.count("STRIPE") > stored + 20,
                             "a few more messages")
                nats.kill()
                met = len(daemon.attempts())
                wait_for(lambda: len(daemon.attempts()) > met + 2,
                         "some that meet nobody")
                nats.start()
        finally:
            over.set()
            poster.join()
        daemon.wait_finished()
        self.assertEqual(daemon.dead(), 0)
        self.assertStored(self.client(nats), "STRIPE", bodies)
        self.assertIn(RETRY, [outcome for _, outcome, _ in daemon.attempts()])

    def test_the_server_comes_later(self):
        """Neither start nor reload asks for it."""
        nats = self.server(start=False)
        stream = {"stream": "S", "create": "yes"}
        daemon = self.publishing(nats.url, **stream)
        daemon.wait_runner("publish")
        body = event()
        outcome, note, took_s = self.deliver(daemon, body)
        self.assertEqual(outcome, RETRY)
        self.assertIn(f"cannot connect to {nats.url}: ", note)
        self.assertLess(took_s, SLACK_S)
        self.reload(daemon, nats.url, timeout="4s", **stream)
        nats.start()
        daemon.wait_finished()
        self.assertStored(self.client(nats), "S", [body])

    def test_stopped(self):
        nats = self.server()
        client = self.client(nats)
        client.add_stream("S", "stripe.>")
        daemon = self.publishing(nats.url, "timeout = 10s", timeout="1s")
        pid = daemon.wait_runner("publish")
        bodies = [event() for _ in range(5)]
        self.assertDelivered(daemon, bodies[0])
        with nats.stopped():
            for body in bodies[1:4]:
                outcome, note, took_s = self.deliver(daemon, body)
                self.assertEqual(outcome, RETRY, note)
                # One second for it, and one for a repeat that came before.
                self.assertLess(took_s, 2 + SLACK_S)
        self.deliver(daemon, bodies[4])
        daemon.wait_finished()
        self.assertStored(client, "S", bodies)
        self.assertEqual(daemon.runners("publish"), [pid], "none was killed")

    def test_the_time_of_the_host_is_the_limit(self):
        nats = self.server()
        self.client(nats).add_stream("S", "stripe.>")
        daemon = self.publishing(nats.url, "timeout = 1s", timeout="1m")
        pid = daemon.wait_runner("publish")
        self.assertDelivered(daemon)
        with nats.stopped():
            for _ in range(2):
                self.assertEqual(self.deliver(daemon)[0], RETRY)
        daemon.wait_finished()
        self.assertEqual(daemon.runners("publish"), [pid], "none was killed")

    def test_a_server_that_was_restarted_costs_no_attempt(self):
        nats, ca = self.tls_server()
        self.client(nats).add_stream("S", "stripe.>")
        daemon = self.publishing(nats.url, ca=ca)
        self.assertDelivered(daemon)
        for _ in range(3):
            nats.kill()
            nats.start()
            self.assertDelivered(daemon)
        nats.kill()
        body = event()
        outcome, note, _ = self.deliver(daemon, body)
        self.assertEqual(outcome, RETRY)
        self.assertIn("cannot connect", note, "nothing waits in libnats")
        nats.start()
        daemon.wait_finished()
        self.assertIn(id_of(body), self.client(nats).ids("S"))

    def test_full_and_then_room(self):
        nats = self.server()
        client = self.client(nats)
        client.add_stream("S", "stripe.>", max_msgs=2, discard="new")
        daemon = self.publishing(nats.url)
        bodies = [event() for _ in range(3)]
        outcomes = [self.deliver(daemon, body) for body in bodies]
        self.assertEqual([o[0] for o in outcomes], [DONE, DONE, RETRY])
        self.assertIn("maximum messages exceeded", outcomes[2][1])
        client.update_stream("S", "stripe.>", max_msgs=3, discard="new")
        daemon.wait_finished()
        self.assertStored(client, "S", bodies)


if __name__ == "__main__":
    rig.main()
