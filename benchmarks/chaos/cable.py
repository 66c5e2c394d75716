"""A cable between a process and a server that can be cut: a TCP relay on loopback, in threads of its own.

A cut cable swallows everything and closes nothing, as a firewall does that drops packets: connections that were open
stay open and silent, and new ones are accepted and never answered.
"""

import contextlib
import select
import socket
import threading
from dataclasses import dataclass, field
from typing import Final

from shared.devstack.ports import LOOPBACK

CHUNK: Final = 65536
LOOK_S: Final = 0.05


@dataclass
class Cable:
    """Relays connections to `target` (host, port), until `close`."""

    target: tuple[str, int]
    _listener: socket.socket = field(init=False)
    _whole: threading.Event = field(default_factory=threading.Event)
    _closed: threading.Event = field(default_factory=threading.Event)
    _pairs: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._whole.set()
        self._listener = socket.create_server((LOOPBACK, 0))
        threading.Thread(target=self._accept, name="cable", daemon=True).start()

    @property
    def port(self) -> int:
        """Where the process finds the server."""
        return int(self._listener.getsockname()[1])

    def cut(self) -> None:
        """From now on nothing passes."""
        self._whole.clear()

    def repair(self) -> None:
        """Let connections pass again. Those from before are reset, as a firewall does that has forgotten them."""
        self._reset()
        self._whole.set()

    def close(self) -> None:
        """End the relay."""
        self._closed.set()
        self._listener.close()
        self._reset()

    def _reset(self) -> None:
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self.target)
            except OSError:
                continue
            self._pairs.append((client, server))
            threading.Thread(target=self._relay, args=(client, server), name="cable", daemon=True).start()

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        with client, server, contextlib.suppress(OSError, ValueError):
            while not self._closed.is_set():
                if not self._whole.wait(LOOK_S):
                    if client.fileno() < 0 or (client, server) not in self._pairs:
                        return
                    continue
                for end in select.select([client, server], [], [], LOOK_S)[0]:
                    if not self._whole.is_set():
                        break
                    chunk = end.recv(CHUNK)
                    if not chunk:
                        return
                    other[end].sendall(chunk)
