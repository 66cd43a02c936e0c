"""What of an event gets into which row."""

import json
import re
import time
import unittest

import rig
from rig import ENGINE, TestCase, change, customer, main, setUpModule, thin

README = rig.pathlib.Path(__file__).parents[1] / "README.md"
SAMPLE = README.with_name("event.json")


class Objects(TestCase):

    def test_account_mode_and_kind_are_apart(self):
        self.feed([change("customer.created", customer(n=1)),
                   change("customer.created", customer(n=2), account="acct_1"),
                   change("customer.created", customer(n=3), livemode=True),
                   change("x.created", {"id": "cus_1", "object": "x", "n": 4})])
        self.assertEqual({key: row["data"]["n"]
                          for key, row in self.rows().items()}, {
            ("", False, "customer", "cus_1"): 1,
            ("acct_1", False, "customer", "cus_1"): 2,
            ("", True, "customer", "cus_1"): 3, ("", False, "x", "cus_1"): 4})

    def test_what_the_columns_hold(self):
        self.try_event(SAMPLE.read_bytes(), env={"TZ": "Asia/Tokyo"})
        row = self.row(id="cus_PegMirrorSample01")
        event = json.loads(SAMPLE.read_text())
        age = database_seconds() - int(time.time())
        self.assertLess(abs(age), 60)  # whatever the zone
        del row["updated_at"]
        self.assertEqual(row, {
            "account": "", "livemode": False, "object": "customer",
            "id": "cus_PegMirrorSample01", "data": event["data"]["object"],
            "deleted": False, "event_id": event["id"],
            "event_type": "customer.updated", "event_created": 1793000000,
            "api_version": "2026-10-28.endive", "stale": False})

    def test_a_repeat_changes_nothing(self):
        body = change("customer.updated", customer(n=1), previous={"n": 0})
        self.try_event(body)
        before = self.everything()
        self.try_event(body, repeat=2)
        self.try_event(change("customer.updated", customer(n=0), 99))
        self.assertEqual(self.everything(), before)

    def test_what_has_no_id(self):
        self.feed([change("balance.available", {"object": "balance"}),
                   change("cash_balance.funds_available", {
                       "object": "cash_balance", "customer": "cus_7"})])
        self.assertEqual({key[2:] for key in self.rows()},
                         {("balance", ""), ("cash_balance", "cus_7")})

    def test_what_is_deleted_and_what_is_not(self):
        sub = {"id": "sub_1", "object": "subscription", "status": "canceled"}
        self.feed([change("customer.deleted", customer()),
                   change("product.updated", {
                       "id": "p", "object": "product", "deleted": True}),
                   change("customer.subscription.deleted", sub),
                   change("customer.discount.deleted", {
                       "id": "di_1", "object": "discount"}),
                   thin("v1.coupon.deleted", {"type": "coupon", "id": "c"})])
        self.assertEqual(
            {key[2]: row["deleted"] for key, row in self.rows().items()},
            {"customer": True, "product": True, "subscription": False,
             "discount": True, "coupon": True})

    def test_what_is_no_object(self):
        self.try_event(change("invoice.upcoming", {"object": "invoice"}), "skip")
        self.try_event(thin("v1.billing.meter.no_meter_found", None), "skip")
        for obj in ({"id": "x_1"}, {"id": "x\0", "object": "x"},
                    {"id": 7, "object": "x"}, {"id": "x", "object": "x\0"}):
            self.try_event(change("x.y", obj), "fail")

    def test_thin_events_say_that_the_row_is_old(self):
        cus = {"type": "customer", "id": "cus_1", "url": "/v1/customers/cus_1"}
        self.try_event(thin("v1.customer.updated", cus))
        self.assertEqual((self.row()["data"], self.row()["stale"]), (None, True))
        self.try_event(change("customer.updated", customer(n=1), 100))
        self.assertEqual(self.row()["data"], customer(n=1))
        self.assertFalse(self.row()["stale"])
        self.try_event(thin("v1.customer.updated", cus,
                            "1970-01-01T00:01:41.000Z"), repeat=2)
        self.assertTrue(self.row()["stale"])
        before = self.everything()
        self.try_event(thin("v1.customer.updated", cus))  # an older one
        self.assertEqual(self.everything(), before)
        self.try_event(change("customer.updated", customer(n=2), 101))
        self.assertFalse(self.row()["stale"])

    def test_a_thin_event_with_its_snapshot_is_no_news(self):
        self.feed([change("customer.updated", customer(), 100, id="evt_snap"),
                   thin("v1.customer.updated", {"type": "customer", "id": "cus_1"},
                        "1970-01-01T00:01:41.000Z", snapshot_event="evt_snap")])
        self.assertFalse(self.row()["stale"])

    def test_text_that_a_database_does_not_like(self):
        """A NUL and half a surrogate pair are written over, and nothing else."""
        body = change("customer.updated", customer(name="@")).replace(
            b"@", rb"\u0000 \ud83d \ude00 \ud83d\ude00 \\u0000 \" \u00e9 ' $1 ?")
        self.try_event(body)
        self.assertEqual(self.row()["data"]["name"],
                         "\ufffd \ufffd \ufffd \U0001f600 \\u0000 \" é ' $1 ?")

    def test_names_are_only_text(self):
        evil = "'); DROP TABLE stripe_object_events; --"
        body = change(f"{evil}.created", {"id": evil, "object": evil, "n": "$1"},
                      id=evil, account=evil, api_version=evil)
        self.try_event(body, repeat=2)
        self.assertEqual(self.row(evil, evil, evil)["event_id"], evil)

    def test_numbers_are_exact(self):
        self.try_event(change("customer.updated", customer(
            n=9007199254740993, most=2**63 - 1, least=-2**63)))
        self.assertEqual(rig.database.query(
            "SELECT CAST(data ->> 'n' AS bigint) AS n,"
            " CAST(data ->> 'most' AS bigint) AS most,"
            " CAST(data ->> 'least' AS bigint) AS least FROM stripe_objects"),
            [{"n": 9007199254740993, "most": 2**63 - 1, "least": -2**63}])

    def test_the_views_of_the_readme(self):
        sql = re.findall(r"```sql\n(.*?)```", README.read_text(), re.DOTALL)
        self.assertEqual(len(sql), 1)
        self.feed([change("customer.updated", customer(
                      email="a@example.com", created=5)),
                   change("invoice.paid", {
                       "id": "in_1", "object": "invoice", "customer": "cus_1",
                       "status": "paid", "amount_paid": 1099,
                       "currency": "usd", "created": 6})])
        for statement in sql[0].split(";"):
            if statement.strip():
                rig.database.do(statement)
        self.assertEqual([row["email"] for row in rig.database.query(
            "SELECT * FROM customers")], ["a@example.com"])

    def test_the_options_of_the_readme(self):
        said = rig.pegboard.command("plugins", "inspect", str(rig.SO)).stdout
        section = README.read_text().split("| option |")[1].split("\n\n")[0]
        for name in re.findall(r"(?m)^\| `(\w+)`", section):
            self.assertRegex(said, rf"\b{name}\b")
        self.assertEqual(len(re.findall(r"(?m)^\| `(\w+)`", section)), 2)

    def test_tables_of_another_version_are_left_alone(self):
        self.try_event(change("customer.updated", customer(n=1)))
        before = self.everything()
        rig.database.do("UPDATE stripe_mirror SET version = 2")
        said = self.try_event(change("customer.updated", customer(n=2), 101),
                              "retry")
        self.assertIn("not of version 1", said)
        self.assertEqual(self.everything(), before)


def database_seconds():
    """updated_at of the one row, in seconds since 1970."""
    when = ("extract(epoch FROM updated_at)::bigint" if ENGINE == "postgres"
            else "CAST(strftime('%s', updated_at) AS integer)")
    return rig.database.query(f"SELECT {when} AS s FROM stripe_objects")[0]["s"]


if __name__ == "__main__":
    main()
