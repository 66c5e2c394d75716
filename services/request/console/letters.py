"""/console/tickets/{id}/letters: write a letter to the person, record it as it is sent, and read it again."""

import json
import uuid
from typing import Annotated, Any, Final

from fastapi import Query, Response

from services.request.console.routing import console_router
from services.request.console.visit import FormDep, Visit, VisitDep
from services.request.documents.language import LANGUAGES
from services.request.letters import endpoints as letters
from services.request.letters.drafts import LetterKind
from services.request.letters.endpoints import Format
from services.request.letters.responses import LetterDraftResponse, LetterList
from services.request.letters.schemas import LetterLanguage, LetterRecord
from services.request.tickets import endpoints as tickets
from shared.errors import BadInput

router = console_router()
PATH: Final = "/console/tickets/{ticket_id}/letters"
Language = Annotated[LetterLanguage | None, Query()]


def letters_of(visit: Visit, ticket_id: str) -> LetterList:
    """The recorded letters of a ticket and those that can be written now, for its page."""
    return letters.list_letters(ticket_id, visit.context, visit.principal)


@router.get(f"{PATH}/draft/{{kind}}")
def write(ticket_id: str, kind: LetterKind, visit: VisitDep, language: Language = None) -> Response:
    """A letter as its template has it, in a form where it can be changed."""
    return _page(visit, ticket_id, kind, language)


@router.get(f"{PATH}/draft/{{kind}}/{{format}}")
def download_draft(
    ticket_id: str, kind: LetterKind, format: Format, visit: VisitDep, language: Language = None
) -> Response:
    """The draft as a file."""
    read = visit.permit(letters.draft_letter)
    return read(ticket_id, kind, visit.context, visit.principal, language, format)


@router.post(f"{PATH}/draft/{{kind}}")
def record(ticket_id: str, kind: LetterKind, form: FormDep) -> Response:
    """Record it as it is sent. What cannot be used comes back with what was typed."""
    values = {"kind": kind, "language": form.text("language") or None, "text": form.text("text") or None}
    try:
        body = form.body(LetterRecord, values)
        form.visit.permit(letters.record_letter)(ticket_id, body, form.mutation())
    except BadInput as error:
        return _page(form.visit, ticket_id, kind, form.text("language") or None, form.text("text"), error)
    return form.done(f"/console/tickets/{ticket_id}", "letter")


@router.get(f"{PATH}/{{letter_id}}")
def show(ticket_id: str, letter_id: uuid.UUID, visit: VisitDep) -> Response:
    """A letter as it was recorded."""
    read = visit.permit(letters.show_letter)
    letter: dict[str, Any] = json.loads(bytes(read(ticket_id, letter_id, visit.context, visit.principal).body))
    return visit.page("letter_recorded.html", ticket_id=letter["ticket"], letter=letter)


@router.get(f"{PATH}/{{letter_id}}/{{format}}")
def download(ticket_id: str, letter_id: uuid.UUID, format: Format, visit: VisitDep) -> Response:
    """A recorded letter as a file."""
    return visit.permit(letters.show_letter)(ticket_id, letter_id, visit.context, visit.principal, format)


def _page(
    visit: Visit,
    ticket_id: str,
    kind: LetterKind,
    language: str | None,
    typed: str | None = None,
    error: BadInput | None = None,
) -> Response:
    seen = Response()
    tickets.show_ticket(ticket_id, visit.context, visit.principal, seen)
    answer = visit.permit(letters.draft_letter)(ticket_id, kind, visit.context, visit.principal, language)
    draft = LetterDraftResponse.model_validate_json(bytes(answer.body))
    return visit.page(
        "letter.html",
        error.status if error else 200,
        draft=draft,
        text=typed or draft.text,
        error=error,
        etag=seen.headers["etag"],
        choices=LANGUAGES,
        may_record=visit.may(letters.record_letter),
    )
