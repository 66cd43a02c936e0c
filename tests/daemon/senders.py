"""Clients that do not give up: what they were promised is known."""

import http.client
import threading
import time

import pegboard
from pegboard import id_of, sign


class Senders:
    """Threads that post events of their own, each until it is acknowledged.

    may_send(count of acknowledged ones) says whether to go on; make() makes an
    event, or brings one again; signs(its bytes) is the signature."""

    def __init__(self, daemon, may_send, make=pegboard.event, count=4,
                 signs=sign):
        self.daemon, self.may_send, self.make = daemon, may_send, make
        self.signs = signs
        self.lock = threading.Lock()
        self.sent, self.acked = {}, set()  # guarded by lock
        self.odd = []  # answers that are neither 200 nor 503; as above
        self.failed = []  # whatever was no 200, broken connections too
        self.times = {}  # when each was first sent, and acknowledged
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._send_all)
                        for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def _send_all(self):
        connection = None
        while not self.ended.is_set():
            if not self.may_send(len(self.acked)):
                time.sleep(0.005)
                continue
            body, begin_s = self.make(), time.monotonic()
            with self.lock:
                self.sent[id_of(body)] = body
            acknowledged = False
            while not acknowledged and not self.ended.is_set():
                connection, acknowledged = self._send(connection, body)
            if acknowledged:
                with self.lock:
                    self.times.setdefault(
                        id_of(body), (begin_s, time.monotonic()))
        if connection:
            connection.close()

    def _send(self, connection, body):
        """Try once. Returns the connection, if it can be used on."""
        try:
            if connection is None:
                connection = http.client.HTTPConnection(
                    "127.0.0.1", self.daemon.port, timeout=10)
            connection.request("POST", "/webhook", body,
                               {"Stripe-Signature": self.signs(body)})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            with self.lock:
                self.failed.append(repr(error))
            connection and connection.close()
            time.sleep(0.005)  # nobody there: the daemon is being started
            return None, False
        with self.lock:
            if answer.status == 200:
                self.acked.add(id_of(body))
            else:
                self.failed.append(answer.status)
            if answer.status not in (200, 503):
                self.odd.append((answer.status, id_of(body)))
        return connection, answer.status == 200
