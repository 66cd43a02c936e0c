"""What can stand between the plugin and its server, or in the server's place."""

import contextlib
import socket
import struct
import threading


class Wire:
    """A wire to a server; what the server says is lost while it is `deaf`."""

    def __init__(self, server):
        self.server, self.deaf = server, False
        self.sockets = []  # of connections that still work
        self.accepted = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"{'tls' if server.tls else 'nats'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                ours, _ = self.listener.accept()
                theirs = socket.create_connection(
                    ("127.0.0.1", self.server.port))
                self.sockets += ours, theirs
                self.accepted += 1
                for pump in ((self._pump, ours, theirs, lambda: False),
                             (self._pump, theirs, ours, lambda: self.deaf)):
                    threading.Thread(target=pump[0], args=pump[1:],
                                     daemon=True).start()

    def _pump(self, source, target, is_lost):
        with contextlib.suppress(OSError), source, target:
            while data := source.recv(65536):
                if source in self.sockets and not is_lost():
                    target.sendall(data)

    def cut(self):
        """End all connections."""
        for sock in self.sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.sockets.clear()

    def forget(self):
        """Those that there are stay, but carry nothing any more."""
        self.sockets.clear()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()


class Mute:
    """A peer that takes connections, says `greeting`, answers the first PING
    if it shall `pong`, and then neither reads nor says a thing; or resets the
    connection instead of that."""

    def __init__(self, greeting=b"", pong=False, reset=False):
        self.greeting, self.pong, self.reset = greeting, pong, reset
        self.accepted = []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.accepted.append(sock)
                sock.sendall(self.greeting)
                if self.pong:
                    heard = b""
                    while b"PING" not in heard and (more := sock.recv(4096)):
                        heard += more
                    sock.sendall(b"PONG\r\n")
                if self.reset:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                    struct.pack("ii", 1, 0))
                    sock.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in self.accepted:
            sock.close()


class Service:
    """A program, no stream, that gets the messages on a subject. It answers
    with what `answer(self, message)` returns, unless that is None."""

    def __init__(self, client, subject, answer):
        self.client, self.answer = client, answer
        self.messages = []
        client.subscribe(subject)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError, ValueError, AssertionError):
            while True:
                message = self.client.next()
                self.messages.append(message)
                answer = self.answer(self, message)
                if answer is not None:
                    self.client.publish(message.reply, answer)
