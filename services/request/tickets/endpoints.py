"""/v1/tickets and /v1/escalations: file requests to be forgotten, find them, decide them, and everything in between.

The rules are in the other modules of this folder, one for each idea.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api import pagination
from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import Mutation, MutationDep, MutationResult
from services.request.api.preconditions import etag
from services.request.api.schemas import ReasonBody
from services.request.auth.principals import Principal
from services.request.context import AppContext
from services.request.letters import drafts
from services.request.tickets import (
    amendments,
    assignments,
    deadlines,
    duplicates,
    identity_checks,
    intake,
    legal_holds,
    material_checks,
    service,
)
from services.request.tickets.drafts import Drafts
from services.request.tickets.responses import (
    AssigneeList,
    AssigneeResponse,
    ClockResponse,
    ExtendedTicketResponse,
    MaterialResponse,
    RefusalResponse,
    TicketList,
    TicketPage,
    TicketResponse,
    clock_response,
    filed_ticket_response,
    ticket_response,
    ticket_summaries,
)
from services.request.tickets.schemas import (
    IdentityCheckCreate,
    TicketApprove,
    TicketAssign,
    TicketCreate,
    TicketFilter,
    TicketReject,
    TicketSearch,
    TicketUpdate,
    TicketWithdraw,
)
from shared.db.models.tickets import Ticket
from shared.db.repositories import ticket_search
from shared.db.repositories import tickets as tickets_repository
from shared.db.session import transaction
from shared.errors import Conflict, StoreUnavailable

router = APIRouter(tags=["tickets"])
MOST_ESCALATIONS: Final = 200
MATERIAL: Final = frozenset({"names", "facts", "photos"})


@router.post("/v1/tickets", status_code=201, response_model=TicketResponse)
def submit(body: TicketCreate, mutation: MutationDep) -> JSONResponse:
    """File a request to be forgotten."""

    drafts = Drafts(mutation.context)

    def work(session: Session) -> MutationResult:
        filed = intake.submit(session, mutation.context, mutation.principal, body, drafts)
        location = f"/v1/tickets/{filed.ticket.id}"
        return MutationResult(filed_ticket_response(filed), 201, _etag(filed.ticket), location)

    with drafts:
        return mutation.run_once(work)


@router.get("/v1/tickets")
def list_tickets(context: ContextDep, principal: PrincipalDep, filters: Annotated[TicketFilter, Query()]) -> TicketPage:
    """Tickets, the newest first, or with a filter on the due date what is due first.

    `next` is the cursor of the next page, null on the last page. No URL holds personal data.
    """
    return _page(context, principal, filters, ())


@router.post("/v1/tickets/search")
def search_tickets(body: TicketSearch, context: ContextDep, principal: PrincipalDep) -> TicketPage:
    """As the list, by name too, however it is spelled, or by external reference. Names are looked up by keys alone."""
    return _page(context, principal, body, tuple(context.keys.person_keys(body.names)), body.external_ref)


@router.get("/v1/tickets/{ticket_id}")
def show_ticket(ticket_id: str, context: ContextDep, principal: PrincipalDep, response: Response) -> TicketResponse:
    """One ticket with its history. A change of the ticket is based on its ETag."""
    with transaction(context.database) as session:
        ticket = tickets_repository.get_ticket(session, principal.tenant_id, ticket_id)
        response.headers["ETag"] = _etag(ticket)
        return ticket_response(session, ticket)


@router.patch("/v1/tickets/{ticket_id}", response_model=TicketResponse)
def edit_ticket(ticket_id: str, body: TicketUpdate, mutation: MutationDep) -> JSONResponse:
    """Correct a ticket's material before it is decided. Whoever edits a ticket cannot approve it."""
    replaced: list[str] = []

    def amend(session: Session, ticket: Ticket) -> None:
        key = amendments.amend(session, mutation.context, mutation.principal, ticket, body)
        if key is not None:
            replaced.append(key)

    answer = _change(mutation, ticket_id, amend)
    for key in replaced:
        with suppress(StoreUnavailable):  # nobody can open the object any more: its key went with the old row
            mutation.context.store.delete(key)
    return answer


@router.post("/v1/tickets/{ticket_id}/approve", response_model=TicketResponse)
def approve(ticket_id: str, body: TicketApprove, mutation: MutationDep) -> JSONResponse:
    """Approve a ticket that somebody else filed, naming all whom it is about or having looked at its material."""
    return _change(
        mutation,
        ticket_id,
        lambda session, ticket: service.approve(session, mutation.context, mutation.principal, ticket, body),
    )


@router.post("/v1/tickets/{ticket_id}/material", response_model=MaterialResponse)
def show_material(ticket_id: str, body: ReasonBody, mutation: MutationDep) -> JSONResponse:
    """Show the sealed material to an approver. The reason stands in the history, and a leaf in the log."""

    def show(session: Session) -> MutationResult:
        ticket = _finder(mutation, ticket_id)(session)
        return MutationResult(material_checks.show(session, mutation.context, mutation.principal, ticket, body.reason))

    return mutation.run_once(show, hide=MATERIAL)


@router.post("/v1/tickets/{ticket_id}/reject", response_model=TicketResponse)
def reject(ticket_id: str, body: TicketReject, mutation: MutationDep) -> JSONResponse:
    """Reject a ticket with the reason that the person is told."""
    return _change(
        mutation, ticket_id, lambda session, ticket: service.reject(session, mutation.principal, ticket, body)
    )


@router.post("/v1/tickets/{ticket_id}/withdraw", response_model=TicketResponse)
def withdraw(ticket_id: str, body: TicketWithdraw, mutation: MutationDep) -> JSONResponse:
    """Take a ticket back."""
    return _change(
        mutation, ticket_id, lambda session, ticket: service.withdraw(session, mutation.principal, ticket, body)
    )


@router.post("/v1/tickets/{ticket_id}/identity", response_model=TicketResponse)
def identify_ticket(ticket_id: str, body: IdentityCheckCreate, mutation: MutationDep) -> JSONResponse:
    """Record whether the person who asks is the person whom the ticket names. Doubts stop the clock."""
    return _change(
        mutation,
        ticket_id,
        lambda session, ticket: identity_checks.identify(session, mutation.principal, ticket, body),
    )


@router.post("/v1/tickets/{ticket_id}/extend", response_model=ExtendedTicketResponse)
def extend_ticket(ticket_id: str, body: ReasonBody, mutation: MutationDep) -> JSONResponse:
    """Extend the deadline, once, inside the first period. The answer has the notice to the person."""

    def extend(session: Session, ticket: Ticket) -> ExtendedTicketResponse:
        notice = deadlines.extend(session, mutation.context, mutation.principal, ticket, body.reason)
        session.flush()
        return ExtendedTicketResponse(**dict(ticket_response(session, ticket)), letter=notice)

    return mutation.change_once(_finder(mutation, ticket_id), _etag, extend)


@router.post("/v1/tickets/{ticket_id}/hold", response_model=TicketResponse)
def hold_ticket(ticket_id: str, body: ReasonBody, mutation: MutationDep) -> JSONResponse:
    """Put the ticket's material under a legal hold."""
    return _change(
        mutation, ticket_id, lambda session, ticket: legal_holds.hold(session, mutation.principal, ticket, body.reason)
    )


@router.post("/v1/tickets/{ticket_id}/release", response_model=TicketResponse)
def release_ticket(ticket_id: str, body: ReasonBody, mutation: MutationDep) -> JSONResponse:
    """Ask for the release of a hold. When a second person asks, the hold is released."""
    return _change(
        mutation,
        ticket_id,
        lambda session, ticket: legal_holds.release(session, mutation.principal, ticket, body.reason),
    )


@router.post("/v1/tickets/{ticket_id}/assign", response_model=TicketResponse)
def assign_ticket(ticket_id: str, body: TicketAssign, mutation: MutationDep) -> JSONResponse:
    """Say who handles a ticket. It gives nobody a right; the history keeps it."""
    return _change(
        mutation, ticket_id, lambda session, ticket: assignments.assign(session, mutation.principal, ticket, body.to)
    )


@router.get("/v1/assignees")
def list_assignees(context: ContextDep, principal: PrincipalDep) -> AssigneeList:
    """The people whom a ticket can be assigned to."""
    with transaction(context.database) as session:
        found = assignments.assignees(session, principal.tenant_id)
        return AssigneeList(items=[AssigneeResponse(id=person.id, name=person.name) for person in found])


@router.post("/v1/tickets/{ticket_id}/distinguish", response_model=TicketResponse)
def distinguish_ticket(ticket_id: str, body: ReasonBody, mutation: MutationDep) -> JSONResponse:
    """Decide that a ticket is not a duplicate after all."""
    return _change(
        mutation,
        ticket_id,
        lambda session, ticket: duplicates.distinguish(session, mutation.principal, ticket, body.reason),
    )


@router.get("/v1/tickets/{ticket_id}/clock")
def ticket_clock(ticket_id: str, context: ContextDep, principal: PrincipalDep) -> ClockResponse:
    """What is due and when, from which events, by which law and calendar."""
    with transaction(context.database) as session:
        return clock_response(session, tickets_repository.get_ticket(session, principal.tenant_id, ticket_id))


@router.get("/v1/tickets/{ticket_id}/letter")
def ticket_letter(ticket_id: str, context: ContextDep, principal: PrincipalDep) -> RefusalResponse:
    """What a person is told whose request is refused: the draft of the letter, by the law of the ticket."""
    with transaction(context.database) as session:
        ticket = tickets_repository.get_ticket(session, principal.tenant_id, ticket_id)
        if ticket.state != "rejected" or ticket.decision_code is None:
            raise Conflict(f"{ticket.id} is not rejected: there is nothing to explain.")
        letter = drafts.draft(session, ticket, "refusal", context.controller, principal.owner)
        return RefusalResponse(ticket=ticket.id, code=ticket.decision_code, letter=letter.text)


@router.get("/v1/escalations")
def list_escalations(context: ContextDep, principal: PrincipalDep) -> TicketList:
    """Open tickets, what is due first, with the highest share of the statutory time that was recorded."""
    running = select(Ticket).where(Ticket.tenant_id == principal.tenant_id, Ticket.clock != "stopped")
    with transaction(context.database) as session:
        tickets = session.scalars(running.order_by(Ticket.due_at, Ticket.id).limit(MOST_ESCALATIONS)).all()
        return TicketList(items=ticket_summaries(session, tickets))


def _change(mutation: Mutation, ticket_id: str, change: Callable[[Session, Ticket], object]) -> JSONResponse:
    """Change a ticket once: it is locked, If-Match is checked, and the answer is the ticket as it is then."""

    def work(session: Session, ticket: Ticket) -> TicketResponse:
        change(session, ticket)
        session.flush()
        return ticket_response(session, ticket)

    return mutation.change_once(_finder(mutation, ticket_id), _etag, work)


def _finder(mutation: Mutation, ticket_id: str) -> Callable[[Session], Ticket]:
    tenant = mutation.principal.tenant_id
    return lambda session: tickets_repository.get_ticket(session, tenant, ticket_id, lock=True)


def _etag(ticket: Ticket) -> str:
    return etag(ticket.version)


def _page(
    context: AppContext,
    principal: Principal,
    filters: TicketFilter,
    subjects: tuple[str, ...],
    external_ref: str | None = None,
) -> TicketPage:
    due = ticket_search.DueFilter(filters.due_after, filters.due_before, filters.overdue)
    assigned = principal.person_id if filters.assigned == "me" else filters.assigned
    cursor_scope = [
        principal.tenant_id,
        filters.state,
        filters.urgent,
        filters.submitted_before,
        filters.source,
        str(assigned),
        sorted(subjects),
        external_ref,
        due,
    ]
    secret = context.keys.secret("cursor")
    after = None
    if filters.cursor is not None:
        last_at, last_id = pagination.decode_cursor(secret, cursor_scope, filters.cursor, 2)
        after = (datetime.fromisoformat(last_at), last_id)
    query = ticket_search.TicketQuery(
        state=filters.state,
        urgent=filters.urgent,
        submitted_before=filters.submitted_before,
        source=filters.source,
        assigned_to=assigned,
        external_ref=external_ref,
        subjects=subjects,
        due=due,
        after=after,
        limit=filters.limit + 1,  # one more than is shown says whether there is a next page
    )
    with transaction(context.database) as session:
        tickets = ticket_search.search(session, principal.tenant_id, query)
        items = ticket_summaries(session, tickets[: filters.limit])
    next_cursor = None
    if len(tickets) > filters.limit:
        last = tickets[filters.limit - 1]
        last_moment = last.due_at if due.is_set and last.due_at else last.submitted_at
        next_cursor = pagination.encode_cursor(secret, cursor_scope, [last_moment.isoformat(), last.id])
    return TicketPage(items=items, next=next_cursor)
