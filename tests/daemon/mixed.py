"""A daemon that is changed over and over, well and badly."""

import contextlib
import socket
import time

from commands import CONFIG, FAILED, OK
from locker import Locker
from pegboard import section
from reloads import free_port, put, version_of, with_file

EXITS = {"done": OK, "refused": CONFIG, "failed": FAILED}


class Mixed:
    """The plugin "kept" never changes, "rolled" does, "guest" comes and goes.
    Made in a test that has a `random`."""

    KEPT = 2  # runners
    MOST = 4  # of "rolled"

    def __init__(self, test):
        self.test, self.random = test, test.random
        self.server = test.daemon(start=False)
        folder = self.server.folder
        self.kept, self.rolled = (Locker(folder / name)
                                  for name in ("kept", "rolled"))
        self.so = folder / "rolled.so"
        self.version = 0
        self.retry_s, self.has_guest = 1, True
        self.writes, self.options = 0, {"max_ms": 1}
        self.set_concurrency(2)
        put(self.so, self.code())
        self.write()
        self.server.start()
        self.pids = test.pids(self.server, "kept", self.KEPT)
        # [when it began, when it ended, whether there was a guest]
        self.times = [[time.monotonic(), None, True]]

    # -- what the files say ------------------------------------------------

    def code(self):
        """Of a version that never was."""
        self.version += 1
        return version_of("locker", self.version)

    def write(self, more="", options=None, **kwargs):
        self.test.write_ini(
            self.server,
            self.kept.section("kept", f"retry = {self.retry_s}s..1h",
                              concurrency=self.KEPT, max_ms=2) +
            with_file(self.rolled.section("rolled", "order = strict",
                                          **(options or self.options)),
                      "locker", self.so) +
            (section("guest", "noop") if self.has_guest else "") + more,
            log="level = info\nformat = logfmt", **kwargs)

    def other_options(self):
        return dict(self.options, max_ms=(self.options["max_ms"] + 1) % 3)

    # -- good ones ---------------------------------------------------------

    def option(self):
        self.options = self.other_options()

    def set_concurrency(self, number):
        """Each time with a higher tag, for crowds()."""
        self.writes += 1
        self.options.update(concurrency=number, slots=self.MOST,
                            tag=f"{self.writes}/{number}")

    def concurrency(self):
        self.set_concurrency(self.random.choice(
            [number for number in range(1, self.MOST + 1)
             if number != self.options["concurrency"]]))

    def by_rename(self):
        put(self.so, self.code())

    def by_copy(self):
        self.so.write_bytes(self.code())

    def come_or_go(self):
        self.has_guest = not self.has_guest

    def limit(self):
        """Of the one that keeps its runners all the same."""
        self.retry_s = self.retry_s % 5 + 1

    def nothing(self):
        pass

    GOOD = option, concurrency, by_rename, by_copy, come_or_go, limit, nothing

    # -- bad ones: while the files are so, it ends like that -------------------

    @contextlib.contextmanager
    def broken_ini(self):
        self.write("[plugin other]\ntiemout = 5s\n")
        yield "refused"

    @contextlib.contextmanager
    def bad_plugin(self):
        self.write(section("other", "abi2"))
        yield "refused"

    @contextlib.contextmanager
    def bad_file(self):
        good = self.so.read_bytes()
        put(self.so, good[:len(good) // 2])
        yield "refused"
        put(self.so, good)

    @contextlib.contextmanager
    def failing_init(self):
        """Beside a good change, which has to be undone."""
        self.write(section("other", "init_fail"), self.other_options())
        yield "refused"

    @contextlib.contextmanager
    def taken_port(self):
        """Likewise."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.write(options=self.other_options(),
                       listen=f"127.0.0.1:0, 127.0.0.1:{port}")
            yield "refused"

    @contextlib.contextmanager
    def bad_disk(self):
        """Likewise, and beside a new listener: it is found at the COMMIT."""
        port, kept = free_port(), self.server.state / "generations"
        self.write(options=self.other_options(),
                   listen=f"127.0.0.1:0, 127.0.0.1:{port}")
        away = kept.rename(self.server.folder / "away")
        kept.symlink_to("/nowhere")
        yield "failed"
        kept.unlink()
        away.rename(kept)
        self.test.assertTrue(self.test.refuses(port))

    BAD = (broken_ini, bad_plugin, bad_file, failing_init, taken_port,
           bad_disk)

    # -- asking ------------------------------------------------------------

    def ask(self, result):
        """By signal or by command; it ends as it should."""
        if self.random.random() < 0.5:
            self.test.assertEqual(
                self.test.hup(self.server),
                "reloaded" if result == "done" else "reload refused")
        else:
            answer = self.test.reload(self.server, exits=EXITS[result])
            self.test.assertEqual(answer["result"], result)

    def apply(self):
        self.write()
        if self.has_guest == self.times[-1][2]:
            self.ask("done")
            return
        self.times[-1][1] = time.monotonic()
        self.ask("done")
        self.times.append([time.monotonic(), None, self.has_guest])

    def step(self):
        if self.random.random() < 0.7:
            self.random.choice(self.GOOD)(self)
            self.apply()
        else:
            with self.random.choice(self.BAD)(self) as result:
                self.ask(result)

    def settle(self):
        """As it was in the beginning but for the versions, of which the last
        two are of other bytes."""
        self.options["max_ms"], self.has_guest = 1, True
        self.set_concurrency(2)
        for _ in range(2):
            self.by_rename()
            self.apply()
        self.test.pids(self.server, "rolled", 2)
        self.test.check_no_others(self.server, self.KEPT + 3)

    def had_guest(self, begin_s, end_s):
        """Whether there was a guest between the two times; None when that
        changed or is not known."""
        return next((there for first, last, there in self.times if
                     first <= begin_s and (last is None or end_s <= last)),
                    None)

    def check_kept(self):
        """The one that never changed has the processes it began with."""
        self.test.assertEqual(
            self.test.pids(self.server, "kept", self.KEPT), self.pids)
        self.test.assertEqual(self.server.log_since_start().count(
            'msg="runner ready" plugin=kept '), self.KEPT)
