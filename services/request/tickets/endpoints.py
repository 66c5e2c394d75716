"""The desk over HTTP: clock, identity, edits, holds, duplicates, letters; forward rollback, break-glass, exposure.

The rules stand in `facets.py`, `edit.py` and `glass.py`.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api import pagination
from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import Mutation, MutationDep, MutationResult
from services.request.api.schemas import ReasonBody
from services.request.auth.principals import Principal
from services.request.context import AppContext
from services.request.tickets import (
    amendments,
    deadlines,
    duplicates,
    escalations,
    identity_checks,
    intake,
    legal_holds,
    notices,
    responses,
    service,
)
from services.request.tickets.schemas import (
    Filters,
    IdentityCheckCreate,
    SearchBody,
    TicketApprove,
    TicketCreate,
    TicketReject,
    TicketUpdate,
    TicketWithdraw,
)
from shared.db.models.tickets import Ticket
from shared.db.repositories import ticket_clocks, ticket_search
from shared.db.repositories import tickets as tickets_repository
from shared.db.session import transaction
from shared.errors import Conflict, StoreUnavailable

router = APIRouter(tags=["tickets"])


@router.patch("/v1/tickets/{ticket_id}")
def edit_ticket(ticket_id: str, body: TicketUpdate, mutation: MutationDep) -> JSONResponse:
    """Correct a ticket's material before it is decided; whoever edits cannot approve it."""
    old: list[str] = []

    def do(session: Session, ticket: Ticket) -> None:
        if (key := amendments.amend(session, mutation.context, mutation.principal, ticket, body)) is not None:
            old.append(key)

    answer = _change(mutation, ticket_id, do)
    for key in old:
        with suppress(StoreUnavailable):  # nobody can open it any more: its wrapped key went with the old row
            mutation.context.store.delete(key)
    return answer


@router.post("/v1/tickets/{ticket_id}/identity")
def identify_ticket(ticket_id: str, body: IdentityCheckCreate, mutation: MutationDep) -> JSONResponse:
    """Say whether it is that person who asks; doubts stop the clock."""
    return _change(
        mutation, ticket_id,
        lambda session, ticket: identity_checks.identify(
            session, mutation.principal, ticket, body.outcome, body.method, body.note
        ),
    )  # fmt: skip


@router.post("/v1/tickets/{ticket_id}/extend")
def extend_ticket(ticket_id: str, body: ReasonBody, mutation: MutationDep) -> JSONResponse:
    """Take more time, once, inside the first period; answers with the letter to the person."""
    return _change(
        mutation, ticket_id,
        lambda session, ticket: {"letter": deadlines.extend(session, mutation.principal, ticket, body.reason)},
    )  # fmt: skip


@router.post("/v1/tickets/{ticket_id}/hold")
def hold_ticket(ticket_id: str, body: ReasonBody, mutation: MutationDep) -> JSONResponse:
    """Put the ticket's material under a legal hold."""

    def do(session: Session, ticket: Ticket) -> None:
        legal_holds.hold(session, mutation.principal, ticket, body.reason)

    return _change(mutation, ticket_id, do)


@router.post("/v1/tickets/{ticket_id}/release")
def release_ticket(ticket_id: str, body: ReasonBody, mutation: MutationDep) -> JSONResponse:
    """Ask for the release of a hold; asked by a second person, it is released."""

    def do(session: Session, ticket: Ticket) -> None:
        legal_holds.release(session, mutation.principal, ticket, body.reason)

    return _change(mutation, ticket_id, do)


@router.post("/v1/tickets/{ticket_id}/distinguish")
def distinguish_ticket(ticket_id: str, body: ReasonBody, mutation: MutationDep) -> JSONResponse:
    """It is no duplicate after all."""
    return _change(
        mutation, ticket_id,
        lambda session, ticket: duplicates.distinguish(session, mutation.principal, ticket, body.reason),
    )  # fmt: skip


@router.get("/v1/tickets/{ticket_id}/clock")
def ticket_clock(ticket_id: str, context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """What is due and when, from which events, by which law and calendar."""
    with transaction(context.database) as session:
        return responses.clock(session, tickets_repository.get_ticket(session, principal.tenant_id, ticket_id))


@router.get("/v1/tickets/{ticket_id}/letter")
def ticket_letter(ticket_id: str, context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """What a rejected person is told: reasons, complaint, judicial remedy (Article 12(4))."""
    with transaction(context.database) as session:
        ticket = tickets_repository.get_ticket(session, principal.tenant_id, ticket_id)
        if ticket.state != "rejected" or ticket.decision_code is None:
            raise Conflict(f"{ticket.id} is not rejected: there is nothing to explain.")
        received = ticket_clocks.list_clock_events(session, ticket.id)[0].at.date().isoformat()
        letter = notices.refusal_notice(ticket.id, ticket.decision_code, ticket.decision_note or "", received)
        return {"ticket": ticket.id, "code": ticket.decision_code, "letter": letter}


@router.get("/v1/escalations")
def list_escalations(context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """Open tickets by what is due first, with the highest step they have reached."""
    with transaction(context.database) as session:
        found = select(Ticket).where(Ticket.tenant_id == principal.tenant_id, Ticket.clock != "stopped")
        tickets = list(session.scalars(found.order_by(Ticket.due_at, Ticket.id).limit(200)))
        steps = escalations.highest_step(session, [one.id for one in tickets])
        return {"items": [responses.ticket(one) | {"escalation": steps.get(one.id)} for one in tickets]}


def _change(mutation: Mutation, ticket_id: str, do: Callable[[Session, Ticket], Any]) -> JSONResponse:
    """One change of a ticket: locked, based on what was seen, answered with the new state and what `do` adds."""

    def work(session: Session) -> MutationResult:
        ticket = tickets_repository.get_ticket(session, mutation.principal.tenant_id, ticket_id, lock=True)
        mutation.require_match(f'"{ticket.version}"')
        more = do(session, ticket)
        session.flush()
        return MutationResult(responses.ticket_with_events(session, ticket) | (more or {}), etag=f'"{ticket.version}"')

    return mutation.run_once(work)


@router.post("/v1/tickets", status_code=201)
def submit(body: TicketCreate, mutation: MutationDep) -> JSONResponse:
    """File a request to be forgotten."""

    def work(session: Session) -> MutationResult:
        filed = intake.submit(session, mutation.context, mutation.principal, body)
        return MutationResult(responses.filed(filed), 201, etag(filed.ticket), f"/v1/tickets/{filed.ticket.id}")

    return mutation.run_once(work)


@router.get("/v1/tickets")
def list_tickets(
    context: ContextDep,
    principal: PrincipalDep,
    filters: Annotated[Filters, Query()],
) -> dict[str, Any]:
    """The newest tickets first, with a due filter what is due first; `next` is the cursor of the next page, null on the
    last. No personal data in a URL.
    """
    return _page(context, principal, filters, ())


@router.post("/v1/tickets/search")
def search_tickets(body: SearchBody, context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """As the list, by name too: found by the keyed blind index, so the name is kept and logged nowhere."""
    return _page(context, principal, body, tuple(context.keys.blind_index(name) for name in body.names))


def _page(context: AppContext, principal: Principal, asked: Filters, subjects: tuple[str, ...]) -> dict[str, Any]:
    due = ticket_search.DueFilter(asked.due_after, asked.due_before, asked.overdue)
    query = [
        principal.tenant_id,
        asked.state,
        asked.urgent,
        asked.submitted_before,
        asked.source,
        sorted(subjects),
        due,
    ]
    secret = context.keys.secret("cursor")
    place = None
    if asked.cursor is not None:
        at, last = pagination.decode_cursor(secret, query, asked.cursor, 2)
        place = (datetime.fromisoformat(at), last)
    with transaction(context.database) as session:
        found = ticket_search.search(
            session,
            principal.tenant_id,
            ticket_search.TicketQuery(
                state=asked.state,
                urgent=asked.urgent,
                submitted_before=asked.submitted_before,
                source=asked.source,
                subjects=subjects,
                due=due,
                after=place,
                limit=asked.limit + 1,
            ),
        )
        items = responses.tickets(session, found[: asked.limit])
    more = len(found) > asked.limit
    last_row = found[asked.limit - 1] if more else None
    following = None
    if last_row is not None:
        last_at = last_row.due_at if due.is_set and last_row.due_at else last_row.submitted_at
        following = pagination.encode_cursor(secret, query, [last_at.isoformat(), last_row.id])
    return {"items": items, "next": following}


@router.get("/v1/tickets/{ticket_id}")
def show_ticket(ticket_id: str, context: ContextDep, principal: PrincipalDep, response: Response) -> dict[str, Any]:
    """One ticket with its history; its ETag is what a change is based on."""
    with transaction(context.database) as session:
        ticket = tickets_repository.get_ticket(session, principal.tenant_id, ticket_id)
        response.headers["ETag"] = etag(ticket)
        return responses.ticket_with_events(session, ticket)


@router.post("/v1/tickets/{ticket_id}/approve")
def approve(ticket_id: str, body: TicketApprove, mutation: MutationDep) -> JSONResponse:
    """Approve a ticket that somebody else filed."""
    return change(mutation, ticket_id, lambda session: service.approve(session, mutation.principal, ticket_id, body))


@router.post("/v1/tickets/{ticket_id}/reject")
def reject(ticket_id: str, body: TicketReject, mutation: MutationDep) -> JSONResponse:
    """Reject a ticket with the reason that the person is told."""
    return change(mutation, ticket_id, lambda session: service.reject(session, mutation.principal, ticket_id, body))


@router.post("/v1/tickets/{ticket_id}/withdraw")
def withdraw(ticket_id: str, body: TicketWithdraw, mutation: MutationDep) -> JSONResponse:
    """Take a ticket back."""
    return change(mutation, ticket_id, lambda session: service.withdraw(session, mutation.principal, ticket_id, body))


def etag(ticket: Ticket) -> str:
    """Changes whenever the ticket does."""
    return f'"{ticket.version}"'


def shown(session: Session, ticket: Ticket) -> MutationResult:
    """The ticket with its history and its ETag as an answer."""
    session.flush()
    return MutationResult(responses.ticket_with_events(session, ticket), etag=etag(ticket))


def change(mutation: Mutation, ticket_id: str, do: service.Change) -> JSONResponse:
    """Every change of a ticket: locked, based on what was seen (If-Match), done once, answered with the new state."""

    def work(session: Session) -> MutationResult:
        mutation.require_match(
            etag(tickets_repository.get_ticket(session, mutation.principal.tenant_id, ticket_id, lock=True))
        )
        return shown(session, do(session))

    return mutation.run_once(work)
