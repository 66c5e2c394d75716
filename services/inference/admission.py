"""Who may ask the model, from the headers of a request alone (shared/core/admission.py), and which version answers."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.inference.authentication import digest_of
from services.inference.context import InferenceContext
from services.inference.headers import HEADER_ERASER
from shared.core import admission
from shared.core.admission import MB, PROTECTED, SMALL, BodyBound, Rendered
from shared.core.client_addresses import client_address
from shared.core.http import bearer_token_of

OPEN: Final = ("/v1/openapi.json",)
BODIES: Final[Mapping[str, BodyBound]] = {  # by path; what holds pictures may be large
    "/v1/chat/completions": BodyBound(64 * MB),
    "/v1/responses": BodyBound(64 * MB),
    "/v1/completions": BodyBound(8 * MB),
}


CLIENT: Final = "lacuna.client"  # in the scope: the sha256 of the key
LIMITS: Final = "lacuna.limits"  # in the scope: headers that say what is left to the key


class Admission(admission.Admission):
    """Lets clients with a valid key pass, within the limits of the key.

    Every response names a version, at least the one in memory.
    """

    def __init__(self, app: ASGIApp, context: InferenceContext, rendered: Rendered) -> None:
        super().__init__(self._answer, rendered)
        self._endpoints, self._context = app, context

    async def admit(self, scope: Scope) -> BodyBound:
        """How much the request may send; raises what `ClientKeys.admit` and `ClientLimits.admit` raise."""
        path = scope["path"]
        if path.startswith(PROTECTED) and path not in OPEN:
            key = bearer_token_of(Headers(scope=scope))
            await self._context.client_keys.admit(key, client_address(scope))
            scope[CLIENT] = digest_of(key)
            scope[LIMITS] = self._context.client_limits.admit(scope[CLIENT])
        return BODIES.get(path, SMALL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, self._with_headers(scope, send) if scope["type"] == "http" else send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What was admitted goes on to the endpoints, and counts as under way until they are done."""
        counted = self._context.client_limits.under_way(scope[CLIENT]) if CLIENT in scope else contextlib.nullcontext()
        with counted:
            await self._endpoints(scope, receive, send)

    def _with_headers(self, scope: Scope, send: Send) -> Callable[[Message], Awaitable[None]]:
        """`send` by which every response names a version, and what is left to its key."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                headers.update(scope.get(LIMITS, {}))
                if HEADER_ERASER not in headers:
                    served = self._context.active_eraser.current_or_none()
                    headers[HEADER_ERASER] = str(served.number) if served else "none"
                message = {**message, "headers": headers.raw}
            await send(message)

        return sent
