"""/console/tickets/new and /console/tickets/{id}/edit: file a request, and correct its material."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from fastapi import Response
from starlette.datastructures import UploadFile

from services.request.console.routing import console_router
from services.request.console.visit import Form, FormDep, Visit, VisitDep, first_moment
from services.request.tickets import endpoints as tickets
from services.request.tickets.schemas import TicketCreate, TicketUpdate
from shared.domain.regimes import REGIMES
from shared.errors import LacunaError
from shared.probes.attribute_types import LANGUAGES

router = console_router()
FACT_COLUMNS: Final = ("attribute", "value", "aliases")
FACT_ROWS: Final = 10  # of the form; an import takes more
NAME_ROWS: Final = 4
LINES: Final = ("source", "external_ref", "regime", "calendar", "received_on", "urgent")
NOTHING_TYPED: Final[Mapping[str, Any]] = dict.fromkeys(LINES, "") | {"names": (), "facts": (), "languages": ()}
NEW: Final = "/console/tickets/new"


@router.get(NEW)
def show_form(visit: VisitDep) -> Response:
    """The form of a new request."""
    visit.permit(tickets.submit)
    return _form_page(visit, {**NOTHING_TYPED, "languages": visit.context.languages})


@router.post(NEW)
def file(form: FormDep) -> Response:
    """File it. What cannot be used brings the form back with what was typed; photographs have to be chosen again."""
    submit = form.visit.permit(tickets.submit)
    try:
        values = _material(form) | {
            "urgent": bool(form.text("urgent")),
            "source": form.text("source") or "console",
            "external_ref": form.text("external_ref") or None,
            "regime": form.text("regime") or None,
            "calendar": form.text("calendar") or None,
            "received_at": _received_at(form),
            "languages": form.texts("languages") or None,
        }
        answer = submit(form.body(TicketCreate, values), form.mutation())
    except LacunaError as error:
        if error.status not in (409, 413, 422):
            raise
        return _form_page(form.visit, _typed(form), error)
    return form.done(f"/console/tickets/{json.loads(bytes(answer.body))['id']}", "submit")


@router.get("/console/tickets/{ticket_id}/edit")
def show_edit(ticket_id: str, visit: VisitDep) -> Response:
    """The form with which the material is corrected. It is empty: what is sealed is not shown."""
    visit.permit(tickets.edit_ticket)
    return _edit_page(visit, ticket_id, NOTHING_TYPED)


@router.post("/console/tickets/{ticket_id}/edit")
def edit(ticket_id: str, form: FormDep) -> Response:
    """Replace what was entered; what was left empty stays."""
    change = form.visit.permit(tickets.edit_ticket)
    try:
        values = {name: value for name, value in _material(form).items() if value}
        if languages := form.texts("languages"):
            values["languages"] = languages
        change(ticket_id, form.body(TicketUpdate, values), form.mutation())
    except LacunaError as error:
        if error.status not in (413, 422):
            raise
        return _edit_page(form.visit, ticket_id, _typed(form), error)
    return form.done(f"/console/tickets/{ticket_id}", "edit")


def _form_page(visit: Visit, typed: Mapping[str, Any], error: LacunaError | None = None) -> Response:
    return visit.page(
        "filing.html",
        error.status if error else 200,
        typed=typed,
        error=error,
        regimes=list(REGIMES),
        known_languages=LANGUAGES,
        name_rows=NAME_ROWS,
        fact_rows=FACT_ROWS,
        defaults=visit.context,
    )


def _edit_page(visit: Visit, ticket_id: str, typed: Mapping[str, Any], error: LacunaError | None = None) -> Response:
    seen = Response()
    ticket = visit.permit(tickets.show_ticket)(ticket_id, visit.context, visit.principal, seen)
    return visit.page(
        "edit.html",
        error.status if error else 200,
        typed=typed,
        error=error,
        ticket=ticket,
        etag=seen.headers["etag"],
        known_languages=LANGUAGES,
        name_rows=NAME_ROWS,
        fact_rows=FACT_ROWS,
    )


def _material(form: Form) -> dict[str, Any]:
    """Names, facts and photographs as the API takes them. A row that is empty is left out, one that is half is not."""
    rows = zip(
        form.fields.getlist("attribute"), form.fields.getlist("value"), form.fields.getlist("aliases"), strict=False
    )
    facts = [
        {"attribute": str(attribute), "value": str(value), "aliases": _split(str(aliases))}
        for attribute, value, aliases in rows
        if f"{attribute}{value}{aliases}".strip()
    ]
    return {"names": form.texts("name"), "facts": facts, "photos": [_photo(file) for file in form.files("photos")]}


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split("|") if part.strip()]


def _photo(file: UploadFile) -> str:
    """A photograph as the API takes it. Its bytes say of what kind it is, not the media type."""
    return f"data:image/png;base64,{base64.b64encode(file.file.read()).decode()}"


def _received_at(form: Form) -> datetime | None:
    """The first moment of the day of receipt; None where none was typed."""
    text = form.text("received_on")
    return first_moment(text, form.visit.context.zone) if text else None


def _typed(form: Form) -> dict[str, Any]:
    """What was typed, to be shown again."""
    texts = {name: form.text(name) for name in LINES}
    columns = [[str(value) for value in form.fields.getlist(name)] for name in FACT_COLUMNS]
    return texts | {
        "names": form.texts("name"),
        "facts": [row for row in zip(*columns, strict=False) if "".join(row).strip()],
        "languages": form.texts("languages"),
    }
