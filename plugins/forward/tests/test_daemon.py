"""A real daemon that forwards to a real receiver."""

import itertools
import json
import os
import signal
import threading
import time

import faults
import pegboard
import receiver
from authority import Authority
from faults import WAITING
from pegboard import (CRASH, DONE, FAIL, RETRY, event, id_of, section, sign,
                      wait_for)
from receiver import SECRET, Receiver, Reply, verifies


class Forwards(receiver.TestCase, faults.TestCase):

    def serve(self, *keys, **options):
        return self.daemon(section("forward", receiver.PLUGIN, *keys,
                                   **options))

    def test_the_bytes_and_the_signature_that_stripe_sent(self):
        server = self.receiver()
        daemon = self.serve(url=server.url)
        body = b"  " + event().replace(b"\n", b"\r\n") + b"\n"
        # Two secrets and a scheme of the future, as Stripe may send them.
        header = sign(body) + f",v1={'0' * 64},v2=x"
        self.assertEqual(daemon.post(body, signature=header).status, 200)
        daemon.wait_finished()
        request, = server.requests
        self.assertEqual(request.body, body)
        self.assertEqual(request.headers.get_all("Stripe-Signature"), [header])
        self.assertEqual(request.headers["Idempotency-Key"],
                         f"{id_of(body)}:forward")

    def test_a_signature_of_its_own(self):
        server = self.receiver()
        secret = "file:receiver.secret"
        daemon = self.daemon(start=False)
        (daemon.folder / "receiver.secret").write_text(SECRET + "\n")
        (daemon.folder / "receiver.secret").chmod(0o600)
        daemon.write_ini(section("forward", receiver.PLUGIN, url=server.url,
                                 signature="own", secret=secret))
        daemon.start()
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        request, = server.requests
        self.assertTrue(verifies(request.body,
                                 request.headers["Stripe-Signature"]))
        self.assertEqual(request.body, body)
        self.assertNotIn(SECRET, daemon.log())

    def test_a_secret_that_is_changed(self):
        """Old, both, new: without a restart, and with a refused one between.
        What waits is signed with what holds when it goes."""
        new, other = "whsec_the_new_one", "whsec_of_nobody"
        is_up = threading.Event()
        server = self.receiver(
            lambda request: Reply(200 if is_up.is_set() else 500))
        daemon = self.daemon(start=False)
        file = daemon.folder / "receiver.secret"

        def rotate(*secrets):
            file.write_text(",".join(secrets))
            file.chmod(0o600)

        def signed_by():
            """The secrets that the newest request is signed with."""
            request = server.requests[-1]
            header = request.headers["Stripe-Signature"]
            return [secret for secret in (SECRET, new, other)
                    if verifies(request.body, header, secret)]

        rotate(SECRET)
        daemon.write_ini(section(
            "forward", receiver.PLUGIN, "retry = 10ms..10ms",
            "max_attempts = 1000", url=server.url, signature="own",
            secret=f"file:{file}"))
        daemon.start()
        daemon.post()
        wait_for(lambda: server.requests, "the first attempt")
        self.assertEqual(signed_by(), [SECRET])
        for secrets, exits in (((new, SECRET), 0),
                               ((other, new, SECRET), 3)):
            rotate(*secrets)
            done = pegboard.command("reload", "-c", daemon.ini)
            self.assertEqual(done.returncode, exits, done.stderr)
            self.assertNotIn("whsec", done.stdout + done.stderr)
            count = len(server.requests)
            wait_for(lambda: server.requests[count:], "another attempt")
            self.assertEqual(signed_by(), [SECRET, new])
        rotate(new)
        pegboard.command("reload", "-c", daemon.ini)
        is_up.set()
        daemon.wait_finished()
        daemon.post()
        daemon.wait_finished()
        self.assertEqual(signed_by(), [new])
        self.assertNotIn("whsec", daemon.log())

    def test_a_url_that_is_changed_is_not_told(self):
        """A token may stand in it."""
        server = self.receiver(
            lambda request: Reply(500 if "_old" in request.path else 200))
        daemon = self.daemon(start=False)
        for name in "old", "new":
            url = f"http://127.0.0.1:{server.port}/hook?token=x_{name}"
            daemon.write_ini(section("forward", receiver.PLUGIN,
                                     "retry = 10ms..10ms",
                                     "max_attempts = 1000", url=url))
            if name == "old":
                daemon.start()
                daemon.post()
                wait_for(lambda: server.requests, "the first attempt")
        done = pegboard.command("reload", "-c", daemon.ini)
        self.assertEqual(done.returncode, 0, done.stderr)
        daemon.wait_finished()
        self.assertEqual(server.requests[-1].path, "/hook?token=x_new")
        self.assertNotRegex(done.stdout + done.stderr + daemon.log(),
                            "x_(old|new)")

    def test_many_events_go_over_one_connection(self):
        server = self.receiver()
        daemon = self.serve(url=server.url)
        bodies = [event() for _ in range(200)]
        daemon.post_all(bodies)
        daemon.wait_finished()
        self.assertEqual(server.connections, 1)
        self.assertEqual(sorted(r.body for r in server.requests),
                         sorted(bodies))
        server.cut_all()  # it was idle
        daemon.post(event())
        daemon.wait_finished()
        self.assertEqual(server.connections, 2)
        self.check_each_done_once(daemon, bodies)

    def test_a_receiver_that_is_down_for_a_while(self):
        """All arrive, and those of one object in their order."""
        port = self.silent_port()
        daemon = self.serve("retry = 100ms..300ms", "max_attempts = 1000",
                            "order = strict", "concurrency = 3",
                            url=f"http://127.0.0.1:{port}/hook")
        bodies = [event("customer.updated", obj={
            "id": f"cus_{n % 4}", "object": "customer", "n": n})
            for n in range(40)]
        for body in bodies[:20]:
            daemon.post(body)
        wait_for(lambda: [a for a in self.attempts(daemon)
                          if a.outcome == RETRY], "attempts that fail")
        lock, count, taken = threading.Lock(), itertools.count(), []

        def answer(request):
            """The first time it is up, it is not well."""
            with lock:
                if next(count) < 10:
                    return Reply(500)
                taken.append(json.loads(request.body)["data"]["object"])
                return Reply(200)

        server = Receiver(answer, port=port)
        wait_for(lambda: len(taken) > 2, "some to arrive")
        server.close()
        for body in bodies[20:]:
            daemon.post(body)
        self.receiver(answer, port=port)
        daemon.wait_finished()
        self.assertEqual(daemon.dead(), 0)
        self.check_each_done_once(daemon, bodies, not_counted=[RETRY])
        seen = {}
        for thing in taken:
            numbers = seen.setdefault(thing["id"], [])
            if numbers[-1:] != [thing["n"]]:  # its answer was lost
                numbers.append(thing["n"])
        self.assertEqual(seen, {
            f"cus_{n}": list(range(n, 40, 4)) for n in range(4)})

    def test_410_makes_a_dead_letter(self):
        server = self.receiver(lambda request: Reply(410, (), b"moved away"))
        daemon = self.serve("retry = 10ms..10ms", url=server.url)
        body = event()
        daemon.post(body)
        wait_for(lambda: daemon.dead() == 1, "it to be dead")
        attempt, = self.attempts(daemon, body)
        self.assertEqual((attempt.outcome, attempt.note),
                         (FAIL, "HTTP 410: moved away"))

    def test_retry_after_is_obeyed(self):
        times = []

        def answer(request):
            times.append(time.monotonic())
            return Reply(200) if times[1:] else Reply(
                503, [("Retry-After", "1")])

        server = self.receiver(answer)
        daemon = self.serve("retry = 10ms..10ms", url=server.url)
        daemon.post()
        daemon.wait_finished()
        self.assertGreaterEqual(times[1] - times[0], 1.0)

    def test_the_same_key_at_every_attempt(self):
        server = self.receiver(
            lambda request: Reply(200 if len(server.requests) > 2 else 500))
        daemon = self.serve("retry = 10ms..10ms", url=server.url)
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        self.assertEqual([(r.headers["Idempotency-Key"],
                           r.headers["Pegboard-Attempt"])
                          for r in server.requests],
                         [(f"{id_of(body)}:forward", str(n))
                          for n in (1, 2, 3)])

    def test_a_runner_killed_between_effect_and_verdict(self):
        """Another one posts it again, under the same key."""
        def answer(request):
            if len(server.requests) == 1:
                os.kill(first, signal.SIGKILL)
                wait_for(lambda: first not in daemon.runners("forward"),
                         "the runner to be gone")
            return Reply(200)

        server = self.receiver(answer)
        daemon = self.serve("retry = 10ms..10ms", url=server.url)
        first = daemon.wait_runner("forward")
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        self.assertEqual([(r.body, r.headers["Idempotency-Key"],
                           r.headers["Pegboard-Attempt"])
                          for r in server.requests],
                         [(body, f"{id_of(body)}:forward", number)
                          for number in ("1", "2")])
        self.assertEqual([a.outcome for a in self.attempts(daemon, body)],
                         [CRASH, DONE])
        self.assertNotEqual(daemon.wait_runner("forward", 2), first)

    def test_the_sandbox_for_files(self):
        """Over TLS, by a name, with one port allowed and a CA in data_dir."""
        daemon = self.daemon(start=False)
        data = daemon.folder / "data"
        data.mkdir(mode=0o700)
        authority = Authority(data, "ours")
        server = self.receiver(
            context=authority.context("here", "DNS:localhost"))
        daemon.write_ini(section(
            "forward", receiver.PLUGIN, "sandbox = files",
            f"data_dir = {data}", f"tcp_connect = {server.port}",
            url=f"https://localhost:{server.port}/",
            ca_file=authority.file))
        daemon.start()
        daemon.post()
        daemon.wait_finished()
        self.assertEqual(len(server.requests), 1)
        self.assertEqual(daemon.dead(), 0)

    def test_a_slow_receiver_costs_no_runner(self):
        """The attempt ends before the daemon would end the process."""
        def slow(handler):
            time.sleep(3)

        server = self.receiver(lambda request: slow)
        daemon = self.serve("timeout = 1s", "retry = 1h..1h", url=server.url)
        pid = daemon.wait_runner("forward")
        body = event()
        daemon.post(body)
        wait_for(lambda: self.delivery(daemon, body).state == WAITING,
                 "the attempt to end")
        attempt, = self.attempts(daemon, body)
        self.assertEqual(attempt.outcome, RETRY)
        self.assertRegex(attempt.note, "no answer in time")
        self.assertEqual(daemon.runners("forward"), [pid])

    def test_bytes_in_an_answer_that_are_no_text(self):
        server = self.receiver(
            lambda request: Reply(500, (), b"\xff\xfe\0\x80\"\\ no"))
        daemon = self.serve("retry = 1h..1h", url=server.url)
        body = event()
        daemon.post(body)
        wait_for(lambda: self.delivery(daemon, body).state == WAITING,
                 "the attempt to end")
        shown = self.api(daemon, "GET", f"/events/{id_of(body)}")
        self.assertIn("HTTP 500", json.dumps(shown))

    def test_check_does_not_need_the_receiver(self):
        daemon = self.daemon(section(
            "forward", receiver.PLUGIN,
            url=f"https://127.0.0.1:{self.silent_port()}/"), start=False)
        said = pegboard.command("check", "-c", daemon.ini)
        self.assertEqual(said.returncode, 0, said.stderr)

    def test_check_tells_what_is_wrong(self):
        daemon = self.daemon(section("forward", receiver.PLUGIN,
                                     url="http://shop.example/"), start=False)
        said = pegboard.command("check", "-c", daemon.ini)
        self.assertNotEqual(said.returncode, 0)
        self.assertIn("write https://shop.example", said.stdout + said.stderr)


if __name__ == "__main__":
    pegboard.main()
