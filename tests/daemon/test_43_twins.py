"""Two kinds of duplicates: one id with other bytes, and two ids that tell of
one change."""

import json

import faults
import pegboard
from pegboard import DONE, SKIP, Ledger, event, id_of, wait_for

INTENT = {"id": "pi_1", "object": "payment_intent", "amount": 1099}


def thin(type="v1.payment_intent.succeeded", snapshot=None, object="pi_1"):
    id = id_of(event())
    return json.dumps({
        "id": id, "object": "v2.core.event", "type": type, "livemode": False,
        "created": "2026-10-28T09:16:42.337Z", "context": None,
        "related_object": {"id": object, "type": "payment_intent",
                           "url": f"/v1/payment_intents/{object}"},
        "snapshot_event": snapshot, "reason": None}).encode()


class Conflicts(faults.TestCase):

    def test_other_bytes_under_a_known_id_are_flagged(self):
        daemon = self.daemon(pegboard.section("p", "noop"))
        first = event()
        other = first.replace(b"1099", b"9999")
        self.assertNotEqual(first, other)
        self.assertEqual(daemon.post(first).json(), {"received": True})
        daemon.wait_finished()
        for body in first, other, first:
            answer = daemon.post(body)
            self.assertEqual((answer.status, answer.json()["duplicate"]),
                             (200, True))
        daemon.wait_log('level=warn .*"same event id with other bytes" '
                        f"event={id_of(first)}")
        one = self.api(daemon, "GET", f"/events/{id_of(first)}")
        self.assertEqual((one["repeats"], one["conflicts"]), (3, 1))
        rows = self.api(daemon, "GET",
                        f"/events/{id_of(first)}/receipts")["data"]
        self.assertEqual([row["conflict"] for row in rows],
                         [False, True, False])
        self.assertEqual([row["conflict_bytes"] for row in rows],
                         [0, len(other), 0])
        # What was first stays, and runs once.
        self.assertEqual(daemon.query("SELECT data FROM body"), [(first,)])
        self.assertEqual(daemon.query(
            "SELECT conflict FROM receipt WHERE conflict IS NOT NULL"),
            [(other,)])
        self.assertEqual(daemon.attempts(first), [(1, DONE, None)])


class Twins(faults.TestCase):

    def setUp(self):
        self.server = self.daemon(start=False)
        self.one, self.all = (Ledger(self.server.folder / name)
                              for name in ("one", "all"))
        self.server.write_ini(self.one.section("one", "collapse_twins = yes") +
                              self.all.section("all"))
        self.server.start()

    def post(self, *bodies):
        """One after the other."""
        self.post_all(self.server, bodies, senders=1)
        self.server.wait_finished()

    def check(self, one, all):
        self.assertEqual(sorted(self.one.ids()), sorted(map(id_of, one)))
        self.assertEqual(sorted(self.all.ids()), sorted(map(id_of, all)))

    def check_skipped(self, body, twin):
        self.assertEqual(self.server.attempts(body, "one"),
                         [(1, SKIP, f"twin of {id_of(twin)}")])

    def test_only_the_first_of_two_ids_for_one_change(self):
        first, second, third = (event(obj=INTENT) for _ in range(3))
        self.post(first, second, third)
        self.check([first], [first, second, third])
        self.check_skipped(second, first)
        self.check_skipped(third, first)
        rows = self.api(self.server, "GET",
                        f"/events/{id_of(second)}/deliveries")["data"]
        self.assertEqual({row["plugin"]: row["state"] for row in rows},
                         {"one": "skipped", "all": "done"})

    def test_two_real_changes_are_both_handled(self):
        bodies = [event("payment_intent.payment_failed", obj=INTENT),
                  event("payment_intent.payment_failed",
                        obj={**INTENT, "amount": 1100}),
                  event(obj=INTENT),  # another type
                  event(obj={**INTENT, "id": "pi_2"}),
                  event(obj=INTENT, livemode=True),
                  event(obj=INTENT, account="acct_1"),
                  event(data={"object": INTENT, "previous_attributes":
                              {"amount": 1}}),
                  event(data={"object": INTENT, "previous_attributes":
                              {"amount": 2}})]
        self.post(*bodies)
        self.check(bodies, bodies)

    def test_events_without_an_object_id_have_no_twins(self):
        bodies = [event(obj={"object": "balance", "livemode": False})
                  for _ in range(2)]
        self.post(*bodies)
        self.check(bodies, bodies)

    def test_a_snapshot_and_then_its_thin_event(self):
        first = event(obj=INTENT)
        second = thin(snapshot=id_of(first))
        self.post(first, second)
        self.check([first], [first, second])
        self.check_skipped(second, first)

    def test_a_thin_event_and_then_its_snapshot(self):
        second = event(obj=INTENT)
        first = thin(snapshot=id_of(second))
        self.post(first, second)
        self.check([first], [first, second])
        self.check_skipped(second, first)

    def test_thin_events_for_one_object_are_no_twins(self):
        bodies = [thin(), thin(), thin(snapshot="evt_1"),
                  thin(snapshot="evt_2")]
        self.post(*bodies)
        self.check(bodies, bodies)

    def test_twins_posted_at_once(self):
        bodies = [event(obj=INTENT) for _ in range(40)]
        self.post_all(self.server, bodies)
        self.server.wait_finished()
        self.assertEqual(len(self.one.ids()), 1)
        self.assertEqual(len(self.all.ids()), 40)

    def test_twins_across_a_restart(self):
        first, second = event(obj=INTENT), event(obj=INTENT)
        self.post(first)
        self.server.stop()
        self.server.start()
        self.post(second)
        self.check([first], [first, second])

    def test_a_twin_can_be_replayed(self):
        first, second = event(obj=INTENT), event(obj=INTENT)
        self.post(first, second)
        self.api(self.server, "POST", "/replays", {
            "reason": "a test", "plugin": "one",
            "event_ids": [id_of(second)]}, 202)
        wait_for(lambda: len(self.one.ids()) == 2, "it")
        self.check([first, second], [first, second])


if __name__ == "__main__":
    pegboard.main()
