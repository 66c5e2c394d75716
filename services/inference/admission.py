"""What happens before a request reaches an endpoint, from its headers alone: the key, bounds, and too many at once.

Nothing of a body is read for a client without a valid key. The health checks pass without any of it.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.inference.context import InferenceContext
from services.inference.headers import HEADER_ERASER
from shared.core.http import METHODS_WITH_BODY, bearer_token_of
from shared.errors import LacunaError, NotReady, TooLarge

MB: Final = 1024 * 1024
PROTECTED: Final = "/v1/"
OPEN: Final = ("/v1/openapi.json",)
BODY_BYTES: Final[Mapping[str, int]] = {  # by path; what holds pictures may be large
    "/v1/chat/completions": 64 * MB,
    "/v1/responses": 64 * MB,
    "/v1/completions": 8 * MB,
}
OTHER_BODY_BYTES: Final = 64 * 1024
HEADER_BYTES: Final = 64 * 1024  # of all headers together
ALL_BODY_BYTES: Final = 512 * MB  # that have arrived, of all requests under way
MOST_REQUESTS: Final = 1024  # under way at once
RETRY_AFTER_S: Final = 1

Rendered = Callable[[LacunaError], Response]


class Admission:
    """Plain ASGI around the endpoints; `rendered` makes the answer of an error."""

    def __init__(self, app: ASGIApp, context: InferenceContext, rendered: Rendered) -> None:
        self._app, self._context, self._rendered = app, context, rendered
        self._requests = self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = self._naming_version(send)
        counted = scope["path"].startswith(PROTECTED)
        try:
            await self._admit(scope)
            if counted:
                self._check_room()
        except LacunaError as error:
            await self._refuse(error, scope, receive, send)
            return
        if not counted:
            await self._app(scope, receive, send)
            return
        held = 0

        async def counting() -> Message:
            nonlocal held
            message = await receive()
            size = len(message.get("body", b""))
            held, self._bytes = held + size, self._bytes + size
            if size:
                self._check_room(already=1)
            return message

        self._requests += 1
        try:
            await self._app(scope, counting, send)
        finally:
            self._requests, self._bytes = self._requests - 1, self._bytes - held

    async def _refuse(self, error: LacunaError, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with an error. What is left of the body is never read: the connection ends."""
        response = self._rendered(error)
        response.headers["Connection"] = "close"
        await response(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        """Raise the error of a request that may not go on."""
        headers, path = Headers(scope=scope), scope["path"]
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
            raise TooLarge(f"The headers of a request may have {HEADER_BYTES // 1024} KB.")
        if path.startswith(PROTECTED) and path not in OPEN:
            client = scope.get("client")
            await self._context.client_keys.admit(bearer_token_of(headers), client[0] if client else "")
        length = int(headers.get("content-length", "0")) if scope["method"] in METHODS_WITH_BODY else 0
        most = BODY_BYTES.get(path, OTHER_BODY_BYTES)
        if length > most:
            raise TooLarge(f"The body of this request may have {most // 1024} KB.")

    def _check_room(self, already: int = 0) -> None:
        """Raise NotReady where one request more would be too many; `already`: of those, it is counted itself.

        Bodies count as they arrive, not as they are announced: announcing costs a client nothing.
        """
        if self._requests - already >= MOST_REQUESTS or self._bytes > ALL_BODY_BYTES:
            raise NotReady("Too many requests are under way; try again in a moment.", retry_after_s=RETRY_AFTER_S)

    def _naming_version(self, send: Send) -> Callable[[Message], Awaitable[None]]:
        """`send` by which every response names a version, at least the one in memory."""

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                if HEADER_ERASER not in headers:
                    served = self._context.active_eraser.current_or_none()
                    headers[HEADER_ERASER] = str(served.number) if served else "none"
                message = {**message, "headers": headers.raw}
            await send(message)

        return named
