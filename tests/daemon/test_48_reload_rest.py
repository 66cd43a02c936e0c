"""What is no plugin, at a reload: listeners, secrets, logs; and the way
back."""

import json
import signal
import socket

import pegboard
import reloads
from commands import CONFIG, REFUSED
from pegboard import event, id_of, section, sign, wait_for
from reloads import mark_of, put, version_of


class Listeners(reloads.TestCase):

    def url(self, port):
        return f"127.0.0.1:{port}"

    def post_at(self, daemon, port):
        body = event()
        daemon.port, first = port, daemon.port
        try:
            self.assertEqual(daemon.post(body).status, 200)
        finally:
            daemon.port = first

    def refuses(self, port):
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except ConnectionRefusedError:
            return True
        return False

    def test_one_comes_and_goes(self):
        port = reloads.free_port()
        daemon = self.serve(section("p", "noop"))
        pid = self.pid(daemon, "p")
        one = daemon.ini.read_text()
        self.write_ini(daemon, section("p", "noop"),
                       listen=f"127.0.0.1:0, {self.url(port)}")
        answer = self.reload(daemon)
        self.assertEqual(self.changes(answer), {("set", "server.listen")})
        self.post_at(daemon, port)
        self.post_at(daemon, daemon.port)
        daemon.ini.write_text(one)
        self.reload(daemon)
        wait_for(lambda: self.refuses(port), "it to be closed")
        self.post_at(daemon, daemon.port)
        self.assertEqual(self.pid(daemon, "p"), pid)

    def test_request_in_work_gets_its_answer(self):
        port = reloads.free_port()
        both = f"127.0.0.1:0, {self.url(port)}"
        daemon = self.serve(section("p", "noop"), listen=both)
        daemon.port, first = port, daemon.port
        wire = self.wire(daemon)
        daemon.port = first
        body = event()
        data = pegboard.post_bytes(body)
        wire.send(data[:-10])
        self.write_ini(daemon, section("p", "noop"))
        asked = self.in_background(daemon)
        wait_for(lambda: self.refuses(port), "it to be closed")
        self.assertEqual(wire.send(data[-10:]).answer().status, 200)
        asked.answer()
        self.assertIn(id_of(body), daemon.stored())

    def test_taken_port_refuses_all(self):
        daemon = self.serve(section("p", "noop"))
        pid = self.pid(daemon, "p")
        free = reloads.free_port()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = self.url(taken.getsockname()[1])
            self.write_ini(
                daemon, section("p", "noop", "env.A = 1"),
                listen=f"127.0.0.1:0, {self.url(free)}, {address}")
            answer = self.reload(daemon, exits=CONFIG)
        self.assertEqual(answer["result"], "refused")
        self.assertIn(address, answer["detail"])
        self.assertTrue(self.refuses(free))
        self.assertEqual(daemon.runners(), [pid])
        self.post_at(daemon, daemon.port)


class Secrets(reloads.TestCase):

    OLD, NEW = (f"whsec_{word}_of_the_endpoint_0123456789"
                for word in ("old", "new"))

    def write_secrets(self, daemon, *names):
        for name in "old", "new":
            path = daemon.folder / name
            path.write_text(getattr(self, name.upper()))
            path.chmod(0o600)
        self.write_ini(daemon, section("p", "noop"), secrets=", ".join(
            f"file:{name}" for name in names))

    def statuses(self, daemon):
        """Of posts signed with the old secret, and with the new one."""
        answers = []
        for secret in self.OLD, self.NEW:
            body = event()
            answers.append(daemon.post(body, signature=sign(
                body, secret)).status)
        return tuple(answers)

    def test_rotation(self):
        daemon = self.daemon(start=False)
        self.write_secrets(daemon, "old")
        daemon.start()
        self.assertEqual(self.statuses(daemon), (200, 400))
        for names, expected in ((("old", "new"), (200, 200)),
                                (("new",), (400, 200))):
            self.write_secrets(daemon, *names)
            answer = self.reload(daemon)
            self.assertEqual(self.changes(answer),
                             {("set", "endpoint main: secrets")})
            for secret in self.OLD, self.NEW:
                self.assertNotIn(secret, str(answer))
            self.assertEqual(self.statuses(daemon), expected)

    def test_same_file_with_another_secret(self):
        daemon = self.serve(section("p", "noop"))
        put(daemon.folder / "secret", self.NEW.encode()).chmod(0o600)
        self.assertEqual(self.hup(daemon), "reloaded")
        self.assertEqual(self.statuses(daemon), (400, 200))
        self.assertEqual(daemon.post().status, 400)
        self.assertNotIn(self.NEW, daemon.log())

    def test_rotation_under_load_fails_no_request(self):
        daemon = self.daemon(start=False)
        self.write_secrets(daemon, "old")
        daemon.start()
        statuses = []

        def post():
            body = event()
            statuses.append(daemon.post(body, signature=sign(
                body, self.OLD)).status)

        writers = [reloads.Writer(self, post) for _ in range(3)]
        for names in (("old", "new"), ("new", "old"), ("old",)) * 5:
            self.write_secrets(daemon, *names)
            self.reload(daemon)
        for writer in writers:
            writer.stop()
        self.assertEqual(set(statuses), {200})
        daemon.wait_finished()


class Logs(reloads.TestCase):

    def test_level_applies_at_once(self):
        daemon = self.serve(section("p", "noop"))
        pid = self.pid(daemon, "p")
        self.write_ini(daemon, section("p", "noop"),
                       log="level = error\nformat = logfmt")
        self.assertEqual(self.changes(self.reload(daemon)),
                         {("set", "log.level")})
        size = daemon.log_path.stat().st_size
        self.handled(daemon, "p")
        self.assertEqual(daemon.log_path.stat().st_size, size)
        self.write_ini(daemon, section("p", "noop"),
                       log="level = debug\nformat = json")
        self.reload(daemon)
        wait_for(lambda: '"msg":"reloaded"' in daemon.log(), "JSON lines")
        self.assertEqual(self.pid(daemon, "p"), pid)

    def test_file_is_opened_anew(self):
        daemon = self.serve(section("p", "noop"))
        pid = self.pid(daemon, "p")
        file = daemon.folder / "pegboard.log"
        log = f"level = debug\nformat = logfmt\nfile = {file}"
        self.write_ini(daemon, section("p", "noop"), log=log)
        self.reload(daemon)
        self.assertIn('msg="reloaded"', file.read_text())
        for number, says in ((signal.SIGHUP, 'msg="reloaded"'),
                             (signal.SIGUSR1, 'msg="state"')):
            with self.subTest(number):
                old = file.rename(file.with_suffix(f".{int(number)}"))
                daemon.process.send_signal(number)
                wait_for(lambda: file.exists() and says in file.read_text(),
                         f"{says} in the new file")
                size = old.stat().st_size
                self.handled(daemon, "p")
                self.assertEqual(old.stat().st_size, size)
                self.assertEqual(file.stat().st_mode & 0o137, 0)
        self.assertEqual(self.pid(daemon, "p"), pid)

    def test_file_that_cannot_be_opened_refuses(self):
        daemon = self.serve(section("p", "noop"))
        self.write_ini(daemon, section("p", "noop", "env.A = 1"),
                       log="level = debug\nformat = logfmt\n"
                           "file = /no/such/folder/log")
        pid = self.pid(daemon, "p")
        answer = self.reload(daemon, exits=CONFIG)
        self.assertEqual(answer["result"], "refused")
        self.assertIn("/no/such/folder/log", str(answer))
        self.assertEqual(self.pid(daemon, "p"), pid)
        self.handled(daemon, "p")


class Rollback(reloads.TestCase):

    def rollback(self, daemon, **kwargs):
        return json.loads(self.run_command(
            "rollback", "-c", daemon.ini, "--json", **kwargs))

    def versions(self):
        daemon = self.daemon(start=False)
        self.so = put(daemon.folder / "p.so", version_of("tells_pid", 1))
        self.write_ini(daemon, section("p", self.so))
        daemon.start()
        return daemon

    def test_the_first_generation_has_none_before_it(self):
        daemon = self.versions()
        self.rollback(daemon, exits=REFUSED)
        self.handled(daemon, "p")

    def test_file_and_code_of_before_serve_again(self):
        daemon = self.versions()
        first, second = (mark_of(version_of("tells_pid", n)) for n in (1, 2))
        self.assertEqual(self.handled(daemon, "p"), first)
        put(self.so, version_of("tells_pid", 2))
        self.write_ini(daemon, section("p", self.so, "env.A = 1") +
                       section("q", "noop"))
        number = self.reload(daemon)["generation"]
        self.assertEqual(self.handled(daemon, "p"), second)
        answer = self.rollback(daemon)
        self.assertEqual((answer["kind"], answer["result"]),
                         ("rollback", "done"))
        self.assertGreater(answer["generation"], number)
        self.assertEqual(self.changes(answer), {
            ("rolled", "plugin p"), ("removed", "plugin q")})
        self.assertEqual(self.handled(daemon, "p"), first)
        # Until somebody changes something a start serves the same.
        for end in daemon.stop, daemon.kill:
            end()
            daemon.start()
            self.assertEqual(self.handled(daemon, "p"), first)
        self.reload(daemon)
        self.assertEqual(self.handled(daemon, "p"), second)
        self.handled(daemon, "q")


if __name__ == "__main__":
    pegboard.main()
