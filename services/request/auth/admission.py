"""Who may call which operation, and how much they may send, from the headers of a request alone.

The endpoint is known from method and path, so that role, scope and rate limit are checked before a byte of the body is
read (shared/core/admission.py). What counts as authentication is `Authenticator.credential_of`. The principal is left
in the request's state, where `PrincipalDep` and `MutationDep` find it.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import anyio
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Scope

from services.request.auth.permissions import OPEN, PERMISSIONS, require_permission
from services.request.auth.principals import Principal
from shared.core import admission
from shared.core.admission import MB, PROTECTED, RETRY_AFTER_S, SMALL, BodyBound, Rendered
from shared.core.client_addresses import client_address
from shared.errors import NotReady, Unauthorized

OPEN_PATHS: Final = ("/v1/openapi.json",)
Forms = Sequence[tuple[re.Pattern[str], BodyBound]]
THREADS: Final = 8  # that look up credentials; the endpoints have their own
MOST_LOOK_UPS: Final = 256  # under way at once


class Admission(admission.Admission):
    """Lets principals pass to the operations that they may call.

    `routes` are those of the endpoints; `forms` are forms of the console that are not small.
    """

    all_body_bytes = 128 * MB

    def __init__(self, app: ASGIApp, rendered: Rendered, routes: Iterable[APIRoute], forms: Forms = ()) -> None:
        super().__init__(app, rendered)
        self._forms = forms
        self._operations: list[tuple[re.Pattern[str], frozenset[str], str]] = [
            (route.path_regex, frozenset(route.methods or ()), route.name) for route in routes
        ]
        self._threads: anyio.CapacityLimiter | None = None
        self._look_ups = 0

    async def admit(self, scope: Scope) -> BodyBound:
        """How much the request may send.

        Raises Unauthorized without a valid key or token, Forbidden without a role or scope that the operation needs,
        TooManyRequests above a rate limit, NotReady where too many credentials are being checked.
        """
        path = scope["path"]
        operation = self._operation(scope["method"], path)
        if not path.startswith(PROTECTED):  # the console looks at its session before it reads a form
            return next((body for pattern, body in self._forms if pattern.fullmatch(path)), SMALL)
        if path in OPEN_PATHS or operation in OPEN:
            return SMALL
        state: Any = scope["app"].state
        credential = state.authenticator.credential_of(Headers(scope=scope))
        principal = await self._principal(state, credential, client_address(scope), scope["state"]["headers"])
        scope["state"]["principal"] = principal
        if operation is None:
            return SMALL
        require_permission(principal, operation)
        return PERMISSIONS[operation].body

    def _operation(self, method: str, path: str) -> str | None:
        return next(
            (name for pattern, methods, name in self._operations if method in methods and pattern.match(path)), None
        )

    async def _principal(self, state: Any, credential: str, address: str, headers: dict[str, str]) -> Principal:
        if self._look_ups >= MOST_LOOK_UPS:
            raise NotReady("Too many keys are being checked; try again in a moment.", retry_after_s=RETRY_AFTER_S)
        self._threads = self._threads or anyio.CapacityLimiter(THREADS)
        self._look_ups += 1
        try:
            return await anyio.to_thread.run_sync(
                _authenticate, state, credential, address, headers, limiter=self._threads
            )
        finally:
            self._look_ups -= 1


def _authenticate(state: Any, credential: str, address: str, headers: dict[str, str]) -> Principal:
    """The principal, counted. An address that has sent too many wrong credentials is refused before any is looked up;
    a credential that was valid lately is looked up whatever others at its address have sent."""
    if not state.authenticator.was_valid(credential):
        state.rate_limiter.check_failures(address)
    try:
        principal: Principal = state.authenticator.authenticate(credential)
    except Unauthorized:
        state.rate_limiter.count_failure(address)
        raise
    headers.update(state.rate_limiter.count_request(f"{principal.tenant_id}/{principal.owner}").headers)
    return principal
