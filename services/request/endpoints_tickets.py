"""Tickets over HTTP: file, list, show, decide. The rules stand in `service.py`."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request import cursor, service, views
from services.request.caller import Caller
from services.request.door import Act, Acting, Answer, Desk, Who
from services.request.schemas import ApproveBody, Filters, RejectBody, SearchBody, TicketBody, WithdrawBody
from services.request.service import Office
from shared.db import repository as rows
from shared.db import repository_tickets as tickets
from shared.db.models import Ticket
from shared.db.session import transaction

router = APIRouter(tags=["tickets"])


@router.post("/v1/tickets", status_code=201)
def submit(body: TicketBody, act: Act) -> JSONResponse:
    """File a request to be forgotten."""

    def work(session: Session) -> Answer:
        filed = service.submit(session, act.office, act.who, body)
        return Answer(views.filed(filed), 201, etag(filed.ticket), f"/v1/tickets/{filed.ticket.id}")

    return act.once(work)


@router.get("/v1/tickets")
def list_tickets(
    office: Desk,
    who: Who,
    filters: Annotated[Filters, Query()],
) -> dict[str, Any]:
    """The newest tickets first, with a due filter what is due first; `next` is the cursor of the next page, null on the
    last. No personal data in a URL.
    """
    return _page(office, who, filters, ())


@router.post("/v1/tickets/search")
def search_tickets(body: SearchBody, office: Desk, who: Who) -> dict[str, Any]:
    """As the list, by name too: found by the keyed blind index, so the name is kept and logged nowhere."""
    return _page(office, who, body, tuple(office.keys.blind_index(name) for name in body.names))


def _page(office: Office, who: Caller, asked: Filters, subjects: tuple[str, ...]) -> dict[str, Any]:
    due = tickets.Due(asked.due_after, asked.due_before, asked.overdue)
    query = [who.tenant_id, asked.state, asked.urgent, asked.submitted_before, asked.source, sorted(subjects), due]
    secret = office.keys.secret("cursor")
    place = None
    if asked.cursor is not None:
        at, last = cursor.unseal(secret, query, asked.cursor, 2)
        place = (datetime.fromisoformat(at), last)
    with transaction(office.database) as session:
        found = tickets.page(
            session,
            who.tenant_id,
            state=asked.state,
            urgent=asked.urgent,
            before=asked.submitted_before,
            source=asked.source,
            subjects=subjects,
            due=due,
            after=place,
            limit=asked.limit + 1,
        )
        items = views.tickets(session, found[: asked.limit])
    more = len(found) > asked.limit
    last_row = found[asked.limit - 1] if more else None
    following = None
    if last_row is not None:
        last_at = last_row.due_at if due.asked and last_row.due_at else last_row.submitted_at
        following = cursor.seal(secret, query, [last_at.isoformat(), last_row.id])
    return {"items": items, "next": following}


@router.get("/v1/tickets/{ticket_id}")
def show_ticket(ticket_id: str, office: Desk, who: Who, response: Response) -> dict[str, Any]:
    """One ticket with its history; its ETag is what a change is based on."""
    with transaction(office.database) as session:
        ticket = rows.get_ticket(session, who.tenant_id, ticket_id)
        response.headers["ETag"] = etag(ticket)
        return views.ticket_with_events(session, ticket)


@router.post("/v1/tickets/{ticket_id}/approve")
def approve(ticket_id: str, body: ApproveBody, act: Act) -> JSONResponse:
    """Approve a ticket that somebody else filed."""
    return change(act, ticket_id, lambda session: service.approve(session, act.who, ticket_id, body))


@router.post("/v1/tickets/{ticket_id}/reject")
def reject(ticket_id: str, body: RejectBody, act: Act) -> JSONResponse:
    """Reject a ticket with the reason that the person is told."""
    return change(act, ticket_id, lambda session: service.reject(session, act.who, ticket_id, body))


@router.post("/v1/tickets/{ticket_id}/withdraw")
def withdraw(ticket_id: str, body: WithdrawBody, act: Act) -> JSONResponse:
    """Take a ticket back."""
    return change(act, ticket_id, lambda session: service.withdraw(session, act.who, ticket_id, body))


def etag(ticket: Ticket) -> str:
    """Changes whenever the ticket does."""
    return f'"{ticket.version}"'


def shown(session: Session, ticket: Ticket) -> Answer:
    """The ticket with its history and its ETag as an answer."""
    session.flush()
    return Answer(views.ticket_with_events(session, ticket), etag=etag(ticket))


def change(act: Acting, ticket_id: str, do: service.Change) -> JSONResponse:
    """Every change of a ticket: locked, based on what was seen (If-Match), done once, answered with the new state."""

    def work(session: Session) -> Answer:
        act.unchanged(etag(rows.get_ticket(session, act.who.tenant_id, ticket_id, lock=True)))
        return shown(session, do(session))

    return act.once(work)
