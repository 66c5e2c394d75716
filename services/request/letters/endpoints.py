"""/v1/tickets/{id}/letters: drafts of letters to the person by the law of the ticket, and letters as they were sent."""

import uuid
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, encode_body
from services.request.api.preconditions import etag
from services.request.api.responses import ResponseModel
from services.request.letters import drafts, pdf, service
from services.request.letters.drafts import LetterKind
from services.request.letters.responses import (
    LetterDraftResponse,
    LetterList,
    LetterResponse,
    draft_response,
    letter_response,
    letter_summary,
)
from services.request.letters.schemas import LetterLanguage, LetterRecord
from shared.db.models.tickets import Ticket
from shared.db.repositories import letters, tickets
from shared.db.session import transaction

router = APIRouter(tags=["letters"])
Format = Literal["json", "text", "pdf"]
FormatQuery = Annotated[Format, Query(description="`text` and `pdf` are files.")]
LanguageQuery = Annotated[LetterLanguage | None, Query(description="The first of the ticket's where not given.")]
TEXT: Final = frozenset({"text"})


def _described(model: type[ResponseModel]) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "content": {"text/plain": {}, "application/pdf": {}}}}


@router.get("/v1/tickets/{ticket_id}/letters")
def list_letters(ticket_id: str, context: ContextDep, principal: PrincipalDep) -> LetterList:
    """The letters that were recorded for a ticket, without their texts, and those that can be written now."""
    with transaction(context.database) as session:
        ticket = tickets.get_ticket(session, principal.tenant_id, ticket_id)
        items = [letter_summary(letter) for letter in letters.list_letters(session, ticket.id)]
        return LetterList(items=items, possible=drafts.possible(session, ticket))


@router.get(
    "/v1/tickets/{ticket_id}/letters/draft/{kind}",
    response_class=Response,
    responses=_described(LetterDraftResponse),
)
def draft_letter(
    ticket_id: str,
    kind: LetterKind,
    context: ContextDep,
    principal: PrincipalDep,
    language: LanguageQuery = None,
    format: FormatQuery = "json",
) -> Response:
    """A letter as its template has it, by the law of the ticket. Nothing is recorded."""
    with transaction(context.database) as session:
        ticket = tickets.get_ticket(session, principal.tenant_id, ticket_id)
        draft = drafts.draft(session, ticket, kind, context.controller, principal.owner, language)
        return _answer(draft_response(ticket.id, draft), f"{ticket.id}-{kind}", format)


@router.post("/v1/tickets/{ticket_id}/letters", response_model=LetterResponse)
def record_letter(ticket_id: str, body: LetterRecord, mutation: MutationDep) -> JSONResponse:
    """Record a letter as it is sent. Its text is sealed; Lacuna sends nothing to people."""

    def find(session: Session) -> Ticket:
        return tickets.get_ticket(session, mutation.principal.tenant_id, ticket_id, lock=True)

    def change(session: Session, ticket: Ticket) -> LetterResponse:
        recorded = service.record(
            session, mutation.context, mutation.principal, ticket, body.kind, body.language, body.text
        )
        return letter_response(recorded)

    return mutation.change_once(find, lambda ticket: etag(ticket.version), change, hide=TEXT)


@router.get(
    "/v1/tickets/{ticket_id}/letters/{letter_id}", response_class=Response, responses=_described(LetterResponse)
)
def show_letter(
    ticket_id: str, letter_id: uuid.UUID, context: ContextDep, principal: PrincipalDep, format: FormatQuery = "json"
) -> Response:
    """A letter as it was recorded."""
    with transaction(context.database) as session:
        ticket = tickets.get_ticket(session, principal.tenant_id, ticket_id)
        recorded = service.open_letter(session, context.keys, ticket, letter_id)
        return _answer(letter_response(recorded), f"{ticket.id}-{recorded.letter.kind}", format)


def _answer(letter: LetterDraftResponse | LetterResponse, name: str, format: Format) -> Response:
    if format == "json":
        return JSONResponse(encode_body(letter))
    text = letter.text or ""
    ending = "txt" if format == "text" else "pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}.{ending}"'}
    if format == "text":
        return Response(text, media_type="text/plain; charset=utf-8", headers=headers)
    return Response(pdf.as_pdf(letter.kind, letter.language, text), media_type="application/pdf", headers=headers)
