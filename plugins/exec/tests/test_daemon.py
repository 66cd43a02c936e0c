"""exec in a real daemon: ends of all kinds, repeats and reloads."""

import os
import pathlib
import re
import signal

import pegboard
import rig
from pegboard import CRASH, DONE, FAIL, RETRY, event, id_of, section, wait_for
from rig import PLUGIN, is_alive


def parent_of(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rsplit(")", 1)[1].split()[1])


class DaemonCase(rig.Rig, pegboard.TestCase):

    def exec_section(self, command, *keys, name="hand", **options):
        return section(name, PLUGIN, f"env.EXEC_TEST = {self.mark}",
                       f"env.FOLDER = {self.folder}", "retry = 10ms..10ms",
                       *keys, command=command, **options)

    def serve(self, *args, **kwargs):
        return self.daemon(self.exec_section(*args, **kwargs))

    # In a session of its own is its second child.
    FAMILY = """\
        import subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pids = [os.getpid()] + [
            subprocess.Popen(["sleep", "1000"], start_new_session=new).pid
            for new in (False, True)]
        print(*pids, file=open(os.environ["FOLDER"] + "/pids", "a"))
        """


class Ends(DaemonCase):

    def busy(self):
        """A daemon with a handler at work that has children; all pids."""
        daemon = self.serve(self.lines(self.FAMILY + "time.sleep(1000)\n"),
                            mode="lines")
        runner = daemon.wait_runner("hand")
        daemon.post()
        pids = self.pids(3)
        self.assertTrue(all(map(is_alive, pids)))
        return daemon, runner

    def idle(self):
        daemon = self.serve(self.lines(self.FAMILY + "verdict('done')\n"),
                            mode="lines")
        runner = daemon.wait_runner("hand")
        daemon.post()
        daemon.wait_finished()
        self.assertTrue(all(map(is_alive, self.pids(3))))
        return daemon, runner

    def check_all_gone(self):
        pids = self.pids(3)
        wait_for(lambda: not any(map(is_alive, pids)), f"{pids} to end")
        self.check_nothing_left()

    def test_runner_killed_at_work(self):
        _, runner = self.busy()
        pids = self.pids(3)[:3]  # more come: the event is handed out again
        os.kill(runner, signal.SIGKILL)
        wait_for(lambda: not any(map(is_alive, pids)), f"{pids} to end")

    def test_keeper_killed_at_work(self):
        daemon, runner = self.busy()
        pids = self.pids(3)[:3]
        os.kill(parent_of(pids[0]), signal.SIGKILL)
        wait_for(lambda: not any(map(is_alive, pids)), f"{pids} to end")
        wait_for(daemon.attempts, "the verdict")
        self.assertEqual(daemon.attempts()[0],
                         (1, RETRY, "it ended: killed, nobody saw how"))
        self.assertEqual(daemon.runners("hand"), [runner])

    def test_keeper_killed_while_idle(self):
        """The handler ends at once, what it started with the next event."""
        daemon, runner = self.idle()
        pids = self.pids(3)
        os.kill(parent_of(pids[0]), signal.SIGKILL)
        wait_for(lambda: not is_alive(pids[0]), "the handler to end")
        daemon.post()
        daemon.wait_finished()
        self.assertFalse(any(map(is_alive, pids)))
        self.assertEqual([row[:2] for row in daemon.attempts()],
                         [(1, DONE)] * 2)
        self.assertEqual(daemon.runners("hand"), [runner])

    def test_runner_killed_while_idle(self):
        daemon, runner = self.idle()
        pids = self.pids(3)
        os.kill(runner, signal.SIGKILL)
        wait_for(lambda: not any(map(is_alive, pids)), f"{pids} to end")
        daemon.wait_runner("hand", 2)

    def test_daemon_killed(self):
        daemon, _ = self.busy()
        daemon.kill()
        self.check_all_gone()

    def test_daemon_and_runner_killed(self):
        daemon, runner = self.busy()
        daemon.process.send_signal(signal.SIGSTOP)
        os.kill(runner, signal.SIGKILL)
        daemon.kill()
        self.check_all_gone()

    def test_sandbox_that_hides_proc(self):
        """Its group is ended all the same."""
        # What it may run stands in /usr, and what it may write nowhere.
        daemon = self.serve("sleep 1000 & echo $!",
                            "sandbox = files", shell="yes")
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        [(n, outcome, pid)] = daemon.attempts(body)
        self.assertEqual((n, outcome), (1, DONE))
        wait_for(lambda: not is_alive(int(pid)), "its child to end")

    def test_daemon_stopped(self):
        daemon, _ = self.idle()
        self.assertEqual(daemon.stop(), 0)
        self.check_all_gone()

    def test_oneshot_and_daemon_killed(self):
        daemon = self.serve(self.script("""\
            trap '' TERM
            echo $$ >> "$FOLDER/pids"
            sh -c 'echo $$ >> "$FOLDER/pids"; sleep 1000; :' &
            setsid sh -c 'echo $$ >> "$FOLDER/pids"; sleep 1000; :' &
            wait
            """))
        daemon.post()
        pids = self.pids(3)
        self.assertTrue(all(map(is_alive, pids)))
        daemon.kill()
        self.check_all_gone()


class Attempts(DaemonCase):

    def test_slow_handler_costs_an_attempt_and_no_runner(self):
        for mode, handler in (
                ("oneshot", self.script(
                    "trap '' TERM; sleep 1000; sleep 1000", name="oneshot")),
                ("lines", self.lines("""\
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    time.sleep(1000)
                    """, name="lines"))):
            with self.subTest(mode=mode):
                daemon = self.serve(handler, "timeout = 3s",
                                    "max_attempts = 2", mode=mode)
                runner = daemon.wait_runner("hand")
                body = event()
                daemon.post(body)
                wait_for(lambda: daemon.dead() == 1, "the dead letter")
                self.assertEqual([row[:2] for row in daemon.attempts(body)],
                                 [(1, RETRY), (2, RETRY)])
                self.assertEqual(daemon.runners("hand"), [runner])

    def test_second_attempt_has_the_same_key(self):
        daemon = self.serve(self.script("""\
            echo "$PEGBOARD_ATTEMPT $PEGBOARD_IDEMPOTENCY_KEY" \
                >> "$FOLDER/seen"
            echo "logged" >&2
            [ "$PEGBOARD_ATTEMPT" = 2 ] || exit 75
            """))
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        self.assertEqual((self.folder / "seen").read_text(),
                         "".join(f"{n} {id_of(body)}:hand\n" for n in (1, 2)))
        self.assertEqual([row[:2] for row in daemon.attempts(body)],
                         [(1, RETRY), (2, DONE)])
        daemon.wait_log(rf'plugin=hand event={id_of(body)}.* text="?logged')

    def test_runner_killed_between_effect_and_verdict(self):
        """The next one hands it out with the same key."""
        for mode, handler in (
                ("oneshot", self.script("""\
                    echo "$PEGBOARD_IDEMPOTENCY_KEY" >> "$FOLDER/oneshot.seen"
                    [ "$PEGBOARD_ATTEMPT" = 2 ] || sleep 1000
                    """, name="oneshot")),
                ("lines", self.lines("""\
                    print(message["key"], flush=True,
                          file=open(os.environ["FOLDER"] + "/lines.seen", "a"))
                    if message["attempt"] == 1:
                        time.sleep(1000)
                    verdict("done")
                    """, name="lines"))):
            with self.subTest(mode=mode):
                daemon = self.serve(handler, mode=mode)
                runner = daemon.wait_runner("hand")
                body = event()
                daemon.post(body)
                seen = self.folder / f"{mode}.seen"
                wait_for(lambda: seen.exists() and seen.read_text(),
                         "the effect")
                os.kill(runner, signal.SIGKILL)
                daemon.wait_finished()
                self.assertEqual(seen.read_text(), f"{id_of(body)}:hand\n" * 2)
                self.assertEqual([row[:2] for row in daemon.attempts(body)],
                                 [(1, CRASH), (2, DONE)])
                self.assertNotEqual(daemon.runners("hand"), [runner])

    def test_verdicts_are_kept(self):
        daemon = self.serve(self.lines("""\
            verdict(message["event"]["data"]["object"]["want"],
                    reason="\\u20ac\\n\\u0001\\"")
            """), mode="lines")
        body = event(obj={"id": "x", "want": "fail"})
        daemon.post(body)
        wait_for(lambda: daemon.dead() == 1, "the dead letter")
        self.assertEqual(daemon.attempts(body),
                         [(1, FAIL, "\u20ac\n\u0001\"")])

    def test_handler_gone_between_events_is_started_again(self):
        """At no attempt's cost."""
        for what in "sys.exit(4)", "os.close(1); time.sleep(1000)":
            with self.subTest(what=what):
                daemon = self.serve(self.lines(
                    f"verdict('done', reason=str(os.getpid())); {what}"),
                    mode="lines")
                pids = set()
                for _ in range(3):
                    body = event()
                    daemon.post(body)
                    daemon.wait_finished()
                    [(n, outcome, pid)] = daemon.attempts(body)
                    self.assertEqual((n, outcome), (1, DONE))
                    pids.add(pid)
                    stdout = pathlib.Path(f"/proc/{pid}/fd/1")
                    wait_for(lambda: not os.path.lexists(stdout),
                             "the handler to close it")
                self.assertEqual(len(pids), 3)
                daemon.wait_log("another is started")

    def test_many_events_and_four_handlers(self):
        daemon = self.serve(self.lines("""\
            file = open(os.environ["FOLDER"] + f"/done-{os.getpid()}", "a")
            print(message["id"], file=file, flush=True)
            verdict("done")
            """), "concurrency = 4", mode="lines")
        bodies = [event() for _ in range(400)]
        daemon.post_all(bodies)
        daemon.wait_finished()
        seen = [id for path in self.folder.glob("done-*")
                for id in path.read_text().split()]
        self.assertEqual(sorted(seen), sorted(map(id_of, bodies)))


class Reloads(DaemonCase):

    def test_handler_that_does_not_start_refuses_the_reload(self):
        daemon = self.serve("true")
        daemon.wait_runner("hand")
        daemon.write_ini(self.exec_section(self.lines(
            "pass", 'say(ready=False, reason="no database")'), mode="lines"))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_log(r'detail="plugin \\"hand\\": init\(\) returned -1: the '
                        'handler does not start: it is not ready: no database"'
                        r'\n.*msg="reload refused"')
        body = event()
        daemon.post(body)
        daemon.wait_finished()
        self.assertEqual(daemon.attempts(body), [(1, DONE, None)])
        for command, why in (("./gone", "cannot run ./gone: No such file"),
                             ("'a", "command has a ' without")):
            daemon.write_ini(self.exec_section(command))
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_log(rf'detail=.*{why}.*\n.*msg="reload refused"')

    def test_reload_puts_another_handler_in_its_place(self):
        def handler(name):
            return self.lines(f"verdict('done', reason='{name}')", name=name)
        daemon = self.serve(handler("first"), mode="lines")
        daemon.wait_runner("hand")
        for name in ("first", "second"):
            daemon.write_ini(self.exec_section(handler(name), mode="lines"))
            daemon.process.send_signal(signal.SIGHUP)
            wait_for(lambda: len(re.findall('msg="reloaded"', daemon.log())) >=
                     ("first", "second").index(name) + 1, "the reload")
            body = event()
            daemon.post(body)
            daemon.wait_finished()
            self.assertEqual(daemon.attempts(body), [(1, DONE, name)])
        daemon.stop()
        self.check_nothing_left()


if __name__ == "__main__":
    pegboard.main()
