"""What both HTTP services do alike: errors as problem+json (RFC 9457), correlation ids, bearer keys, a bound on bodies.

Knows FastAPI; knows no endpoint and no database.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.core.logging import REQUEST_ID_HEADER, bind_request_id, current_request_id
from shared.core.validation import summarize_validation_errors
from shared.errors import BadInput, Forbidden, HttpError, LacunaError, LengthRequired, TooLarge, Unauthorized

logger = logging.getLogger(__name__)
PROBLEM: Final = "application/problem+json"
MOST_BODY: Final = 64 * 1024 * 1024
WITH_BODY: Final = ("POST", "PUT", "PATCH")

Extend = Callable[[LacunaError], dict[str, Any]]


def install_error_handlers(app: FastAPI, extend: Extend | None = None) -> None:
    """Render every error of `app` as a problem; `extend` may add members to the body."""

    def rendered(error: LacunaError, status: int | None = None, headers: dict[str, str] | None = None) -> JSONResponse:
        body = error.problem() | ({"status": status} if status else {}) | (extend(error) if extend else {})
        if (known := current_request_id()) is not None:
            body["request_id"] = known
        more = dict(headers or {})
        if error.status == 503:
            more.setdefault("Retry-After", "1")
        if "retry_after_s" in error.extra:
            more["Retry-After"] = str(error.extra["retry_after_s"])
        if isinstance(error, Unauthorized):
            more.setdefault("WWW-Authenticate", "Bearer")
        return JSONResponse(body, status_code=body["status"], media_type=PROBLEM, headers=more)

    @app.exception_handler(LacunaError)
    async def ours(_: Request, error: LacunaError) -> JSONResponse:
        return rendered(error)

    @app.exception_handler(RequestValidationError)
    async def shape(_: Request, error: RequestValidationError) -> JSONResponse:
        return rendered(BadInput(summarize_validation_errors(error.errors())))

    @app.exception_handler(HTTPException)
    async def framework(_: Request, error: HTTPException) -> JSONResponse:
        cause = error.__cause__
        if isinstance(cause, LacunaError):  # raised while the framework was reading the body
            return rendered(cause)
        if isinstance(cause, RecursionError):
            return rendered(BadInput("The body is nested too deeply."))
        if isinstance(cause, ValueError):
            return rendered(BadInput("The body cannot be read: it is not JSON in UTF-8."))
        return rendered(HttpError(str(error.detail)), error.status_code, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        logger.error("unexpected error at %s %s", request.method, request.url.path, exc_info=error)
        return rendered(LacunaError("Something went wrong on our side; it is in the log."))

    app.add_middleware(RequestContextMiddleware, rendered=rendered)


class RequestContextMiddleware:
    """Every request gets its correlation id, every body its bound; `scope["state"]["headers"]` go out with the answer.

    Plain ASGI: the framework's own middleware class costs a task for each request.
    """

    def __init__(self, app: ASGIApp, rendered: Callable[[LacunaError], JSONResponse]) -> None:
        self._app, self._rendered = app, rendered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        heads = dict(scope["headers"])
        given = {name: heads[name].decode("latin-1") for name in (b"x-request-id", b"traceparent") if name in heads}
        request_id = bind_request_id(given.get(b"x-request-id"), given.get(b"traceparent"))
        more: dict[str, str] = {REQUEST_ID_HEADER: request_id}
        scope.setdefault("state", {})["headers"] = more

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode("latin-1")) for name, value in more.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        refusal = _refusal(scope["method"], heads)
        if refusal is not None:
            await self._rendered(refusal)(scope, receive, answer)
            return
        await self._app(scope, receive, answer)


def _refusal(method: str, heads: dict[bytes, bytes]) -> LacunaError | None:
    if method in WITH_BODY and b"content-length" not in heads and b"transfer-encoding" in heads:
        return LengthRequired("A body needs a Content-Length.")
    length = heads.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > MOST_BODY:
        return TooLarge(f"A request may have {MOST_BODY // 1024 // 1024} MB.")
    return None


def bearer(request: Request) -> str:
    """The key of the Authorization header; raises Unauthorized."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("Give a key: Authorization: Bearer lk_...")
    return key.strip()


def require_role(roles: Iterable[str], wanted: Iterable[str]) -> None:
    """Raise Forbidden unless one of `roles` is wanted."""
    needed = sorted(wanted)
    if not set(roles) & set(needed):
        raise Forbidden(f"This needs the role {' or '.join(needed)}.")
