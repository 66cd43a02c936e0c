"""The peer is at fault; publish.so has an answer, and in time."""

import rig
import server
import wires
from rig import SLACK_S, changed

INFO = (b'INFO {"server_id":"x","version":"2.9.10","proto":1,"headers":true,'
        b'"max_payload":67108864,"tls_required":%s}\r\n')


class Faults(rig.TestCase):
    def assertInTime(self, tried, limit_s):
        self.assertLess(tried.took_s, limit_s + SLACK_S, tried.verdicts)

    def test_refused(self):
        tried = self.attempt(f"nats://127.0.0.1:{server.free_port()}",
                             timeout="50s")
        self.assertRegex(tried.verdict, r"^retry: cannot connect to \S+: ")
        self.assertInTime(tried, 0)

    def test_reset(self):
        for peer in (self.mute(reset=True),
                     self.mute(INFO % b"false", reset=True),
                     self.mute(INFO % b"false", pong=True, reset=True)):
            tried = self.attempt(peer.url, timeout="25s",
                                 runner=("--repeat", "2"))
            for verdict in tried.verdicts:
                self.assertRegex(verdict, "^retry: ")
            self.assertInTime(tried, 0)
            self.assertEqual(len(peer.accepted), 2)

    def test_no_nats_at_all(self):
        for greeting in (b"SSH-2.0-OpenSSH_9\r\n", b"INFO {}\r\n", b"\0" * 4096,
                         b"INFO " + b"x" * 100000):
            tried = self.attempt(self.mute(greeting).url, timeout="1s")
            self.assertRegex(tried.verdict, "^retry: ")
            self.assertInTime(tried, 1)

    def test_another_server_of_the_list_is_there(self):
        nats = self.server()
        self.client(nats).add_stream("S", "stripe.>")
        mute = self.mute()
        tried = self.assertDone(
            f"nats://127.0.0.1:{server.free_port()},{mute.url},{nats.url}",
            timeout="3s")
        self.assertInTime(tried, 3)

    def test_silent(self):
        tried = self.attempt(self.mute().url, timeout="1s")
        self.assertRegex(tried.verdict, r"^retry: cannot connect to \S+: ")
        self.assertInTime(tried, 1)

    def test_the_time_that_is_left_counts_too(self):
        mute = self.mute()
        tried = self.attempt(mute.url, timeout="50s",
                             runner=("--timeout", "1000", "--repeat", "2"))
        for verdict in tried.verdicts:  # libnats itself gave up in time
            self.assertRegex(verdict, "^retry: cannot connect")
        self.assertInTime(tried, 2)
        tried = self.attempt(mute.url, runner=("--timeout", "100"))
        self.assertRegex(tried.verdict, "^retry: no time is left")

    def test_the_name_server_is_silent(self):
        """libnats waits for it as long as it likes."""
        tried = self.attempt("nats://nats.example:4222", timeout="500ms",
                             runner=("--repeat", "2"),
                             env=rig.SLOW_NAMES)
        self.assertRegex(tried.verdicts[0], "^retry: NATS does not answer: "
                         "neither its name server")
        self.assertRegex(tried.verdicts[1], "^retry: NATS does not answer: "
                         "still at the message before")
        self.assertInTime(tried, 1 + 1)  # and 1 s to end

    def test_hanging_while_it_connects(self):
        """libnats waits for that without a limit, too."""
        for scheme, tls in (("tls", b"true"), ("nats", b"false")):
            mute = self.mute(INFO % tls)
            tried = self.attempt(f"{scheme}://127.0.0.1:{mute.port}",
                                 timeout="500ms", runner=("--repeat", "5"))
            for verdict in tried.verdicts:
                self.assertRegex(verdict, "^retry: NATS does not answer: "
                                 "neither")
            self.assertInTime(tried, 5 * 0.5)
            self.assertEqual(len(mute.accepted), 5, "none is waited for twice")

    def test_one_that_hangs_does_not_get_every_message(self):
        nats = self.server()
        self.client(nats).add_stream("S", "stripe.>")
        mute = self.mute(INFO % b"false")
        tried = self.attempt(f"{mute.url},{nats.url}", timeout="500ms",
                             runner=("--repeat", "2"))
        self.assertRegex(tried.verdicts[0], "^retry: NATS does not answer")
        self.assertEqual(tried.verdicts[1], "done")
        self.assertEqual(len(mute.accepted), 1)

    def test_all_of_them_hang(self):
        """When the time is up none of the others is tried."""
        mutes = [self.mute(INFO % b"false") for _ in range(4)]
        tried = self.attempt(",".join(mute.url for mute in mutes),
                             timeout="500ms", runner=("--repeat", "4"))
        for verdict in tried.verdicts:
            self.assertRegex(verdict, "^retry: NATS does not answer: neither")
        self.assertEqual([len(mute.accepted) for mute in mutes], [1] * 4)

    def test_a_peer_that_stops_reading(self):
        mute = self.mute(INFO % b"false", pong=True)
        event, thrice = changed(filler="x" * (12 << 20)), ("--repeat", "3")
        idle = self.attempt(f"nats://127.0.0.1:{server.free_port()}", event,
                            runner=thrice)  # what the runner itself needs
        tried = self.attempt(mute.url, event, timeout="1s", runner=thrice)
        self.assertEqual(len(tried.verdicts), 3)
        for verdict in tried.verdicts:
            self.assertRegex(verdict, "^retry: ")
        self.assertInTime(tried, 3 + 1 + idle.took_s)
        self.assertIn("connected to", tried.log)
        self.assertGreater(len(mute.accepted), 1, "sending was given up")


class Acknowledgements(rig.TestCase):
    """Somebody gets the message who is no stream."""

    def setUp(self):
        self.nats = self.server()
        self.serving = self.client(self.nats)

    def service(self, answer):
        return wires.Service(self.serving, "stripe.>", answer)

    def test_none_comes(self):
        service = self.service(lambda *_: None)
        tried = self.attempt(self.nats.url, timeout="1s")
        self.assertRegex(tried.verdict, "^retry: no answer to stripe.*: Timeout")
        self.assertLess(tried.took_s, 1 + SLACK_S)
        self.assertEqual(len(service.messages), 1, "it got the message")

    def test_what_comes_is_none(self):
        answers = [b"", b"+OK", b"{}", b"null", b"[]", b'{"stream":""}', b"\0",
                   b'{"seq":1}', b'{"stream":1,"seq":1}', b"{" * 100000,
                   b'{"error":{"code":503,"err_code":10077,'
                   b'"description":"no space left on device"}}',
                   b'{"stream":"S","seq":1,"error":{"code":500}}']
        service = self.service(lambda self, _: answers[len(self.messages) - 1])
        tried = self.attempt(self.nats.url, timeout="5s",
                             runner=("--repeat", str(len(answers))))
        self.assertEqual(len(service.messages), len(answers))
        for answer, verdict in zip(answers, tried.verdicts):
            self.assertRegex(verdict, "^retry: ", answer)
        self.assertIn("no space left on device (10077)", tried.verdicts[-2])

    def test_one_for_another_message_comes(self):
        ack = b'{"stream":"S","seq":1}'

        def answer(service, message):
            """To all the others: those before, and one that was not sent."""
            last = message.reply[:-1] + ("x" if message.reply[-1] == "y" else "y")
            for other in [m.reply for m in service.messages[:-1]] + [last]:
                service.client.publish(other, ack)

        service = self.service(answer)
        tried = self.attempt(self.nats.url, timeout="1s",
                             runner=("--repeat", "2"))
        for verdict in tried.verdicts:
            self.assertRegex(verdict, "^retry: no answer to stripe.*: Timeout")
        self.assertEqual(len(service.messages), 2)


if __name__ == "__main__":
    rig.main()
