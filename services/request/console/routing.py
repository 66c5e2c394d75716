"""ConsoleRoute: an endpoint of the console, whose errors are pages. The control flow is that of the API."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from services.request.console.language import choose_language
from services.request.console.rendering import SECURITY_HEADERS, render
from services.request.documents.language import Language
from services.request.problems.catalogue import ADVICE
from shared.core.access_log import route_template
from shared.core.logging import current_request_id
from shared.core.validation import summarize_validation_errors
from shared.errors import BadInput, HttpError, LacunaError, Unauthorized

logger = logging.getLogger(__name__)
HOME: Final = "/console"
SIGN_IN: Final = "/console/sign-in"
LANGUAGE_COOKIE: Final = "lacuna_language"


class ConsoleRoute(APIRoute):
    """Answers an error with a page, and whoever has no session with the page where one signs in."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the framework, with these answers to errors."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await handle(request)
            except LacunaError as error:
                response = _refused(request, error)
            except RequestValidationError as error:
                response = error_page(request, BadInput(summarize_validation_errors(error.errors())))
            except HTTPException as error:
                cause = error.__cause__
                known = cause if isinstance(cause, LacunaError) else HttpError(str(error.detail))
                response = error_page(request, known, error.status_code)
            except Exception as error:  # the last handler: the log has what the page does not say
                logger.error("unexpected error at %s %s", request.method, route_template(request.scope), exc_info=error)
                response = error_page(request, LacunaError("Something went wrong on the server. Its log says what."))
            for name, value in SECURITY_HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return answer


def console_router() -> APIRouter:
    """A router of pages: they are not in the OpenAPI document."""
    return APIRouter(route_class=ConsoleRoute, include_in_schema=False)


def language_of(request: Request) -> Language:
    """The language that was chosen, else one that the browser asks for."""
    return choose_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))


def error_page(request: Request, error: LacunaError, status: int | None = None) -> Response:
    """What was refused, why, and what to do about it."""
    return render(
        language_of(request),
        request.app.state.context.zone,
        "error.html",
        status or error.status,
        error=error,
        advice=ADVICE.get(error.code, ""),
        request_id=current_request_id(),
        back=_came_from(request),
    )


def local_path(text: str | None) -> str:
    """`text` where it is a path of the console, else the first page: nobody is sent elsewhere."""
    parts = urlsplit(text or "")
    is_ours = not parts.scheme and not parts.netloc and (parts.path == HOME or parts.path.startswith(f"{HOME}/"))
    is_plain = not any(odd in parts.path for odd in ("\\", "//", "/."))
    safe = is_ours and is_plain and not parts.path.startswith(SIGN_IN)
    return f"{parts.path}{'?' if parts.query else ''}{parts.query}" if safe else HOME


def _refused(request: Request, error: LacunaError) -> Response:
    if isinstance(error, Unauthorized) and request.method == "GET":
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{SIGN_IN}?next={quote(wanted, safe='')}", 303)
    return error_page(request, error)


def _came_from(request: Request) -> str:
    """The page of the console on which the form was; a GET has none but the first page."""
    return local_path(urlsplit(request.headers.get("referer", "")).path) if request.method == "POST" else HOME
