"""The pages of the public form, without scripts: mail address, code, request, and how far it is.

They are in no OpenAPI document and there is no account: whoever has the link has the form. The link is secret and says
nothing. Before a body is read that may be large, the link is looked at, and whether the address behind it is proved.
"""

import asyncio
import base64
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment
from limits import parse
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from services.request.console.language import choose_language
from services.request.context import AppContext
from services.request.documents.language import LANGUAGES, Language
from services.request.documents.templates import open_templates
from services.request.public_form import links, service
from services.request.public_form.language import FOLDER as TRANSLATIONS
from services.request.public_form.paths import START, page_of
from services.request.public_form.service import FormState
from services.request.tickets.schemas import NOBODY
from shared.core.access_log import route_template
from shared.core.admission import MB, BodyBound
from shared.core.client_addresses import client_address
from shared.core.config import FormSettings
from shared.core.validation import summarize_validation_errors
from shared.db.repositories.models import model_in_use
from shared.db.session import transaction
from shared.domain.regimes import REGIMES
from shared.errors import BadInput, Conflict, HttpError, LacunaError, NotReady, RequestTimeout, TooManyRequests

logger = logging.getLogger(__name__)
FOLDER: Final = Path(__file__).parent
NAME_ROWS, FACT_ROWS, MOST_PHOTOS = 3, 5, 3
MOST_FIELDS: Final = 60
BODY: Final = BodyBound(26 * MB, members=None)  # three photographs of 8 MB and what is typed
STEP_S = 1.0  # seconds; filing takes a fifth of it, for a duplicate 40 ms less
AT_ONCE: Final = 3  # requests with photographs that are being read: they leave room for the officers' bodies
BODY_S: Final = 60.0  # in which the body of one has to arrive
TOO_MANY: Final = "Too many form requests: try again later."
CSS: Final = "text/css; charset=utf-8"
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # the address of a page is the key to it
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}


class FormRoute(APIRoute):
    """Counts requests of a network address, and answers errors with a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the framework, with these answers to errors."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                if request.method == "POST":
                    await run_in_threadpool(_count, request, settings_of(request).rate, client_address(request.scope))
                return await handle(request)
            except LacunaError as error:
                return _error_page(request, error, error.status)
            except HTTPException as error:
                cause = error.__cause__
                known = cause if isinstance(cause, LacunaError) else HttpError(str(error.detail))
                return _error_page(request, known, error.status_code)
            except Exception as error:  # the last handler: the log has what the page does not say
                logger.error("unexpected error at %s %s", request.method, route_template(request.scope), exc_info=error)
                return _error_page(request, LacunaError("Something went wrong on the server."), 500)

        return answer


router = APIRouter(route_class=FormRoute, include_in_schema=False)


def install_public_form(app: FastAPI, settings: FormSettings) -> None:
    """Add the form to the application where it is enabled. Raises BadInput for a rate that cannot be read."""
    if not settings.enabled:
        return
    if not settings.url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise BadInput("LACUNA_FORM_URL must be the https address under which people reach the form.")
    for name, rate in (("RATE", settings.rate), ("TOTAL", settings.total)):
        try:
            parse(rate)
        except ValueError as exc:
            raise BadInput(f"LACUNA_FORM_{name} is written as 30/hour.") from exc
    app.state.form_settings = settings
    app.state.forms_under_way = set()
    app.include_router(router)


def form_bodies() -> list[tuple[Any, BodyBound]]:
    """Which of its forms are not small, for the admission."""
    routes = (route for route in router.routes if isinstance(route, APIRoute))
    return [(route.path_regex, BODY) for route in routes if route.name == "file_request"]


def settings_of(request: Request) -> FormSettings:
    """The settings of the form."""
    settings: FormSettings = request.app.state.form_settings
    return settings


@router.get(f"{START}/style.css")
def style() -> Response:
    """The one style sheet."""
    return Response(_style(), media_type=CSS, headers=HEADERS | {"Cache-Control": "public, max-age=3600"})


@router.get(START)
def start(request: Request) -> Response:
    """What the form is for, and the mail address."""
    return _page(request, _language(request), "start.html", error=None)


@router.post(START)
async def begin(request: Request) -> Response:
    """Begin a form: to the page of its code, whoever the address is."""
    async with request.form(max_files=0, max_fields=MOST_FIELDS) as fields:
        text, language = _text(fields, "email"), _language(request, _text(fields, "lang"))
    settings = settings_of(request)
    try:
        address = service.read_address(text)
    except BadInput as error:
        return _page(request, language, "start.html", 422, error=error)
    await run_in_threadpool(_count, request, settings.total, "all")
    context = await run_in_threadpool(_context, request)
    number = await run_in_threadpool(service.begin, context, settings, address, language.code)
    return RedirectResponse(page_of(links.token_of(context.keys, number)), 303, HEADERS)


@router.get(f"{START}/{{token}}")
def show(token: str, request: Request) -> Response:
    """Where the form stands: the code, what to fill in, or how far the request is."""
    number = _form_of(request, token)
    return _state_page(request, token, service.look(_context(request), number))


@router.post(f"{START}/{{token}}/code")
async def prove(token: str, request: Request) -> Response:
    """Look at the code."""
    number = _form_of(request, token)
    context = await run_in_threadpool(_context, request)
    async with request.form(max_files=0, max_fields=MOST_FIELDS) as fields:
        code = _text(fields, "code")
    if await run_in_threadpool(service.prove, context, number, code):
        return RedirectResponse(page_of(token), 303, HEADERS)
    state = await run_in_threadpool(service.look, context, number)
    return _state_page(request, token, state, error=BadInput("This is not the code."), status=422)


@router.post(f"{START}/{{token}}/file")
async def file_request(token: str, request: Request) -> Response:
    """File the request, once."""
    number = _form_of(request, token)
    context = await run_in_threadpool(_context, request)
    await run_in_threadpool(service.require_proved, context, number)
    async with _place(request, number):
        fields = await _read_form(request)
        try:
            prepared = await run_in_threadpool(_prepare, request, context, number, fields)
        except LacunaError as error:
            if error.status not in (413, 422):
                raise
            state = await run_in_threadpool(service.look, context, number)
            return _state_page(request, token, state, error=error, status=error.status, typed=_typed(fields))
        finally:
            await fields.close()
    began = time.monotonic()  # what came before takes as long for whoever is known, and as long as its sender likes
    try:
        await run_in_threadpool(service.file, context, settings_of(request), prepared)
    finally:
        await asyncio.sleep(_left_of_step(time.monotonic() - began))
    return RedirectResponse(page_of(token), 303, HEADERS)


async def _read_form(request: Request) -> FormData:
    """The form that was sent; raises RequestTimeout where it takes too long to arrive."""
    try:
        async with asyncio.timeout(BODY_S):
            return await request.form(max_files=MOST_PHOTOS + 1, max_fields=MOST_FIELDS)
    except TimeoutError as exc:
        raise RequestTimeout("The body took too long to arrive.") from exc


def _left_of_step(taken_s: float) -> float:
    """How long an answer waits: it takes a whole number of steps, so that its time does not tell a duplicate."""
    return -taken_s % STEP_S if STEP_S else 0.0


def _prepare(request: Request, context: AppContext, number: uuid.UUID, fields: FormData) -> service.PreparedRequest:
    language = service.look(context, number).language
    values = _material(fields) | {"languages": service.asked_languages(context, language)}
    try:
        return service.prepare(context, settings_of(request), number, values)
    except ValidationError as exc:
        raise BadInput(summarize_validation_errors(exc.errors(include_url=False, include_input=False))) from exc


def _material(fields: FormData) -> dict[str, Any]:
    files = [value for value in fields.getlist("photos") if isinstance(value, UploadFile) and value.filename]
    if len(files) > MOST_PHOTOS:
        raise BadInput(f"A request may have {MOST_PHOTOS} photographs.")
    law, names = _text(fields, "law"), [name for name in _texts(fields, "name") if name]
    if not names and not files:
        raise BadInput(NOBODY)
    return {
        "names": names,
        "facts": [{"attribute": about, "value": fact} for about, fact in _facts(fields)],
        "photos": [f"data:image/png;base64,{base64.b64encode(file.file.read()).decode()}" for file in files],
        "regime": law if law in REGIMES else None,
    }


def _typed(fields: FormData) -> dict[str, Any]:
    return {"names": _texts(fields, "name"), "facts": _facts(fields), "law": _text(fields, "law")}


def _facts(fields: FormData) -> list[tuple[str, str]]:
    rows = zip(_texts(fields, "about"), _texts(fields, "fact"), strict=False)
    return [(about, fact) for about, fact in rows if about or fact]


def _text(fields: FormData, name: str) -> str:
    value = fields.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _texts(fields: FormData, name: str) -> list[str]:
    return [value.strip() for value in fields.getlist(name) if isinstance(value, str)]


@asynccontextmanager
async def _place(request: Request, number: uuid.UUID) -> AsyncIterator[None]:
    """A place among the requests with photographs that are read at once, one for each form.

    Raises NotReady where all are taken, Conflict where the form has one: whoever sends slowly holds no more.
    """
    under_way: set[uuid.UUID] = request.app.state.forms_under_way
    if number in under_way:
        raise Conflict(service.BEING_SENT)
    if len(under_way) >= AT_ONCE:
        raise NotReady(service.FULL, retry_after_s=10)
    under_way.add(number)
    try:
        yield
    finally:
        under_way.discard(number)


def _count(request: Request, rate: str, key: str) -> None:
    request.app.state.rate_limiter.count(parse(rate), key, "form requests")


def _form_of(request: Request, token: str) -> uuid.UUID:
    """The form of a link. Raises NotFound for a forged one, before the database is asked."""
    return links.form_of(request.app.state.context.keys, token)


def _context(request: Request) -> AppContext:
    """The context of the tenant of the form."""
    context: AppContext = request.app.state.context
    tenant = settings_of(request).tenant
    with transaction(context.database) as session:
        return context.of_tenant(tenant, model_in_use(session, tenant))


def _language(request: Request, chosen: str = "") -> Language:
    return choose_language(
        chosen or request.query_params.get("lang"), request.headers.get("accept-language", ""), TRANSLATIONS
    )


def _state_page(
    request: Request,
    token: str,
    state: FormState,
    error: LacunaError | None = None,
    status: int = 200,
    typed: dict[str, Any] | None = None,
) -> Response:
    chosen = request.query_params.get("lang") or state.language
    language = choose_language(chosen, "", TRANSLATIONS)
    template = "status.html" if state.stage else "details.html" if state.proved else "code.html"
    return _page(
        request,
        language,
        template,
        status,
        here=page_of(token),
        state=state,
        error=error,
        typed=typed or {"names": [], "facts": [], "law": ""},
        name_rows=NAME_ROWS,
        fact_rows=FACT_ROWS,
        most_photos=MOST_PHOTOS,
    )


def _page(request: Request, language: Language, template: str, status: int = 200, **values: Any) -> Response:
    own = {
        "language": language,
        "languages": LANGUAGES,
        "controller": request.app.state.context.controller,
        "start": START,
    }
    shown = {"here": START, **values}
    return HTMLResponse(_environment(language).get_template(template).render(own | shown), status, HEADERS)


def _error_page(request: Request, error: LacunaError, status: int) -> Response:
    if isinstance(error, TooManyRequests):
        error = TooManyRequests(TOO_MANY, **error.extra)
    page = _page(request, _language(request), "error.html", status, error=error)
    if "retry_after_s" in error.extra:
        page.headers["Retry-After"] = str(error.extra["retry_after_s"])
    return page


@lru_cache
def _style() -> str:
    return (FOLDER / "static" / "form.css").read_text("utf-8")


@lru_cache
def _environment(language: Language) -> Environment:
    environment = open_templates(FOLDER / "templates", language)
    environment.filters["day"] = lambda text: language.date(date.fromisoformat(text))
    return environment
