"""What both HTTP services do alike: errors as problem+json (RFC 9457), bearer keys, a bound on bodies.

Knows FastAPI; knows no endpoint and no database.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shared.errors import BadInput, Forbidden, LacunaError, TooLarge, Unauthorized

logger = logging.getLogger(__name__)
PROBLEM: Final = "application/problem+json"
MOST_BODY: Final = 64 * 1024 * 1024

Extend = Callable[[LacunaError], dict[str, Any]]


class _Http(LacunaError):
    """An error of the framework (unknown path, wrong method) in our words."""

    code, title = "http", "The request cannot be served"


def install(app: FastAPI, extend: Extend | None = None) -> None:
    """Render every error of `app` as a problem; `extend` may add members to the body."""

    def rendered(error: LacunaError, status: int | None = None, headers: dict[str, str] | None = None) -> JSONResponse:
        body = error.problem() | ({"status": status} if status else {}) | (extend(error) if extend else {})
        more = dict(headers or {})
        if error.status == 503:
            more.setdefault("Retry-After", "1")
        if isinstance(error, Unauthorized):
            more.setdefault("WWW-Authenticate", "Bearer")
        return JSONResponse(body, status_code=body["status"], media_type=PROBLEM, headers=more)

    @app.exception_handler(LacunaError)
    async def ours(_: Request, error: LacunaError) -> JSONResponse:
        return rendered(error)

    @app.exception_handler(RequestValidationError)
    async def shape(_: Request, error: RequestValidationError) -> JSONResponse:
        return rendered(BadInput(sentence(error.errors())))

    @app.exception_handler(HTTPException)
    async def framework(_: Request, error: HTTPException) -> JSONResponse:
        return rendered(_Http(str(error.detail)), error.status_code, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        logger.error("unexpected error at %s %s", request.method, request.url.path, exc_info=error)
        return rendered(LacunaError("Something went wrong on our side; it is in the log."))

    @app.middleware("http")
    async def bounded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        if request.method in ("POST", "PUT", "PATCH") and "content-length" not in request.headers:
            return rendered(BadInput("A body needs a Content-Length."))
        if not length.isdigit() or int(length) > MOST_BODY:
            return rendered(TooLarge(f"A request may have {MOST_BODY // 1024 // 1024} MB."))
        return await call_next(request)


def sentence(errors: Iterable[Any]) -> str:
    """Pydantic's errors in one sentence; never repeats what was sent."""
    said = []
    for error in errors:
        place = ".".join(str(part) for part in error["loc"] if part != "body")
        said.append(f"{place}: {error['msg'].lower()}" if place else error["msg"])
    return "; ".join(said[:5]) + "."


def bearer(request: Request) -> str:
    """The key of the Authorization header; raises Unauthorized."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("Give a key: Authorization: Bearer lk_...")
    return key.strip()


def allow(roles: Iterable[str], wanted: Iterable[str]) -> None:
    """Raise Forbidden unless one of `roles` is wanted."""
    needed = sorted(wanted)
    if not set(roles) & set(needed):
        raise Forbidden(f"This needs the role {' or '.join(needed)}.")
