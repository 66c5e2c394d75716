"""What a page is given: who is signed in, what they may do, and the form that they sent.

A page calls the endpoint functions of the API, through `Visit.permit`: the same permissions, rules, transactions and
entries of the log, and nothing written twice. A form becomes a `Mutation` as a request of the API does: it carries a
key of its own, so that sending it twice changes things once, and the ETag of what its author saw.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from services.request.api.idempotency import Mutation
from services.request.auth.permissions import require_permission
from services.request.auth.principals import Principal
from services.request.console import sessions
from services.request.console.navigation import navigation
from services.request.console.rendering import render
from services.request.console.routing import language_of
from services.request.context import AppContext
from services.request.documents.language import Language
from shared.core.validation import summarize_validation_errors
from shared.errors import BadInput, Forbidden, Unauthorized

COOKIE: Final = "lacuna_console"
NOT_SIGNED_IN: Final = "Nobody is signed in."
FOREIGN: Final = "This form was not sent from a page of this console. Open the page again, and send it from there."
MOST_FIELDS: Final = 2000
MOST_FILES: Final = 50

Operation = TypeVar("Operation", bound=Callable[..., Any])
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Visit:
    """One request of somebody who is signed in."""

    request: Request
    context: AppContext
    principal: Principal
    language: Language
    csrf: str

    def may(self, operation: Callable[..., Any]) -> bool:
        """Whether roles and scopes allow the endpoint function `operation`; its rules may still refuse."""
        try:
            require_permission(self.principal, operation.__name__)
        except Forbidden:
            return False
        return True

    def permit(self, operation: Operation) -> Operation:
        """The endpoint function itself. Raises Forbidden or InsufficientScope as the API does."""
        require_permission(self.principal, operation.__name__)
        return operation

    def page(self, template: str, status_code: int = 200, **values: Any) -> Response:
        """The page made from `template`."""
        own = {
            "visit": self,
            "me": self.principal,
            "csrf": self.csrf,
            "once": secrets.token_urlsafe(18),
            "navigation": navigation(self.may, self.request.url.path),
            "done": self.request.query_params.get("done", ""),
        }
        return render(self.language, self.context.zone, template, status_code, **own, **values)

    def fragment(self, template: str, **values: Any) -> Response:
        """A part of a page that refreshes itself."""
        return render(self.language, self.context.zone, template, visit=self, **values)


@dataclass(frozen=True)
class Form:
    """A form that was sent by somebody who is signed in, from a page of the console."""

    visit: Visit
    fields: FormData

    def text(self, name: str) -> str:
        """A field without blanks around it; empty where it is missing or a file."""
        value = self.fields.get(name, "")
        return value.strip() if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """All values of a field that are not blank."""
        values = (value for value in self.fields.getlist(name) if isinstance(value, str))
        return [value.strip() for value in values if value.strip()]

    def lines(self, name: str) -> list[str]:
        """The lines of a field that are not blank."""
        return [line.strip() for line in self.text(name).splitlines() if line.strip()]

    def files(self, name: str) -> list[UploadFile]:
        """The files of a field; a browser sends a nameless one where none was chosen."""
        return [value for value in self.fields.getlist(name) if isinstance(value, UploadFile) and value.filename]

    def body(self, model: type[Model], values: dict[str, Any]) -> Model:
        """The body that the endpoint takes. Raises BadInput, which names the fields that cannot be used."""
        return read_body(model, values)

    def mutation(self, etag: str | None = None, part: str = "") -> Mutation:
        """The change that the form asks for, based on `etag` or on its field of that name.

        `part` distinguishes the changes of a form that makes several. The same form sent twice is one change; one that
        somebody went back to and filled in anew is another.
        """
        digest = hashlib.sha256(f"{self.visit.request.url.path}\n{part}\n{self._digest()}".encode()).hexdigest()
        return Mutation(
            self.visit.context,
            self.visit.principal,
            f"console-{digest}" if self.text("once") else None,
            etag or self.text("etag") or None,
            digest,
        )

    def done(self, path: str, what: str) -> Response:
        """To the page `path`, which then says that `what` is done: loading it again sends nothing again."""
        return RedirectResponse(f"{path}?done={what}", 303)

    def _digest(self) -> str:
        """SHA-256 of everything that was sent, `once` among it, which no other page has."""
        sent = [
            (name, value if isinstance(value, str) else _file_digest(value))
            for name, value in self.fields.multi_items()
        ]
        return hashlib.sha256(json.dumps(sent).encode()).hexdigest()


def _file_digest(file: UploadFile) -> str:
    digest = hashlib.sha256()
    while piece := file.file.read(1 << 20):
        digest.update(piece)
    file.file.seek(0)
    return digest.hexdigest()


def read_body(model: type[Model], values: Mapping[str, Any]) -> Model:
    """`values` as the API reads them. Raises BadInput, which names the fields that cannot be used."""
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise BadInput(summarize_validation_errors(exc.errors())) from exc


def first_moment(day: str, zone: str) -> datetime:
    """The first moment of a day, typed as year-month-day, on the clocks of `zone`. Raises BadInput."""
    try:
        return datetime.combine(date.fromisoformat(day), time(), ZoneInfo(zone))
    except ValueError as exc:
        raise BadInput("A day is written as year-month-day.") from exc


def visit_of(request: Request) -> Visit:
    """Who sent the request. Raises Unauthorized where nobody is signed in, TooManyRequests above the rate limit."""
    state = request.app.state
    secret = request.cookies.get(COOKIE)
    if not secret:
        raise Unauthorized(NOT_SIGNED_IN)
    principal = sessions.principal_of(state.context.database, secret)
    state.rate_limiter.count_request(f"{principal.tenant_id}/{principal.owner}")
    token = csrf_token(state.context, secret)
    context = state.context.of_tenant(principal.tenant_id, principal.model_id)
    return Visit(request, context, principal, language_of(request), token)


def csrf_token(context: AppContext, secret: str) -> str:
    """What every form of the session with this cookie carries: nobody without the key and the cookie can say it."""
    return hmac.digest(context.keys.secret("console form"), sessions.session_id(secret).encode(), "sha256").hex()


def require_same_origin(request: Request) -> None:
    """Raise Forbidden for a form that another site sent: a browser names the origin of every form."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden(FOREIGN)
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden(FOREIGN)


async def _form(request: Request) -> AsyncIterator[Form]:
    """The session is looked at before the body is read."""
    visit = await run_in_threadpool(visit_of, request)
    require_same_origin(request)
    fields = await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS)
    try:
        token = fields.get("csrf")
        if not isinstance(token, str) or not hmac.compare_digest(token.encode(), visit.csrf.encode()):
            raise Forbidden(FOREIGN)
        yield Form(visit, fields)
    finally:
        await fields.close()


VisitDep = Annotated[Visit, Depends(visit_of)]
FormDep = Annotated[Form, Depends(_form)]
