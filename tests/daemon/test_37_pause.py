"""A plugin that is paused, or gone from the ini, keeps what it is owed; and
whose events are not for it never gets them."""

import time

import faults
import pegboard
from faults import READY
from pegboard import RETRY, Ledger, command, event, id_of, section, wait_for


def live(**kwargs):
    return event(livemode=True, **kwargs)


class TestCase(faults.TestCase):

    def two(self, *keys, **kwargs):
        """A daemon with the plugins "a" and "b", which write ledgers."""
        daemon = self.daemon(start=False, **kwargs)
        self.a, self.b = (Ledger(daemon.folder / name) for name in "ab")
        self.both = (self.a.section("a", *keys), self.b.section("b", *keys))
        daemon.write_ini("".join(self.both))
        return daemon.start()

    def wait_ids(self, ledger, bodies):
        """It has handled these, each once, and no others."""
        wanted = sorted(map(id_of, bodies))
        wait_for(lambda: sorted(ledger.ids()) == wanted, "its deliveries")

    def state(self, daemon, plugin):
        return self.api(daemon, "GET", f"/plugins/{plugin}")["state"]


class Pause(TestCase):

    def pause(self, daemon, plugin, **members):
        answer = self.api(daemon, "POST", f"/plugins/{plugin}/pause",
                          {"reason": "a test", **members})
        self.assertEqual(answer["state"], "paused")
        daemon.wait_log(f'msg="plugin is paused" plugin={plugin}')
        return answer

    def resume(self, daemon, plugin):
        self.api(daemon, "POST", f"/plugins/{plugin}/resume", {})

    def check_held(self, daemon, count):
        """So many are owed to "a", and none has been tried."""
        owed = self.deliveries(daemon, "a")
        self.assertEqual(len(owed), count)
        self.assertEqual({(row.state, row.attempt) for row in owed},
                         {(READY, 0)})
        self.assertEqual(self.a.ids(), [])

    def test_it_runs_nothing_and_the_other_plugin_does(self):
        daemon = self.two()
        self.pause(daemon, "a")
        bodies = [event() for _ in range(50)]
        self.post_all(daemon, bodies)
        self.wait_ids(self.b, bodies)
        self.check_held(daemon, 50)
        self.assertEqual(daemon.request("GET", "/readyz").status, 200)
        self.resume(daemon, "a")
        self.wait_ids(self.a, bodies)
        daemon.wait_finished()
        self.check_each_done_once(daemon, bodies, "a")

    def test_it_survives_a_stop_and_a_kill(self):
        daemon = self.two()
        self.pause(daemon, "a")
        bodies = []
        for end in daemon.stop, daemon.kill:
            bodies.append(event())
            self.post_all(daemon, bodies[-1:])
            end()
            daemon.start()
            daemon.wait_runner("a")
            bodies.append(event())
            self.post_all(daemon, bodies[-1:])
            # Twice, if the kill came between its effect and its verdict.
            wait_for(lambda: set(self.b.ids()) == set(map(id_of, bodies)),
                     "the other plugin's deliveries")
            self.check_held(daemon, len(bodies))
            shown = self.api(daemon, "GET", "/plugins/a")
            self.assertEqual(shown["state"], "paused")
            self.assertEqual(shown["paused"]["reason"], "a test")
        self.resume(daemon, "a")
        self.wait_ids(self.a, bodies)
        self.assertEqual(self.state(daemon, "a"), "running")

    def test_an_event_in_work_ends_and_no_other_begins(self):
        daemon = self.daemon(start=False)
        self.a = Ledger(daemon.folder / "a")
        daemon.write_ini(self.a.section("a", sleep_ms=300))
        daemon.start()
        bodies = [event() for _ in range(5)]
        self.post_all(daemon, bodies, senders=1)
        wait_for(lambda: self.a.begun(), "the first to begin")
        self.pause(daemon, "a")
        begun = self.a.begun()
        self.wait_ids(self.a, bodies[:len(begun)])
        # What was at hand is given back as if it had never been claimed.
        wait_for(lambda: {(row.state, row.attempt) for row in self.deliveries(
            daemon)} == {(READY, 0)}, "the others to be ready")
        daemon.stop()
        self.assertEqual(self.a.begun(), begun)
        daemon.start()
        self.resume(daemon, "a")
        self.wait_ids(self.a, bodies)
        daemon.wait_finished()
        self.check_each_done_once(daemon, bodies)

    # -- its end -----------------------------------------------------------

    def check_end(self, daemon, body, end_s):
        """Handled, not before that monotonic time, and soon after it."""
        self.wait_ids(self.a, [body])
        late_s = self.a.runs()[0].begin_us / 1e6 - end_s
        self.assertGreaterEqual(late_s, -0.05)
        self.assertLess(late_s, 2)
        wait_for(lambda: self.state(daemon, "a") == "running",
                 "to be shown as running")

    def pause_for(self, daemon, seconds):
        """Returns the monotonic time of its end, at the earliest."""
        end_s = time.monotonic() + seconds
        self.pause(daemon, "a", for_seconds=seconds)
        return end_s

    def test_it_ends_by_itself(self):
        daemon = self.two()
        end_s = self.pause_for(daemon, 1)
        body = event()
        self.post_all(daemon, [body])
        self.check_end(daemon, body, end_s)

    def test_it_ends_by_itself_after_a_restart(self):
        daemon = self.two()
        end_s = self.pause_for(daemon, 2)
        body = event()
        self.post_all(daemon, [body])
        daemon.kill()
        daemon.start()
        self.check_end(daemon, body, end_s)

    def test_it_is_over_when_its_end_came_while_the_daemon_was_down(self):
        daemon = self.two()
        end_s = self.pause_for(daemon, 1)
        body = event()
        self.post_all(daemon, [body])
        daemon.stop()
        wait_for(lambda: time.monotonic() > end_s + 0.1, "its end")
        daemon.start()
        self.check_end(daemon, body, end_s)

    def test_by_the_command_line(self):
        daemon = self.two()
        result = command("plugins", "pause", "a", "--reason", "by hand",
                         "--for", "10m", "-c", daemon.ini)
        self.assertEqual(result.returncode, 0, result.stderr)
        body = event()
        self.post_all(daemon, [body])
        self.wait_ids(self.b, [body])
        self.check_held(daemon, 1)
        shown = self.api(daemon, "GET", "/plugins/a")["paused"]
        self.assertEqual(shown["reason"], "by hand")
        self.assertIsNotNone(shown["until"])
        result = command("plugins", "resume", "a", "-c", daemon.ini)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.wait_ids(self.a, [body])

    # -- age ---------------------------------------------------------------

    def retrying(self):
        """A daemon that tries an event again and again, for two seconds."""
        daemon = self.daemon(section(
            "a", "retry", "max_age = 2s", "max_attempts = 1000",
            "retry = 100ms..100ms", delay="100ms"))
        body = event()
        self.post_all(daemon, [body])
        wait_for(lambda: self.attempts(daemon, body), "the first attempt")
        return daemon, body

    def check_age(self, daemon, body, paused_ms):
        """It lived for two seconds, the pause not counted."""
        wait_for(lambda: daemon.dead() == 1, "it to be dead")
        times = [a.started_ms for a in self.attempts(daemon, body)
                 if a.outcome == RETRY]
        lived_ms = times[-1] - times[0] - paused_ms
        self.assertGreater(lived_ms, 1500)
        self.assertLess(lived_ms, 3000)

    def longest_gap(self, daemon, body):
        times = [a.started_ms for a in self.attempts(daemon, body)]
        return max(b - a for a, b in zip(times, times[1:]))

    def wait_ms(self, ms):
        end_s = time.monotonic() + ms / 1000
        wait_for(lambda: time.monotonic() > end_s, "time to pass")

    def test_without_a_pause_an_event_lives_for_max_age(self):
        daemon, body = self.retrying()
        self.check_age(daemon, body, 0)

    def test_time_in_a_pause_does_not_count(self):
        daemon, body = self.retrying()
        self.pause(daemon, "a")
        self.wait_ms(3000)
        self.resume(daemon, "a")
        self.check_age(daemon, body, 3000)
        self.assertGreater(self.longest_gap(daemon, body), 2800)

    def test_nor_does_it_across_restarts(self):
        daemon, body = self.retrying()
        self.pause(daemon, "a")
        for end in daemon.stop, daemon.kill:
            self.wait_ms(1500)
            end()
            daemon.start()
        self.resume(daemon, "a")
        self.check_age(daemon, body, 3000)

    def test_nor_does_a_pause_before_the_first_attempt(self):
        daemon = self.daemon(section(
            "a", "retry", "max_age = 2s", "max_attempts = 1000",
            "retry = 100ms..100ms", delay="100ms"))
        self.pause(daemon, "a")
        body = event()
        self.post_all(daemon, [body])
        self.wait_ms(2500)
        self.resume(daemon, "a")
        self.check_age(daemon, body, 0)


class Orphans(TestCase):

    def test_taken_out_of_the_ini_and_put_back(self):
        daemon = self.two()
        self.api(daemon, "POST", "/plugins/a/pause", {"reason": "a test"})
        bodies = [event() for _ in range(20)]
        self.post_all(daemon, bodies)
        self.wait_ids(self.b, bodies)
        self.assertEqual(daemon.stop(), 0)

        daemon.write_ini(self.both[1])
        daemon.start()
        more = event()
        self.post_all(daemon, [more])
        self.wait_ids(self.b, [*bodies, more])
        shown = self.api(daemon, "GET", "/plugins/a")
        self.assertEqual((shown["state"], shown["pending"]), ("orphaned", 20))
        listed = self.api(daemon, "GET", "/events?state=orphaned&limit=200")
        self.assertEqual({row["id"] for row in listed["data"]},
                         set(map(id_of, bodies)))
        one = self.api(daemon, "GET", f"/events/{id_of(bodies[0])}")
        self.assertEqual({row["plugin"]: row["state"]
                          for row in one["deliveries"]},
                         {"a": "orphaned", "b": "done"})
        self.assertEqual(len(self.deliveries(daemon, "a")), 20)
        self.assertEqual(daemon.stop(), 0)

        daemon.write_ini("".join(self.both))
        daemon.start()
        self.assertEqual(self.state(daemon, "a"), "paused")
        self.assertEqual(self.a.ids(), [])
        self.api(daemon, "POST", "/plugins/a/resume", {})
        self.wait_ids(self.a, bodies)
        daemon.wait_finished()
        listed = self.api(daemon, "GET", "/events?state=orphaned")
        self.assertEqual(listed["data"], [])

    def test_what_it_had_failed_waits_for_it_too(self):
        daemon = self.daemon(section("a", "retry", "retry = 1s..1s",
                                     delay="1s"))
        body = event()
        self.post_all(daemon, [body])
        wait_for(lambda: self.attempts(daemon, body), "the first attempt")
        daemon.stop()
        daemon.write_ini(section("b", "noop"))
        daemon.start()
        one = self.api(daemon, "GET", f"/events/{id_of(body)}")
        self.assertEqual([row["state"] for row in one["deliveries"]],
                         ["orphaned"])
        daemon.stop()
        daemon.write_ini(section("a", "noop"))
        daemon.start()
        daemon.wait_finished()
        self.assertEqual(daemon.dead(), 0)
        self.assertEqual(daemon.handlers(body), ["a"])


class Filters(TestCase):

    OTHER = "[endpoint other]\npath = /other\nsecrets = file:secret\n"

    def serve(self, *keys):
        daemon = self.daemon(start=False)
        self.a, self.b = (Ledger(daemon.folder / name) for name in "ab")
        daemon.write_ini(self.a.section("a", *keys) + self.b.section("b"),
                         endpoint=self.OTHER)
        return daemon.start()

    def replay(self, daemon, status=202, **members):
        """Deliver again what is not under way, and see the job end."""
        daemon.wait_finished()
        job = self.api(daemon, "POST", "/replays",
                       {"reason": "a test", "rate_per_second": 1000, **members},
                       status)
        if status == 202:
            wait_for(lambda: self.api(daemon, "GET", f"/jobs/{job['id']}")[
                "state"] != "running", "the job to end")
        return job

    def test_a_test_event_never_reaches_a_plugin_for_live_ones(self):
        daemon = self.serve("livemode = live")
        tests, lives = [event() for _ in range(3)], [live() for _ in range(3)]
        self.post_all(daemon, tests + lives)
        self.wait_ids(self.a, lives)
        self.wait_ids(self.b, tests + lives)

        # Not when it is asked for, by id or by all that there is.
        everything = {"filter": {"received_after": "2020-01-01T00:00:00Z"}}
        for asked in {"event_ids": list(map(id_of, tests))}, everything:
            dry = self.replay(daemon, 200, plugin="a", dry_run=True, **asked)
            self.assertEqual(dry["count"], 3 if asked is everything else 0)
            self.replay(daemon, plugin="a", **asked)
        self.wait_ids(self.a, lives + lives)
        self.replay(daemon, **everything)
        self.wait_ids(self.a, lives + lives + lives)
        self.wait_ids(self.b, (tests + lives) * 2)

    def test_not_even_when_it_had_it_before_it_was_for_live_ones_only(self):
        daemon = self.serve()
        tests, lives = [event()], [live()]
        self.post_all(daemon, tests + lives)
        self.wait_ids(self.a, tests + lives)
        daemon.wait_finished()
        daemon.stop()
        daemon.write_ini(self.a.section("a", "livemode = live") +
                         self.b.section("b"), endpoint=self.OTHER)
        daemon.start()
        self.replay(daemon, event_ids=[id_of(tests[0]), id_of(lives[0])])
        self.wait_ids(self.b, (tests + lives) * 2)
        self.wait_ids(self.a, tests + lives + lives)

    def test_nor_when_it_still_waited_for_it_then(self):
        daemon = self.serve()
        self.api(daemon, "POST", "/plugins/a/pause", {"reason": "a test"})
        tests, lives = [event()], [live()]
        self.post_all(daemon, tests + lives)
        self.wait_ids(self.b, tests + lives)
        daemon.stop()
        daemon.write_ini(self.a.section("a", "livemode = live") +
                         self.b.section("b"), endpoint=self.OTHER)
        daemon.start()
        self.api(daemon, "POST", "/plugins/a/resume", {})
        wait_for(lambda: id_of(lives[0]) in self.a.ids(), "the live one")
        # Had the other one been handed out, then before this one.
        self.assertEqual(self.a.ids(), [id_of(lives[0])])

    def test_events_of_other_endpoints_do_not_reach_it(self):
        daemon = self.serve("endpoints = other")
        here, there = event(), event()
        self.assertEqual(daemon.post(here).status, 200)
        self.assertEqual(daemon.post(there, path="/other").status, 200)
        self.wait_ids(self.b, [here, there])
        self.wait_ids(self.a, [there])
        self.replay(daemon, plugin="a",
                    event_ids=[id_of(here), id_of(there)])
        self.wait_ids(self.a, [there, there])
        # Arriving there as well, it does.
        self.assertEqual(daemon.post(here, path="/other").status, 200)
        self.wait_ids(self.a, [there, there, here])
        self.assertEqual(len(self.b.ids()), 2)


if __name__ == "__main__":
    pegboard.main()
