"""The main job: a signed event comes in, is durable, and a plugin has it."""

import pegboard
from pegboard import PLUGINS, event, id_of


class Serves(pegboard.TestCase):

    def test_event_is_answered_stored_and_handled(self):
        daemon = self.daemon(f"[plugin receipts]\npath={PLUGINS}/receipts.so")
        body = event()
        answer = daemon.post(body)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json(), {"received": True})
        daemon.wait_log(r"PaymentIntent was successful! id=pi_\d+ "
                        r"amount=10.99 currency=usd")
        daemon.wait_finished()
        stored = daemon.query(
            "SELECT data FROM body JOIN event USING(seq) WHERE event_id = ?",
            id_of(body))
        self.assertEqual(stored, [(body,)])
        self.assertEqual(daemon.query("SELECT n, outcome FROM attempt"),
                         [(1, 0)])

    def test_repeat_is_answered_and_counted_once(self):
        daemon = self.daemon(f"[plugin receipts]\npath={PLUGINS}/receipts.so")
        body = event()
        daemon.post(body)
        answer = daemon.post(body)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json(), {"received": True, "duplicate": True})
        daemon.wait_finished()
        self.assertEqual(daemon.query("SELECT count(*) FROM event"), [(1,)])
        self.assertEqual(daemon.query("SELECT count(*) FROM receipt"), [(1,)])
        self.assertEqual(daemon.query("SELECT count(*) FROM attempt"), [(1,)])

    def test_sigterm_ends_it_with_0(self):
        daemon = self.daemon()
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    pegboard.main()
