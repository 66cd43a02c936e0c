"""What is the newest: whatever the order in which events come, and however
often, the same is shown, and it is right where anything tells."""

import itertools
import random
import unittest

import loader
import rig
from rig import TestCase, change, customer, for_account, main, setUpModule, thin


class Orders(TestCase):

    def check_orders(self, bodies, data, **columns):
        """In every order, some twice, this is what is shown."""
        orders = list(itertools.permutations(bodies))
        self.feed(for_account(body, f"acct_{n}")
                  for n, order in enumerate(orders)
                  for body in [*order, order[0], *order])
        rows = self.rows()
        self.assertEqual(len(rows), len(orders))
        for n, order in enumerate(orders):
            row = rows[f"acct_{n}", False, "customer", "cus_1"]
            self.assertEqual(row["data"], data, order)
            for name, value in columns.items():
                self.assertEqual(row[name], value, (name, order))

    def test_the_later_second_wins(self):
        self.check_orders(
            [change("customer.created", customer(name="a"), 100),
             change("customer.updated", customer(name="b"), 101),
             change("customer.updated", customer(name="c"), 103)],
            customer(name="c"), event_created=103)

    def test_a_chain_within_one_second(self):
        """The first and the last have nothing in common but the middle."""
        self.check_orders(
            [change("customer.updated", customer(name="b", n=1),
                    previous={"name": "a"}, id="evt_z"),
             change("customer.updated", customer(name="b", n=2),
                    previous={"n": 1}, id="evt_m"),
             change("customer.updated", customer(name="c", n=2),
                    previous={"name": "b"}, id="evt_a")],
            customer(name="c", n=2), event_id="evt_a")

    def test_a_chain_is_stronger_than_a_status(self):
        self.check_orders(
            [change("customer.updated", customer(status="past_due"),
                    previous={"status": "active", "n": 1}, id="evt_z"),
             change("customer.updated", customer(status="active"),
                    previous={"status": "past_due"}, id="evt_a")],
            customer(status="active"))

    def test_a_chain_that_passes_a_state_twice(self):
        self.check_orders(
            [change("customer.updated", customer(n=1), previous={"n": 0},
                    id="evt_z"),
             change("customer.updated", customer(n=0), previous={"n": 1},
                    id="evt_y"),
             change("customer.updated", customer(n=2), previous={"n": 0},
                    id="evt_a")],
            customer(n=2))

    def test_two_events_for_one_change(self):
        self.check_orders(
            [change("customer.updated", customer(n=1), previous={"n": 0},
                    id="evt_y"),
             change("customer.updated", customer(n=1), previous={"n": 0},
                    id="evt_z"),
             change("customer.updated", customer(n=2), previous={"n": 1},
                    id="evt_a")],
            customer(n=2))

    def test_created_is_the_first_and_a_status_tells(self):
        self.check_orders(
            [change("customer.created", customer(status="succeeded"), id="evt_z"),
             change("customer.a", customer(status="requires_action"), id="evt_y"),
             change("customer.b", customer(status="processing"), id="evt_a")],
            customer(status="processing"))

    def test_deleted_stays_deleted_in_its_second(self):
        self.check_orders(
            [change("customer.created", customer(name="a"), id="evt_y"),
             change("customer.updated", customer(name="b"), id="evt_z",
                    previous={"name": "a"}),
             change("customer.deleted", customer(name="a"), id="evt_a")],
            customer(name="a"), deleted=True)

    def test_what_is_older_than_the_deletion_does_not_undo_it(self):
        self.check_orders(
            [change("customer.created", customer(name="a"), 100),
             change("customer.updated", customer(name="b"), 101),
             change("customer.deleted", customer(name="b"), 102)],
            customer(name="b"), deleted=True, event_type="customer.deleted")

    def test_an_id_can_be_used_again_later(self):
        self.check_orders(
            [change("customer.deleted", customer(name="a"), 100),
             change("customer.created", customer(name="b"), 101)],
            customer(name="b"), deleted=False)

    def test_links_and_absent_members_do_not_break_a_chain(self):
        link = "https://pay.stripe.com/receipts/"
        self.check_orders(
            [change("customer.updated", customer(url=link + "1", m={"k": "v"}),
                    previous={"m": {"k": None}}, id="evt_z"),
             change("customer.updated", customer(url=link + "2", m={}),
                    previous={"m": {"k": "v"}}, id="evt_y"),
             change("customer.updated",
                    customer(url=link + "3", m={}, list=[1, {"a": None}]),
                    previous={"list": None, "url": link + "0"}, id="evt_a")],
            customer(url=link + "3", m={}, list=[1, {"a": None}]))

    def test_where_nothing_tells_the_higher_id_wins(self):
        self.check_orders(
            [change("customer.updated", customer(n=n), id=f"evt_{n}")
             for n in range(4)],
            customer(n=3))

    def test_thin_events_in_between(self):
        cus = {"type": "customer", "id": "cus_1"}
        self.check_orders(
            [change("customer.created", customer(n=1), 100, id="evt_1"),
             thin("v1.customer.updated", cus, "1970-01-01T00:01:42.000Z",
                  snapshot_event="evt_2"),
             change("customer.updated", customer(n=2), 101, id="evt_2"),
             thin("v1.customer.updated", cus, "1970-01-01T00:01:40.000Z")],
            customer(n=2), stale=False)

    def test_random_lives_of_one_object(self):
        """All orders of a short life, and some of a long one."""
        chance = random.Random(5)
        lives, bodies = {}, []
        for seed in range(60):
            account = loader.Account(seed, ties=True).run_one(
                4 if seed % 3 else 12)
            events = list(account.events)
            if seed % 4 == 0:
                key, = account.truth
                events.append(thin(f"v1.{key[2]}.updated", {
                    "type": key[2], "id": key[3]}, chance.choice([
                        "2026-10-26T07:33:19Z", "2026-10-26T07:33:21Z"])))
            orders = (list(itertools.permutations(events))
                      if len(events) <= 4 else
                      [chance.sample(events, len(events)) for _ in range(12)])
            for n, order in enumerate(orders):
                lives[f"acct_{seed}_{n}"] = account
                bodies += [for_account(body, f"acct_{seed}_{n}")
                           for body in self.with_repeats(order, chance)]
        self.feed(bodies)
        self.check_seconds()
        self.check_lives(lives)

    def with_repeats(self, order, chance):
        """Some again at once, some at the end."""
        for body in order:
            yield body
            if chance.random() < 0.2:
                yield body
        yield from chance.sample(order, chance.randint(0, len(order)))

    def check_lives(self, lives):
        rows = {key[0]: row for key, row in self.rows(
            drop=["updated_at", "account"]).items()}
        kept = {}
        for row in self.everything():
            account = row.pop("account")
            del row["updated_at"]
            kept.setdefault(account, []).append(str(row))
        self.assertEqual(rows.keys(), lives.keys())
        first, certain = {}, 0
        for name, account in lives.items():
            outcome = (rows[name], sorted(kept[name]))
            self.assertEqual(outcome, first.setdefault(account, outcome), name)
            (key, truth), = account.truth.items()
            shown = loader.seen(rows[name]["data"])
            if account.is_open(key):
                self.assertIn(shown, account.candidates(key), name)
            else:
                certain += 1
                self.assertEqual(shown, loader.seen(truth.obj), name)
                self.assertEqual(rows[name]["deleted"], truth.deleted, name)
        self.assertGreater(certain, len(lives) / 2)


if __name__ == "__main__":
    main()
