"""A plugin that crashes whatever it is given costs no event an attempt, and
goes on where it was when a good version is there."""

import shutil

import faults
import pegboard
from faults import DEAD, counted
from pegboard import (CRASH, DEADLY, DONE, LOST, event, id_of, section,
                      wait_for)

QUICK = "retry = 10ms..50ms"
PENDING = 1000


class Broken(faults.TestCase):

    def check_nothing_lost(self, daemon, bodies):
        """All are owed, and none has an attempt that counts."""
        owed = self.deliveries(daemon)
        self.assertEqual({row.id for row in owed},
                         {id_of(body) for body in bodies})
        self.assertEqual([row for row in owed if row.state == DEAD], [])
        self.assertEqual([row for row in owed if counted(row) != 0], [])

    def wait_tries(self, daemon, count):
        wait_for(lambda: len(self.attempts(daemon)) >= count,
                 f"{count} tries, with pauses that grow")

    def replaced(self, concurrency):
        """A broken version, and then a good one in its place."""
        daemon = self.daemon(start=False)
        so = daemon.folder / "p.so"
        shutil.copy(pegboard.FAULTS / "crash.so", so)
        daemon.write_ini(section("p", so, QUICK, DEADLY,
                                 f"concurrency = {concurrency}"))
        daemon.start()
        bodies = [event() for _ in range(PENDING)]
        self.post_all(daemon, bodies)
        daemon.wait_log('level=error .*"plugin is broken" plugin=p')
        self.wait_tries(daemon, 5)
        self.check_nothing_lost(daemon, bodies)
        self.assertEqual(daemon.stop(), 0)
        self.check_nothing_lost(daemon, bodies)

        shutil.copy(pegboard.FAULTS / "noop.so", so)
        daemon.start()
        daemon.wait_finished()
        self.assertEqual(daemon.dead(), 0)
        self.check_each_done_once(daemon, bodies, not_counted={CRASH, LOST})

    def test_a_bad_version_costs_no_event_an_attempt(self):
        self.replaced(concurrency=1)

    def test_nor_does_it_with_three_runners(self):
        self.replaced(concurrency=3)

    def test_a_version_that_hangs_costs_no_event_an_attempt(self):
        daemon = self.daemon(section("p", "hang", QUICK, DEADLY,
                                     "timeout = 100ms"))
        bodies = [event() for _ in range(50)]
        self.post_all(daemon, bodies)
        daemon.wait_log('level=error .*"plugin is broken" plugin=p')
        self.wait_tries(daemon, 4)
        self.check_nothing_lost(daemon, bodies)

    def test_kill_of_the_daemon_while_broken_costs_nothing_either(self):
        daemon = self.daemon(section("p", "crash", QUICK, DEADLY))
        bodies = [event() for _ in range(50)]
        self.post_all(daemon, bodies)
        for _ in range(3):
            daemon.wait_log('level=error .*"plugin is broken" plugin=p')
            daemon.kill()
            daemon.start()
            self.check_nothing_lost(daemon, bodies)

    def test_one_success_closes_the_breaker(self):
        daemon = self.daemon(start=False)
        broken = daemon.folder / "broken"
        broken.touch()
        daemon.write_ini(section("p", "dies", QUICK, DEADLY,
                                 **{"while": broken}))
        daemon.start()
        bodies = [event() for _ in range(200)]
        self.post_all(daemon, bodies)
        daemon.wait_log('level=error .*"plugin is broken" plugin=p')
        self.wait_tries(daemon, 4)
        broken.unlink()
        daemon.wait_log('"plugin works again" plugin=p')
        daemon.wait_finished()
        self.assertEqual(daemon.dead(), 0)
        self.check_each_done_once(daemon, bodies, not_counted={CRASH})
        self.assertEqual(daemon.log().count('"plugin works again"'), 1)

    def test_another_plugin_does_not_notice(self):
        daemon = self.daemon(section("p", "crash", QUICK, DEADLY) +
                             section("good", "noop"))
        bodies = [event() for _ in range(100)]
        self.post_all(daemon, bodies)
        daemon.wait_log('level=error .*"plugin is broken" plugin=p')
        wait_for(lambda: len(self.attempts(daemon, plugin="good")) == 100,
                 "the good plugin to have all")
        self.assertEqual({a.outcome for a in self.attempts(
            daemon, plugin="good")}, {DONE})


if __name__ == "__main__":
    pegboard.main()
