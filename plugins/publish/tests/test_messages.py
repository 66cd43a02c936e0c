"""What publish.so makes of an event, and what the stream makes of that."""

import rig
from pegboard import wait_for
from rig import EVENT_ID, changed


class WithServer(rig.TestCase):
    """One server for each test."""

    def setUp(self):
        self.nats = self.server()
        self.reader = self.client(self.nats)
        self.url = self.nats.url


class Messages(WithServer):
    def test_a_consumer_gets_the_exact_bytes_and_the_headers(self):
        self.reader.add_stream("STRIPE", "stripe.>")
        body = (b' {"id": "evt_9",\r\n\t"type":"charge.updated", "livemode": true,'
                b'"created":1767225600,"api_version":"2025-03-31.basil",'
                b'"account":"acct_7", "n": 1.50e1, "twice": 1, "twice": 2,'
                b'"text": "\\u00e9 \xc3\xa9 \\/", "data": {"object": {}}}\n\n ')
        self.assertDone(self.url, body)
        message, = self.reader.consume("STRIPE", 1)
        self.assertEqual(message.body, body)
        self.assertEqual(message.subject, "stripe.charge.updated")
        self.assertEqual(message.headers, {
            "Nats-Msg-Id": "evt_9",
            "Pegboard-Idempotency-Key": "evt_9:publish",
            "Content-Type": "application/json",
            "Stripe-Event-Id": "evt_9",
            "Stripe-Event-Type": "charge.updated",
            "Stripe-Event-Created": "1767225600",
            "Stripe-Livemode": "true",
            "Stripe-Account": "acct_7",
            "Stripe-Version": "2025-03-31.basil",
        })

    def test_headers_of_which_the_event_has_nothing_are_left_out(self):
        self.reader.add_stream("STRIPE", "stripe.>")
        self.assertDone(self.url, b'{"id":"evt_1","type":"a.b"}')
        message, = self.reader.consume("STRIPE", 1)
        self.assertEqual(
            {"Stripe-Account", "Stripe-Version", "Stripe-Event-Created"} &
            set(message.headers), set())

    def test_odd_bytes_in_a_header_make_no_other_header(self):
        """The daemon takes no control characters; `try` lets us see that they
        would do no harm."""
        self.reader.add_stream("STRIPE", "stripe.>")
        ids = ['evt "1": \\ , {} \u00e9\U0001f600', "evt_2\r\nNats-Expected-Stream: NO",
               "evt_3\r\n\r\n+OK\r\nPUB stripe.x 0\r\n\r\n", "evt:4:5\tx"]
        for id in ids:
            self.assertDone(self.url, changed(id=id))
            self.assertIn("it was there already",
                          self.assertDone(self.url, changed(id=id)).log)
        for message, id in zip(self.reader.consume("STRIPE", len(ids)), ids):
            self.assertEqual(
                message.headers["Nats-Msg-Id"],
                id.replace("\r", " ").replace("\n", " "))
            self.assertEqual(len(message.headers), 8)
            self.assertEqual(message.body, changed(id=id))

    def test_subjects(self):
        self.reader.add_stream("ALL", "x.>", "fixed")
        cases = [
            ("x.{type}", {}, "x.payment_intent.succeeded"),
            ("x.{livemode}.{account}.{type}", {},
             "x.test.none.payment_intent.succeeded"),
            ("x.{livemode}.{account}.{type}",
             {"livemode": True, "account": "acct_1.2"},
             "x.live.acct_1_2.payment_intent.succeeded"),
            ("x.to-{account}.{type}.end", {"account": "acct_1"},
             "x.to-acct_1.payment_intent.succeeded.end"),
            ("fixed", {}, "fixed"),
            ("x.{type}", {"type": "v2.core.account[a.b].updated"},
             "x.v2.core.account[a.b].updated"),
            ("x.{type}", {"type": "a b.*.>.$JS"}, "x.a_b._._._JS"),
            ("x.{type}.z", {"type": "a 5\r\nPUB x.y 0\r\n"},
             "x.a_5__PUB_x.y_0__.z"),
            ("x.{account}", {"account": "$SYS.>\t*"}, "x._SYS____"),
            ("x.{type}", {"type": "..a..b."}, "x.none.none.a.none.b.none"),
            ("x.{type}", {"type": "\u00e9"}, "x.\u00e9"),
        ]
        for n, (template, members, _) in enumerate(cases):
            self.assertDone(self.url, changed(id=f"evt_{n}", **members),
                            subject=template)
        self.assertEqual(
            [message.subject for message in
             self.reader.consume("ALL", len(cases))],
            [subject for _, _, subject in cases])

    def test_a_subject_too_long_is_a_dead_letter(self):
        tried = self.attempt(self.url, changed(type="a." * 2000 + "b"),
                             subject="x.{type}")
        self.assertRegex(tried.verdict, "^fail: .*too long")


class CalledTwice(WithServer):
    def test_there_is_one_message(self):
        self.reader.add_stream("STRIPE", "stripe.>")
        tried = self.assertDone(self.url, runner=("--repeat", "2"))
        self.assertEqual(tried.log.count("connected to"), 1)
        self.assertEqual(tried.log.count("it was there already"), 1)
        again = self.assertDone(self.url)  # and by another process
        self.assertIn("it was there already", again.log)
        self.assertEqual(self.reader.ids("STRIPE"), [EVENT_ID])

    def test_a_server_that_was_killed_still_knows(self):
        self.reader.add_stream("STRIPE", "stripe.>")
        self.assertDone(self.url)
        self.nats.kill()
        self.nats.start()
        self.assertIn("it was there already", self.assertDone(self.url).log)
        self.assertEqual(self.client(self.nats).count("STRIPE"), 1)

    def test_after_the_window_there_is_one_more(self):
        self.reader.add_stream("STRIPE", "stripe.>",
                               duplicate_window=10 ** 9)
        self.assertDone(self.url)
        wait_for(lambda: self.assertDone(self.url) and
                 self.reader.count("STRIPE") == 2, "the end of the window")
        self.assertEqual(self.reader.ids("STRIPE"), [EVENT_ID] * 2)

    def test_two_ids_for_two_plugins_in_one_stream(self):
        self.reader.add_stream("STRIPE", "a.>", "b.>")
        self.assertDone(self.url, subject="a.{type}")
        self.assertDone(self.url, subject="b.{type}", message_id="key")
        self.assertEqual(self.reader.ids("STRIPE"),
                         [EVENT_ID, f"{EVENT_ID}:publish"])


class Streams(WithServer):
    def test_no_stream_takes_the_subject(self):
        for options in ({}, {"stream": "STRIPE"}):
            tried = self.attempt(self.url, **options)
            self.assertEqual(tried.status, 1)
            self.assertRegex(tried.verdict,
                             "^retry: no stream takes stripe.payment_intent."
                             "succeeded.*: create one .*`create = yes`")
        self.reader.add_stream("STRIPE", "stripe.>")
        self.assertDone(self.url)

    def test_another_stream_takes_the_subject(self):
        self.reader.add_stream("OTHER", "other.>")
        for options, why in [
                ({}, r"refused other.a: .* \(10060\)"),  # not the expected one
                ({"create": "yes"}, r"refused STRIPE: .* overlap.* \(10065\)")]:
            tried = self.attempt(self.url, stream="STRIPE", subject="other.a",
                                 **options)
            self.assertRegex(tried.verdict, "^retry: JetStream " + why)
        self.assertEqual(self.reader.count("OTHER"), 0)

    def test_a_stream_is_created(self):
        tried = self.assertDone(
            self.url, stream="STRIPE", create="yes", window="10m",
            subject="stripe.{livemode}.{type}")
        self.assertIn("stream STRIPE takes stripe.>", tried.log)
        config = self.reader.stream("STRIPE")["config"]
        self.assertEqual(config["subjects"], ["stripe.>"])
        self.assertEqual(config["duplicate_window"], 600 * 10 ** 9)
        self.assertEqual((config["storage"], config["max_msgs"],
                          config["max_age"]), ("file", -1, 0))

    def test_one_that_is_there_is_left_alone(self):
        self.reader.add_stream("STRIPE", "stripe.>", "more",
                               duplicate_window=10 ** 9)
        options = {"stream": "STRIPE", "create": "yes"}
        self.assertDone(self.url, **options)
        tried = self.attempt(self.url, subject="another.{type}", **options)
        self.assertRegex(tried.verdict, "^retry: the stream does not take "
                         "another.payment_intent.succeeded")
        config = self.reader.stream("STRIPE")["config"]
        self.assertEqual(config["duplicate_window"], 10 ** 9)
        self.assertEqual(config["subjects"], ["stripe.>", "more"])

    def test_a_stream_is_created_though_somebody_listens(self):
        """Then the server does not say that no stream takes the message."""
        self.client(self.nats).subscribe("stripe.>")
        self.assertDone(self.url, stream="STRIPE", create="yes")
        self.assertEqual(self.reader.ids("STRIPE"), [EVENT_ID])

    def test_a_full_stream_is_retried(self):
        self.reader.add_stream("STRIPE", "stripe.>", max_msgs=1, discard="new")
        self.assertDone(self.url)
        event = changed(id="evt_2")
        tried = self.attempt(self.url, event)
        self.assertRegex(tried.verdict, "^retry: .*maximum messages exceeded")
        self.assertDone(self.url)  # a repeat needs no room
        self.reader.update_stream("STRIPE", "stripe.>", max_msgs=2,
                                  discard="new")
        self.assertDone(self.url, event)
        self.reader.update_stream("STRIPE", "stripe.>", max_bytes=1500,
                                  discard="new")
        tried = self.attempt(self.url, changed(id="evt_3"))
        self.assertRegex(tried.verdict, "^retry: .*maximum bytes exceeded")

    def test_too_large_for_the_stream(self):
        self.reader.add_stream("STRIPE", "stripe.>", max_msg_size=100)
        tried = self.attempt(self.url)
        self.assertRegex(tried.verdict,
                         "^fail: the event is too large for the stream")

    def test_an_answer_leaves_the_connection_alone(self):
        self.reader.add_stream("STRIPE", "stripe.>", max_msg_size=100)
        tried = self.attempt(self.url, runner=("--repeat", "3"))
        self.assertEqual(len(tried.verdicts), 3)
        self.assertEqual(tried.log.count("connected to"), 1)


if __name__ == "__main__":
    rig.main()
