"""A bad line between a camera and who looks at it: a TCP proxy that cuts, holds, corrupts and adds."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from types import TracebackType

from tests.streams.servers import free_port

_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Passes on what server and client say. Only what the server says is harmed: that is where the pictures are."""

    def __init__(self, port: int, *, seed: int = 0) -> None:
        """Leads to `port` of this machine; is itself at `self.port`."""
        self._to = port
        self._random = random.Random(seed)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listening = socket.create_server(("127.0.0.1", port := free_port()))
        self.port = port
        self.flowing = threading.Event()
        """Cleared: connected, and nothing comes any more."""
        self.flowing.set()
        self.corrupt = 0.0
        """Share of the chunks in which a byte is another one."""
        self.garbage = b""
        """Comes once, between two chunks of the server."""
        self.cut_after: int | None = None
        """Each connection is reset in the middle of a chunk once it carried so many bytes."""
        self.n_connections = 0

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for connections
        self._listening.close()
        self.flowing.set()
        self.cut()

    def cut(self) -> None:
        """Reset what is connected; the next connection is passed on again."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for one in pair:
                _reset(one)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listening socket was closed: the test is over
            while True:
                client, _ = self._listening.accept()
                self.n_connections += 1
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._to), 5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        self._pairs.append((client, server))
        threading.Thread(target=self._up, args=(client, server), daemon=True).start()
        threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := client.recv(65536):
                server.sendall(chunk)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        carried = 0
        with contextlib.suppress(OSError), server, client:
            while chunk := server.recv(4096):
                self.flowing.wait()
                carried += len(chunk)
                if self.cut_after is not None and carried > self.cut_after:
                    client.sendall(chunk[: len(chunk) // 2])
                    _reset(client)
                    return
                client.sendall(self._harmed(chunk))

    def _harmed(self, chunk: bytes) -> bytes:
        garbage, self.garbage = self.garbage, b""
        if self._random.random() < self.corrupt:
            at = self._random.randrange(len(chunk))
            chunk = chunk[:at] + bytes([chunk[at] ^ self._random.randrange(1, 256)]) + chunk[at + 1 :]
        return garbage + chunk


def _reset(connection: socket.socket) -> None:
    """End it with RST; who waits for it in another thread is woken first, it would keep the connection open."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RD)
        connection.close()
