"""Serves an ASGI application on loopback, in a thread of the test's own process."""

import asyncio
import contextlib
import socket
import threading
from typing import Any, Final

import uvicorn

from shared.core.server import configuration
from shared.devstack.ports import LOOPBACK

LOOKS: Final = 100  # at what is still under way when the server is to end, 2 ms apart
END_S: Final = 30.0


class LoopbackServer(uvicorn.Server):
    """A service's server that ends as soon as it is told to and nothing is under way.

    The framework's own looks every tenth of a second whether it is to end, and then waits for another tenth.
    """

    def __init__(self, app: Any, *, backlog: int = 128) -> None:
        super().__init__(configuration(app, lifespan="off"))
        self._listener = socket.create_server((LOOPBACK, 0), backlog=backlog)
        self.url = f"http://{LOOPBACK}:{self._listener.getsockname()[1]}"
        self._told: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self.run, kwargs={"sockets": [self._listener]}, daemon=True)
        self._thread.start()

    async def main_loop(self) -> None:
        """Serve until `end`."""
        self._told, self._loop = asyncio.Event(), asyncio.get_running_loop()
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close idle connections; what is under way has a moment to end before the framework's own shutdown begins."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for _ in range(LOOKS):
            if not self.server_state.connections and not self.server_state.tasks:
                return
            await asyncio.sleep(0.002)
        await super().shutdown(sockets)

    def end(self) -> None:
        """Stop serving, and wait until everything is closed."""
        self.should_exit = True
        if self._loop is not None and self._told is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._told.set)
        self._thread.join(END_S)
