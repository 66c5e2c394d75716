"""One connection of a client, bounded before anything reaches the application: by time, by size, and in number.

uvicorn gives a client all the time in the world for its headers and for reading an answer, and buffers headers of any
length. A connection that keeps to no bound is cut; nobody else waits for it.
An answer without an end is told when the process shuts down (`closing_of`).
"""

import asyncio
import logging
from typing import Any, Final, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

logger = logging.getLogger(__name__)
HEADERS_S: Final = 10.0  # from the connection, or the first byte of a request, to the end of its headers
HEADER_BYTES: Final = 64 * 1024
PIECE: Final = 4096  # bytes
READ_S: Final = 30.0  # in which a client has to read what is waiting for it
MOST_CONNECTIONS: Final = 4096  # of a process; more are closed at once
CLOSING: Final = "lacuna.closing"  # the extension of the scope that has the event


def closing_of(scope: Scope) -> asyncio.Event:
    """The event that is set when the server shuts down; one that is never set where another server runs the app."""
    extension = (scope.get("extensions") or {}).get(CLOSING, {})
    return cast(asyncio.Event, extension.get("event") or asyncio.Event())


class OpenTransport:
    """A transport that drops what is written after its end: uvloop raises an error, for a client that merely left."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        """Write, unless the connection has ended."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's."""
        return getattr(self._transport, name)


class BoundedConnection(HttpToolsProtocol):
    """An HTTP/1.1 connection of uvicorn, with deadlines."""

    headers_s, read_s = HEADERS_S, READ_S

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._headers_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._in_headers = True
        self._closing = asyncio.Event()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with the time for the headers."""
        super().connection_made(cast(asyncio.Transport, OpenTransport(transport)))
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop("_headers_timer")
        self._stop("_read_timer")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed headers in small pieces, and cut the connection where they are too long; a body is fed as it came."""
        if self._in_headers:
            self._expect_headers()
        while data and self._in_headers and not self.transport.is_closing():
            if self._header_bytes > HEADER_BYTES:
                self._cut("headers of more than %d KB", HEADER_BYTES // 1024)
                return
            piece, data = data[:PIECE], data[PIECE:]
            self._header_bytes += len(piece)
            super().data_received(piece)
        if data and not self.transport.is_closing():
            super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins, perhaps behind another one in the same piece."""
        self._in_headers = True
        self._expect_headers()
        super().on_message_begin()
        self.scope["extensions"] = {CLOSING: {"event": self._closing}}

    def on_headers_complete(self) -> None:
        """The headers are there."""
        self._in_headers, self._header_bytes = False, 0
        self._stop("_headers_timer")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there: what comes next are the headers of another request."""
        super().on_message_complete()
        self._in_headers = True

    def shutdown(self) -> None:
        """The server shuts down: an answer that has no end of its own ends now."""
        self._closing.set()
        super().shutdown()

    def pause_writing(self) -> None:
        """The client does not read: from now on it has `read_s`."""
        super().pause_writing()
        if self._read_timer is None:
            self._read_timer = self.loop.call_later(self.read_s, self._cut, "%.0f s without reading", self.read_s)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self._stop("_read_timer")

    def _expect_headers(self) -> None:
        if self._headers_timer is None:
            self._headers_timer = self.loop.call_later(self.headers_s, self._headers_are_late)

    def _headers_are_late(self) -> None:
        self._headers_timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._expect_headers()  # a client that sends something behind its request keeps the answer to it
        else:
            self._cut("%.0f s without the headers of a request", self.headers_s)

    def _cut(self, reason: str, *values: object) -> None:
        logger.debug("a connection is cut: %s", reason % values)
        self.transport.abort()

    def _stop(self, name: str) -> None:
        timer: asyncio.TimerHandle | None = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)
