"""A PostgreSQL server of a test's own: a fresh cluster in a folder of its own, on
a free port of 127.0.0.1, gone when the test ends."""

import glob
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile

PASSWORD = "pw-of-the-mirror-test"
PATIENCE_S = 60


def binaries():
    """The folder of initdb and pg_ctl, or None."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return os.path.dirname(found[-1]) if found else None


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Server:

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="pegboard-postgres-")
        self.data = f"{self.folder}/data"
        self.port = free_port()
        self.as_user = {}
        if os.getuid() == 0:  # the server refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.as_user = {"user": user.pw_uid, "group": user.pw_gid,
                            "extra_groups": []}
        with open(f"{self.folder}/pw", "w") as file:
            file.write(PASSWORD)
        os.chmod(f"{self.folder}/pw", 0o644)
        self._do("initdb", "-D", self.data, "-U", "mirror", "-E", "UTF8",
                 "-A", "scram-sha-256", f"--pwfile={self.folder}/pw",
                 "--no-sync", "--locale=C")
        with open(f"{self.data}/postgresql.conf", "a") as file:
            file.write(f"port = {self.port}\n"
                       "listen_addresses = '127.0.0.1'\n"
                       f"unix_socket_directories = '{self.folder}'\n"
                       "fsync = off\nmax_connections = 20\n"
                       "shared_buffers = 16MB\n")
        self.start()

    def _do(self, program, *args):
        done = subprocess.run(
            [f"{binaries()}/{program}", *args], cwd=self.folder,
            capture_output=program == "initdb", stdin=subprocess.DEVNULL,
            stdout=None if program == "initdb" else subprocess.DEVNULL,
            timeout=PATIENCE_S, **self.as_user)
        if done.returncode != 0:
            raise AssertionError(f"{program}: {done.returncode} {done.stderr}")

    def url(self, port=None, password=PASSWORD):
        return (f"postgresql://mirror:{password}@127.0.0.1:"
                f"{port or self.port}/postgres")

    def start(self):
        self._do("pg_ctl", "-D", self.data, "-l", f"{self.folder}/log", "-w",
                 "-t", str(PATIENCE_S), "start")

    def stop(self, mode="immediate"):
        """`immediate`: as after a crash."""
        self._do("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def promote(self):
        """A standby becomes one that is written to."""
        self._do("pg_ctl", "-D", self.data, "-w", "-t", str(PATIENCE_S),
                 "promote")

    def pid(self):
        with open(f"{self.data}/postmaster.pid") as file:
            return int(file.readline())

    def backends(self):
        """The pids of the mirror's sessions there."""
        return [row["pid"] for row in self.query(
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'pegboard mirror'")]

    def close(self):
        try:
            for pid in [*self._stopped(), self.pid()]:
                os.kill(pid, signal.SIGCONT)
            self.stop()
        except (OSError, AssertionError):
            pass
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stopped(self):
        """Children of the server that a test has halted."""
        with open(f"/proc/{self.pid()}/task/{self.pid()}/children") as file:
            return [int(pid) for pid in file.read().split()]

    def psql(self, sql=None):
        """A psql: its output for `sql`, else the process, to be written to."""
        args = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1",
                "-p", str(self.port), "-U", "mirror", "postgres"]
        env = dict(os.environ, PGPASSWORD=PASSWORD)
        if sql is None:
            return subprocess.Popen(args, env=env, text=True,
                                    stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE)
        done = subprocess.run([*args, "-c", sql], env=env, text=True,
                              capture_output=True, timeout=PATIENCE_S)
        if done.returncode != 0:
            raise AssertionError(f"{sql}: {done.stderr}")
        return done.stdout

    def query(self, sql):
        """The rows of a SELECT, as dictionaries."""
        return json.loads(self.psql(
            f"SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM ({sql}) t"))
