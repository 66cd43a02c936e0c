"""`pegboard trigger` against a daemon, and `pegboard verify`."""

import json
import re
import socket
import time

import commands
import pegboard
from commands import FAILED, MISSING, NO_DAEMON, USAGE
from pegboard import SECRET, event, section, sign


TYPE = "payment_intent.succeeded"


class Trigger(commands.TestCase):

    def setUp(self):
        self.served = self.daemon(section("p", "noop"))

    def trigger(self, *args, **kwargs):
        return self.run_command(
            "trigger", *args, "-c", self.served.ini, "--url",
            f"http://127.0.0.1:{self.served.port}/webhook", **kwargs)

    def statuses(self, *args, **kwargs):
        return [int(status) for status in re.findall(
            r"(?m)^.{19}  <--  \[(\d+)\] POST http", self.trigger(*args,
                                                                  **kwargs))]

    def stored_event(self):
        (data,), = self.served.query("SELECT data FROM body")
        return json.loads(data)

    def test_one_event_comes_in_and_is_handled(self):
        self.assertEqual(self.statuses(TYPE), [200])
        self.served.wait_finished()
        self.assertEqual(self.served.query("SELECT type FROM event"), [(TYPE,)])
        self.assertEqual(self.stored_event()["type"], TYPE)
        self.assertEqual(len(self.served.attempts()), 1)

    def test_count_sends_events_of_their_own(self):
        self.assertEqual(self.statuses(TYPE, "--count", "3"), [200] * 3)
        self.assertEqual(len(self.served.stored()), 3)

    def test_duplicate_is_stored_once(self):
        self.assertEqual(self.statuses(TYPE, "--duplicate"), [200, 200])
        self.assertEqual(len(self.served.stored()), 1)
        self.assertEqual(self.served.query("SELECT count(*) FROM receipt"),
                         [(1,)])

    def test_refusal_that_was_asked_for_is_a_success(self):
        self.assertEqual(self.statuses(TYPE, "--bad-signature"), [400])
        self.assertEqual(self.statuses(TYPE, "--age", "400s"), [400])
        self.assertEqual(self.served.stored(), set())
        self.assertEqual(self.statuses(TYPE, "--age", "200s"), [200])

    def test_refusal_that_was_not_asked_for_is_a_failure(self):
        secret = self.served.folder / "other"
        secret.write_text("whsec_of_another_endpoint_0123456789")
        secret.chmod(0o600)
        self.assertEqual(
            self.statuses(TYPE, "--secret-file", secret, exits=FAILED), [400])

    def test_thin(self):
        self.assertEqual(self.statuses(TYPE, "--thin"), [200])
        self.assertEqual(self.served.query("SELECT type, thin FROM event"),
                         [(f"v1.{TYPE}", 1)])

    def test_override_account_and_live(self):
        self.trigger(TYPE, "--override", "amount=2000", "--account", "acct_123",
                     "--live")
        stored = self.stored_event()
        self.assertEqual(stored["data"]["object"]["amount"], 2000)
        self.assertEqual((stored["account"], stored["livemode"]),
                         ("acct_123", True))

    def test_data_of_a_whole_event_is_sent_as_it_is(self):
        body = event("some.type.of.tomorrow")
        file = self.served.folder / "event.json"
        file.write_bytes(body)
        self.trigger("--data", file)
        self.assertEqual(self.served.query("SELECT data FROM body"), [(body,)])

    def test_data_of_an_object_is_wrapped(self):
        self.trigger(TYPE, "--data", "-",
                     input='{"id": "pi_mine", "object": "payment_intent"}')
        stored = self.stored_event()
        self.assertEqual(stored["type"], TYPE)
        self.assertEqual(stored["data"]["object"]["id"], "pi_mine")

    def test_json_lines(self):
        lines = [json.loads(line) for line in
                 self.trigger(TYPE, "--duplicate", "--json").splitlines()]
        self.assertEqual([line["answer"] for line in lines],
                         [{"received": True},
                          {"received": True, "duplicate": True}])
        self.assertEqual({line["id"] for line in lines}, self.served.stored())

    def test_print_posts_nothing_and_signs_what_it_prints(self):
        body = self.trigger(TYPE, "--print")
        header = re.fullmatch(r"Stripe-Signature: (t=(\d+),v1=.*)\n",
                              self.stderr)
        self.assertEqual(header[1],
                         sign(body.encode(), SECRET, int(header[2])))
        self.assertEqual(self.served.stored(), set())

    def test_list_is_filtered_by_a_pattern(self):
        for type in self.run_command("trigger", "--list",
                                     "charge.dispute.*").splitlines():
            self.assertRegex(type, r"^[* ] charge\.dispute\.[a-z_]+$")
        self.run_command("trigger", "--list", "nonsense", exits=MISSING)

    def test_mistakes(self):
        for args, exits, said in (
                ([], USAGE, "name an event type"),
                ([TYPE + "x"], MISSING, f'did you mean "{TYPE}"?'),
                ([TYPE, "--count", "0"], USAGE, "--count"),
                ([TYPE, "--age", "soon"], USAGE, "--age"),
                ([TYPE, "--override", "amount"], USAGE, "path=value"),
                ([TYPE, "--data", "/no/such"], MISSING, "/no/such"),
                ([TYPE, "--endpoint", "none"], MISSING, 'no endpoint "none"')):
            with self.subTest(args):
                self.trigger(*args, exits=exits)
                self.assertIn(said, self.stderr)

    def test_nobody_there(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # and does not listen
            self.run_command(
                "trigger", TYPE, "-c", self.served.ini, "--url",
                f"http://127.0.0.1:{taken.getsockname()[1]}/webhook",
                exits=NO_DAEMON)
        self.assertIn("Is pegboard running?", self.stderr)


class Verify(commands.TestCase):

    BODY = b'{"id": "evt_1"}'

    def setUp(self):
        self.files = self.folder()
        (self.files / "body").write_bytes(self.BODY)
        (self.files / "secret").write_text(SECRET)
        (self.files / "secret").chmod(0o600)

    def verify(self, header, *args, **kwargs):
        return self.run_command(
            "verify", "--body", self.files / "body", "--header", header,
            "--secret-file", self.files / "secret", *args, **kwargs)

    def test_good_one(self):
        self.assertTrue(self.verify(sign(self.BODY)).endswith("\nvalid\n"))

    def test_each_rule(self):
        now = int(time.time())
        for verdict, rule, header in (
                ("timestamp_missing", "timestamp", "v1=00"),
                ("no_v1", "v1", f"t={now},v0=00"),
                ("signature_mismatch", "secret", sign(b"other")),
                ("signature_mismatch", "secret", sign(self.BODY, "whsec_x")),
                ("timestamp_too_old", "age", sign(self.BODY, at=now - 400)),
                ("timestamp_ahead", "age", sign(self.BODY, at=now + 400))):
            with self.subTest(verdict):
                text = self.verify(header, exits=FAILED)
                self.assertIn(f"\nnot valid: {verdict}\n", text)
                self.assertRegex(text, rf"(?m)^{rule} +FAILS")
                self.assertEqual(text.count("FAILS"), 1)
                result = json.loads(self.verify(header, "--json", exits=FAILED))
                self.assertEqual((result["valid"], result["verdict"]),
                                 (False, verdict))

    def test_age_can_be_judged_as_of_another_time(self):
        header = sign(self.BODY, at=1000000)
        self.verify(header, "--at", "1000299")
        self.verify(header, "--at", "1000301", exits=FAILED)
        self.verify(header, "--at", "1000301", "--tolerance", "400s")

    def test_usual_causes_are_found(self):
        (self.files / "body").write_bytes(self.BODY + b"\n")
        self.assertIn("fits without its last line end",
                      self.verify(sign(self.BODY), exits=FAILED))

    def test_mistakes(self):
        self.run_command("verify", exits=USAGE)
        self.run_command("verify", "--body", "/no/such", "--header", "t=1",
                         "--secret-file", self.files / "secret", exits=MISSING)


if __name__ == "__main__":
    pegboard.main()
