"""What both HTTP services share: errors as problem+json (RFC 9457), request ids, bearer tokens, a bound on bodies."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.core.access_log import observed, route_template
from shared.core.logging import REQUEST_ID_HEADER, bind_request_id, current_request_id
from shared.core.validation import summarize_validation_errors
from shared.errors import BadInput, Forbidden, HttpError, LacunaError, LengthRequired, TooLarge, Unauthorized

logger = logging.getLogger(__name__)
PROBLEM: Final = "application/problem+json"
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
UNREAD: Final = (408, 411, 413)  # sent before the body was read: what follows on the connection is not a request
METHODS_WITH_BODY: Final = ("POST", "PUT", "PATCH")

Extend = Callable[[LacunaError], dict[str, Any]]


def install_error_handlers(
    app: FastAPI, extend: Extend | None = None, statuses: Mapping[int, int] | None = None
) -> Callable[[LacunaError], JSONResponse]:
    """Answer every error of `app` with a problem document; returns what makes the answer of an error.

    `extend` may add members to a document; `statuses` says which statuses are sent instead of those of our errors.
    """

    def rendered(error: LacunaError, status: int | None = None, headers: dict[str, str] | None = None) -> JSONResponse:
        sent_status = status or (statuses or {}).get(error.status, error.status)
        body = error.problem() | {"status": sent_status} | (extend(error) if extend else {})
        if (request_id := current_request_id()) is not None:
            body["request_id"] = request_id
        sent = dict(headers or {})
        if error.status == 503:
            sent.setdefault("Retry-After", "1")
        if "retry_after_s" in error.extra:
            sent["Retry-After"] = str(error.extra["retry_after_s"])
        if sent_status in UNREAD:
            sent.setdefault("Connection", "close")
        if isinstance(error, Unauthorized):
            sent.setdefault("WWW-Authenticate", "Bearer")
        return JSONResponse(body, status_code=body["status"], media_type=PROBLEM, headers=sent)

    @app.exception_handler(LacunaError)
    async def lacuna_error(_: Request, error: LacunaError) -> JSONResponse:
        return rendered(error)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(_: Request, error: RequestValidationError) -> JSONResponse:
        return rendered(BadInput(summarize_validation_errors(error.errors())))

    @app.exception_handler(HTTPException)
    async def framework_error(_: Request, error: HTTPException) -> JSONResponse:
        cause = error.__cause__
        if isinstance(cause, LacunaError):  # raised while the framework was reading the body
            return rendered(cause)
        if isinstance(cause, RecursionError):
            return rendered(BadInput("The body is nested too deeply."))
        if isinstance(cause, ValueError):
            return rendered(BadInput("The body cannot be read: it is not JSON in UTF-8."))
        return rendered(HttpError(str(error.detail)), error.status_code, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected_error(request: Request, error: Exception) -> JSONResponse:
        logger.error("unexpected error at %s %s", request.method, route_template(request.scope), exc_info=error)
        return rendered(LacunaError("Something went wrong on the server. Its log has the details."))

    app.add_middleware(RequestContextMiddleware, rendered=rendered)
    return rendered


class RequestContextMiddleware:
    """Binds the request id, refuses bodies that are too large, and adds `scope["state"]["headers"]` to the answer.
    Each request is logged and counted.

    It is plain ASGI, because the middleware class of the framework costs an extra task for each request.
    """

    def __init__(self, app: ASGIApp, rendered: Callable[[LacunaError], JSONResponse]) -> None:
        self._app, self._rendered = app, rendered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = dict(scope["headers"])
        ids = {name: received[name].decode("latin-1") for name in (b"x-request-id", b"traceparent") if name in received}
        request_id = bind_request_id(ids.get(b"x-request-id"), ids.get(b"traceparent"))
        headers: dict[str, str] = {REQUEST_ID_HEADER: request_id}
        scope.setdefault("state", {})["headers"] = headers

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        refusal = _refusal(scope["method"], received)
        app = self._app if refusal is None else self._rendered(refusal)
        await observed(app, scope, receive, send_with_headers)


def _refusal(method: str, headers: dict[bytes, bytes]) -> LacunaError | None:
    if method in METHODS_WITH_BODY and b"content-length" not in headers and b"transfer-encoding" in headers:
        return LengthRequired("A request with a body needs a Content-Length.")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        return TooLarge(f"A request may have at most {MAX_BODY_BYTES // 1024 // 1024} MB.")
    return None


def bearer_token_of(headers: Mapping[str, str]) -> str:
    """The key or token of the Authorization header. Raises Unauthorized."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("Send an API key or a token: Authorization: Bearer lk_...")
    return key.strip()


def require_role(roles: Iterable[str], wanted: Iterable[str]) -> None:
    """Raise Forbidden unless one of `roles` is among `wanted`."""
    needed = sorted(wanted)
    if not set(roles) & set(needed):
        raise Forbidden(f"This needs the role {' or '.join(needed)}.")
