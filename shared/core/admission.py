"""What happens before a request reaches an endpoint: who sends it, how much it may send, and how many are under way.

It is decided from the headers alone, before a byte of the body is read: a client without a valid key costs its headers
and one answer. A body is counted as it arrives, in bytes, in members of its JSON and in seconds. Each service says in
a subclass who may go on (`admit`). The health checks pass without any of it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import LacunaError, NotReady, RequestTimeout, TooLarge

KB: Final = 1024
MB: Final = 1024 * 1024
PROTECTED: Final = "/v1/"
HEADER_BYTES: Final = 64 * KB  # of all headers together
MOST_MEMBERS: Final = 200_000  # of all objects and lists of a body together
MOST_REQUESTS: Final = 1024  # under way at once
BODY_S: Final = 20.0  # in which the body has to arrive, and a second more for each SLOWEST bytes of it
SLOWEST: Final = 256 * KB  # bytes a second
RETRY_AFTER_S: Final = 1

Rendered = Callable[[LacunaError], Response]


@dataclass(frozen=True)
class BodyBound:
    """How large the body of one operation may be. `members`: of its JSON; None where it is not JSON."""

    size: int  # bytes
    members: int | None = MOST_MEMBERS


SMALL: Final = BodyBound(64 * KB)  # whatever holds no photograph


class Admission:
    """Plain ASGI around the endpoints; `rendered` makes the answer of an error."""

    all_body_bytes = 512 * MB  # that have arrived, of all requests under way

    def __init__(self, app: ASGIApp, rendered: Rendered) -> None:
        self._app, self._rendered = app, rendered
        self._requests = self._bytes = 0

    async def admit(self, scope: Scope) -> BodyBound:
        """How much the request may send; raises the error of a request that may not go on."""
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counted = scope["path"].startswith(PROTECTED)
        try:
            bound = await self._admitted(scope)
            if counted:
                self._check_room()
        except LacunaError as error:
            await self._refuse(error, scope, receive, send)
            return
        body = _Body(bound, receive, _content_length(scope), self._arrived)
        self._requests += counted
        try:
            await self._app(scope, body.receive, send)
        finally:
            self._requests, self._bytes = self._requests - counted, self._bytes - body.size

    def _arrived(self, size: int) -> None:
        self._bytes += size
        self._check_room(already=1)

    async def _refuse(self, error: LacunaError, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with an error. What is left of the body is never read: the connection ends."""
        response = self._rendered(error)
        response.headers["Connection"] = "close"
        await response(scope, receive, send)

    async def _admitted(self, scope: Scope) -> BodyBound:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
            raise TooLarge(f"The headers of a request may have {HEADER_BYTES // KB} KB.")
        bound = await self.admit(scope)
        if _content_length(scope) > bound.size:
            raise TooLarge(f"The body of this request may have {bound.size // KB} KB.")
        return bound

    def _check_room(self, already: int = 0) -> None:
        """Raise NotReady where one request more would be too many; `already`: of those, it is counted itself.

        Bodies count as they arrive, not as they are announced: announcing costs a client nothing.
        """
        if self._requests - already >= MOST_REQUESTS or self._bytes > self.all_body_bytes:
            raise NotReady("Too many requests are under way; try again in a moment.", retry_after_s=RETRY_AFTER_S)


class _Body:
    """The body of one request as it arrives."""

    def __init__(self, bound: BodyBound, receive: Receive, length: int, arrived: Callable[[int], None]) -> None:
        self._bound, self._receive, self._arrived = bound, receive, arrived
        self._longest_s = BODY_S + length / SLOWEST
        self._deadline: float | None = None
        self._members = 0
        self._ended = False
        self.size = 0

    async def receive(self) -> Message:
        """The next message. Raises TooLarge, RequestTimeout or NotReady where the body keeps to no bound."""
        if self._ended:  # what comes now is that the client leaves, however late
            return await self._receive()
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._longest_s
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as exc:
            raise RequestTimeout("The body took too long to arrive.") from exc
        self._ended = not message.get("more_body", False)
        if part := message.get("body", b""):
            self.size += len(part)
            self._arrived(len(part))
            self._check(part)
        return message

    def _check(self, part: bytes) -> None:
        if self.size > self._bound.size:
            raise TooLarge(f"The body of this request may have {self._bound.size // KB} KB.")
        if self._bound.members is not None:
            self._members += part.count(b",") + part.count(b"[") + part.count(b"{")
            if self._members > self._bound.members:
                raise TooLarge(f"A body may have at most {self._bound.members} members.")


def _content_length(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "0")
    return int(length) if length.isdigit() else 0  # anything else was refused before
