"""How publish.so logs in, whom it trusts, and which options it refuses."""

import rig
import server
from rig import changed
import nkeys


class Refusals(rig.TestCase):
    def assertSecret(self, tried, *secrets):
        for secret in secrets:
            self.assertNotIn(secret, "".join(tried.verdicts) + tried.log)

    def test_too_large_for_the_server(self):
        nats = self.server("max_payload: 4096")
        self.client(nats).add_stream("STRIPE", "stripe.>")
        self.assertDone(nats.url)
        tried = self.attempt(nats.url, changed(id="evt_2", filler="x" * 4000))
        self.assertRegex(tried.verdict,
                         "^fail: the event is too large for the server")

    def test_jetstream_is_off(self):
        nats = self.server(jetstream=False)
        self.assertRegex(self.attempt(nats.url).verdict,
                         "^retry: no stream takes .*, or JetStream is off")
        tried = self.attempt(nats.url, stream="S", create="yes")
        self.assertEqual(tried.verdict,
                         "retry: JetStream is off at that server: nobody creates S")

    def test_no_room_for_the_files_of_jetstream(self):
        nats = self.server(storage="max_file_store: 1024")
        self.client(nats).add_stream("S", "stripe.>")
        self.assertDone(nats.url, changed(filler="x" * 2000))
        tried = self.attempt(nats.url, changed(id="evt_2"))
        self.assertRegex(tried.verdict, r"^retry: JetStream refused stripe.*: "
                         r".*resources.* \(\d+\)")

    def test_token(self):
        nats = self.server('authorization { token: "s3cret" }')
        self.client(nats, auth_token="s3cret").add_stream("S", "stripe.>")
        self.assertSecret(self.assertDone(nats.url, token="s3cret"), "s3cret")
        for options in ({}, {"token": "wr0ng"},
                        {"user": "a", "password": "wr0ng"}):
            tried = self.attempt(nats.url, **options)
            self.assertRegex(tried.verdict, r"^retry: cannot connect to \S+: "
                             "Authorization Violation")
            self.assertSecret(tried, "wr0ng")

    def test_user_and_password(self):
        nats = self.server(
            "authorization { user: peg, password: s3cret }")
        login = {"user": "peg", "password": "s3cret"}
        self.client(nats, user="peg", **{"pass": "s3cret"}).add_stream(
            "S", "stripe.>")
        self.assertSecret(self.assertDone(nats.url, **login), "s3cret")
        tried = self.attempt(nats.url, user="peg", password="wr0ng")
        self.assertRegex(tried.verdict, "^retry: cannot connect")
        self.assertSecret(tried, "wr0ng")

    def test_credentials_are_read_at_each_connection(self):
        config, creds = nkeys.accounts(self.folder())
        nats = self.server(config)
        options = {"stream": "S", "create": "yes"}
        tried = self.assertDone(nats.url, credentials=creds, **options)
        seed = creds.read_text().splitlines()[5]
        self.assertTrue(seed.startswith("SU"), seed)
        self.assertSecret(tried, seed)
        self.assertRegex(self.attempt(nats.url, **options).verdict,
                         r"^retry: cannot connect to \S+: .*(?i:authorization)")
        creds.write_text(creds.read_text().replace(seed, "nothing"))
        tried = self.attempt(nats.url, credentials=creds, **options)
        self.assertRegex(tried.verdict, r"^retry: cannot connect to \S+: ")
        self.assertSecret(tried, creds.read_text().splitlines()[1])

    def test_user_who_may_not_publish_there(self):
        nats = self.server('''authorization { users: [
            {user: admin, password: a},
            {user: peg, password: b, permissions: {
                publish: ["stripe.>"], subscribe: ["_INBOX.>"]}}
            {user: deaf, password: c, permissions: {
                publish: ["stripe.>"], subscribe: ["x"]}}]}''')
        reader = self.client(nats, user="admin", **{"pass": "a"})
        reader.add_stream("S", "stripe.>", "other.>")
        login = {"user": "peg", "password": "b", "timeout": "1s"}
        self.assertDone(nats.url, stream="S", **login)
        tried = self.attempt(nats.url, subject="other.x", **login)
        self.assertRegex(tried.verdict, "^retry: no answer to other.x: Timeout: "
                         ".*Permissions Violation for Publish")
        tried = self.attempt(nats.url, changed(id="evt_2"), user="deaf",
                             password="c", timeout="1s")
        self.assertRegex(tried.verdict, "^retry: .*Permissions Violation for "
                         "Subscription")
        self.assertEqual(reader.ids("S"), [rig.EVENT_ID, "evt_2"])

    def test_what_a_user_needs(self):
        """As README says."""
        nats = self.server('''authorization { users: [
            {user: peg, password: b, permissions: {
                publish: ["stripe.>", "$JS.API.STREAM.CREATE.STRIPE"],
                subscribe: ["_INBOX.>"]}}]}''')
        self.assertDone(nats.url, user="peg", password="b", stream="STRIPE",
                        create="yes")


class Tls(rig.TestCase):
    def test_only_a_valid_certificate_will_do(self):
        nats, ca = self.tls_server()
        self.client(nats).add_stream("S", "stripe.>")
        self.assertDone(nats.url, ca=ca)
        tried = self.attempt(nats.url)  # not signed by anybody we know
        self.assertRegex(tried.verdict, "^retry: .*self-signed certificate")
        other, _ = server.certificate(self.folder(), "other")
        tried = self.attempt(nats.url, ca=other)
        self.assertRegex(tried.verdict, "^retry: cannot connect")
        tried = self.attempt(f"tls://localhost:{nats.port}", ca=ca)
        self.assertRegex(tried.verdict, "^retry: .*mismatch")

    def test_it_is_not_given_up_silently(self):
        nats = self.server()
        reader = self.client(nats)
        reader.add_stream("S", "stripe.>")
        tried = self.attempt(f"tls://127.0.0.1:{nats.port}")
        self.assertRegex(tried.verdict, r"^retry: cannot connect to \S+: ")
        self.assertEqual(reader.count("S"), 0)


class WrongOptions(rig.TestCase):
    def test_they_are_refused_without_a_server(self):
        url = "nats://127.0.0.1:1"
        for options, why in [
                ({"url": "http://a"}, "url: http://a begins neither"),
                ({"url": "a:4222"}, "url: a:4222 begins neither"),
                ({"url": "nats://u:hidden@a"}, "url: who logs in"),
                ({"url": "http://u:hidden@a"}, "url: who logs in"),
                ({"url": "nats://a,tls://b"}, "url: all with tls://, or none"),
                ({"url": "nats://"}, "url: nats:// stands for no host"),
                ({"url": "nats://:1"}, "url: nats://:1 stands for no host"),
                ({"url": "nats://a/b"}, "url: nats://a/b stands for no host"),
                ({"url": "nats://a:b"}, "url: nats://a:b has a port"),
                ({"url": "nats://a:0"}, "url: nats://a:0 has a port"),
                ({"url": "nats://a:65536"}, "url: nats://a:65536 has a port"),
                ({"url": "nats://[::1]:"}, "url: nats://[::1]: has a port"),
                ({"url": ","}, "url: there is none"),
                ({"url": ",".join([url] * 17)}, "url: more than 16"),
                ({"subject": ""}, "subject: it must have 1 to 255"),
                ({"subject": "a..b"}, "subject: it has an empty token"),
                ({"subject": "a.>"}, "subject: blanks, wildcards"),
                ({"subject": "a b"}, "subject: blanks, wildcards"),
                ({"subject": "a.{id}"}, "subject: of what stands in braces"),
                ({"message_id": "both"}, "message_id: it is either"),
                ({"create": "yes"}, "create: name the `stream`"),
                ({"create": "yes", "stream": "S", "subject": "{type}"},
                 "create: the stream would take every subject"),
                ({"create": "yes", "stream": "S", "window": "999ms"},
                 "window: at least 1000ms"),
                ({"token": "a", "user": "b", "password": "c"},
                 "credentials, token and user: only one"),
                ({"user": "b"}, "user and password: set both"),
                ({"credentials": "/nowhere"},
                 "credentials: /nowhere: No such file"),
                ({"ca": "/nowhere"}, "ca: /nowhere: No such file"),
                ({"ca": rig.EVENT}, "libnats does not take the options: "),
                ({"timeout": "499ms"}, "timeout: at least 500ms"),
        ]:
            tried = self.attempt(**{"url": url, **options})
            self.assertEqual(tried.status, 3, options)
            self.assertIn(f"error publish: {why}", tried.log)
            self.assertNotIn("hidden", tried.log)

    def test_right_ones_are_not(self):
        for options in ({"url": ",".join(["nats://127.0.0.1:1"] * 16)},
                        {"url": "nats://127.0.0.1:65535"},
                        {"url": "nats://[::1]:1"}, {"timeout": "500ms"},
                        {"subject": "x" * 255}, {"user": "b", "password": "c"}):
            tried = self.attempt(**{"url": "nats://127.0.0.1:1", **options})
            self.assertEqual(tried.status, 1, (options, tried.log))


if __name__ == "__main__":
    rig.main()
