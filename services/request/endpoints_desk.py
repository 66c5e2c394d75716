"""The desk over HTTP: clock, identity, edits, holds, duplicates, letters; forward rollback, break-glass, exposure.

The rules stand in `facets.py`, `edit.py` and `glass.py`.
"""

import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request import edit, escalate, facets, glass, letters, views
from services.request.actor import Actor
from services.request.schemas_desk import BreakGlassBody, EditBody, IdentityBody, ReasonBody
from services.request.service import Office
from shared.db import repository as rows
from shared.db.models import BreakGlass, EraserVersion, Exposure, Ticket
from shared.db.session import transaction
from shared.errors import Conflict, PreconditionFailed, StoreUnavailable, Unauthorized
from shared.web import allow, bearer

router = APIRouter(tags=["desk"])
READ: Final = ("requester", "officer", "approver", "auditor", "operator", "admin")
MANAGE: Final = ("officer", "approver", "admin")
FORWARD: Final = ("operator", "admin")
ADMIN: Final = ("admin",)


def _office(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


Desk = Annotated[Office, Depends(_office)]


def _person(request: Request, office: Desk) -> Actor:
    key = bearer(request)
    with transaction(office.database) as session:
        found = rows.find_api_key(session, key)
    if found is None:
        raise Unauthorized("This key is not known, or was revoked.")
    return found


Who = Annotated[Actor, Depends(_person)]
IfMatch = Annotated[str | None, Header()]


def _change(
    office: Office,
    who: Actor,
    ticket_id: str,
    if_match: str | None,
    response: Response,
    do: Callable[[Session, Ticket], Any],
) -> dict[str, Any]:
    """One change of a ticket: locked, based on what was seen, answered with the new state and what `do` adds."""
    with transaction(office.database) as session:
        ticket = rows.get_ticket(session, who.tenant_id, ticket_id, lock=True)
        if if_match is not None and if_match.strip().strip('"') != str(ticket.version):
            raise PreconditionFailed(f"{ticket.id} was changed in the meantime: look at it again.")
        more = do(session, ticket)
        session.flush()
        response.headers["ETag"] = f'"{ticket.version}"'
        return views.ticket_with_events(session, ticket) | (more or {})


@router.patch("/v1/tickets/{ticket_id}")
def edit_ticket(
    ticket_id: str, body: EditBody, office: Desk, who: Who, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Correct a ticket's material before it is decided; whoever edits cannot approve it."""
    allow(who.roles, MANAGE)
    old: list[str] = []

    def do(session: Session, ticket: Ticket) -> None:
        if (key := edit.edit(session, office, who, ticket, body)) is not None:
            old.append(key)

    answer = _change(office, who, ticket_id, if_match, response, do)
    for key in old:
        with suppress(StoreUnavailable):  # nobody can open it any more: its wrapped key went with the old row
            office.store.delete(key)
    return answer


@router.post("/v1/tickets/{ticket_id}/identity")
def identify_ticket(
    ticket_id: str, body: IdentityBody, office: Desk, who: Who, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Say whether it is that person who asks; doubts stop the clock."""
    allow(who.roles, MANAGE)
    return _change(
        office, who, ticket_id, if_match, response,
        lambda session, ticket: facets.identify(session, who, ticket, body.outcome, body.method, body.note),
    )  # fmt: skip


@router.post("/v1/tickets/{ticket_id}/extend")
def extend_ticket(
    ticket_id: str, body: ReasonBody, office: Desk, who: Who, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Take more time, once, inside the first period; answers with the letter to the person."""
    allow(who.roles, MANAGE)
    return _change(
        office, who, ticket_id, if_match, response,
        lambda session, ticket: {"letter": facets.extend(session, who, ticket, body.reason)},
    )  # fmt: skip


@router.post("/v1/tickets/{ticket_id}/hold")
def hold_ticket(
    ticket_id: str, body: ReasonBody, office: Desk, who: Who, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Put the ticket's material under a legal hold."""
    allow(who.roles, MANAGE)

    def do(session: Session, ticket: Ticket) -> None:
        facets.hold(session, who, ticket, body.reason)

    return _change(office, who, ticket_id, if_match, response, do)


@router.post("/v1/tickets/{ticket_id}/release")
def release_ticket(
    ticket_id: str, body: ReasonBody, office: Desk, who: Who, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """Ask for the release of a hold; asked by a second person, it is released."""
    allow(who.roles, MANAGE)

    def do(session: Session, ticket: Ticket) -> None:
        facets.release(session, who, ticket, body.reason)

    return _change(office, who, ticket_id, if_match, response, do)


@router.post("/v1/tickets/{ticket_id}/distinguish")
def distinguish_ticket(
    ticket_id: str, body: ReasonBody, office: Desk, who: Who, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    """It is no duplicate after all."""
    allow(who.roles, MANAGE)
    return _change(
        office, who, ticket_id, if_match, response,
        lambda session, ticket: facets.distinguish(session, who, ticket, body.reason),
    )  # fmt: skip


@router.get("/v1/tickets/{ticket_id}/clock")
def ticket_clock(ticket_id: str, office: Desk, who: Who) -> dict[str, Any]:
    """What is due and when, from which events, by which law and calendar."""
    allow(who.roles, READ)
    with transaction(office.database) as session:
        return views.clock(session, rows.get_ticket(session, who.tenant_id, ticket_id))


@router.get("/v1/tickets/{ticket_id}/letter")
def ticket_letter(ticket_id: str, office: Desk, who: Who) -> dict[str, Any]:
    """What a rejected person is told: reasons, complaint, judicial remedy (Article 12(4))."""
    allow(who.roles, READ)
    with transaction(office.database) as session:
        ticket = rows.get_ticket(session, who.tenant_id, ticket_id)
        if ticket.state != "rejected" or ticket.decision_code is None:
            raise Conflict(f"{ticket.id} is not rejected: there is nothing to explain.")
        received = rows.clock_events(session, ticket.id)[0].at.date().isoformat()
        letter = letters.refusal(ticket.id, ticket.decision_code, ticket.decision_note or "", received)
        return {"ticket": ticket.id, "code": ticket.decision_code, "letter": letter}


@router.post("/v1/erasers/{number}/forward", status_code=202)
def forward_eraser(number: int, office: Desk, who: Who) -> dict[str, Any]:
    """Go back to an older version's recipe without exposing anybody: a new version with today's tickets."""
    allow(who.roles, FORWARD)
    with transaction(office.database) as session:
        order = glass.forward(session, who, office.model_id, number)
    return {"id": order, "status": "ordered", "like": number}


@router.post("/v1/erasers/{number}/break-glass", status_code=202)
def ask_break_glass(number: int, body: BreakGlassBody, office: Desk, who: Who) -> dict[str, Any]:
    """Ask to serve a version although it exposes somebody; nothing happens until another admin confirms."""
    allow(who.roles, ADMIN)
    with transaction(office.database) as session:
        made = glass.ask(session, who, office.model_id, number, body.reason, body.minutes)
        session.flush()
        return _glass(session, made)


@router.post("/v1/break-glass/{glass_id}/confirm")
def confirm_break_glass(glass_id: uuid.UUID, office: Desk, who: Who) -> dict[str, Any]:
    """Confirm what another admin asked for."""
    allow(who.roles, ADMIN)
    with transaction(office.database) as session:
        made = glass.confirm(session, who, office.model_id, glass_id)
        session.flush()
        return _glass(session, made)


@router.post("/v1/break-glass/{glass_id}/end")
def end_break_glass(glass_id: uuid.UUID, office: Desk, who: Who) -> dict[str, Any]:
    """End it before its time: a version that covers everybody is served again."""
    allow(who.roles, FORWARD)
    with transaction(office.database) as session:
        rows.desired_state(session, office.model_id, lock=True)
        made = glass.get(session, office.model_id, glass_id, lock=True)
        glass.end(session, who.owner, made)
        return _glass(session, made)


@router.get("/v1/break-glass")
def list_break_glass(office: Desk, who: Who) -> dict[str, Any]:
    """All of them, newest first, with the exposure of each ticket in seconds."""
    allow(who.roles, READ)
    with transaction(office.database) as session:
        found = select(BreakGlass).where(BreakGlass.model_id == office.model_id).order_by(BreakGlass.asked_at.desc())
        return {"items": [_glass(session, one) for one in session.scalars(found.limit(100))]}


@router.get("/v1/break-glass/{glass_id}")
def show_break_glass(glass_id: uuid.UUID, office: Desk, who: Who) -> dict[str, Any]:
    """One of them."""
    allow(who.roles, READ)
    with transaction(office.database) as session:
        return _glass(session, glass.get(session, office.model_id, glass_id))


@router.get("/v1/escalations")
def list_escalations(office: Desk, who: Who) -> dict[str, Any]:
    """Open tickets by what is due first, with the highest step they have reached."""
    allow(who.roles, READ)
    with transaction(office.database) as session:
        found = select(Ticket).where(Ticket.tenant_id == who.tenant_id, Ticket.clock != "stopped")
        tickets = list(session.scalars(found.order_by(Ticket.due_at, Ticket.id).limit(200)))
        steps = escalate.highest(session, [one.id for one in tickets])
        return {"items": [views.ticket(one) | {"escalation": steps.get(one.id)} for one in tickets]}


def _glass(session: Session, one: BreakGlass) -> dict[str, Any]:
    ledger = session.scalars(select(Exposure).where(Exposure.break_glass_id == one.id).order_by(Exposure.ticket_id))
    state = "ended" if one.ended_at else "open" if one.confirmed_at else "asked"
    return {
        "id": str(one.id),
        "state": state,
        "version": session.get_one(EraserVersion, one.version_id).number,
        "reason": one.reason,
        "minutes": one.minutes,
        "asked_by": one.asked_by,
        "asked_at": one.asked_at,
        "confirmed_by": one.confirmed_by,
        "confirmed_at": one.confirmed_at,
        "expires_at": one.expires_at,
        "ended_by": one.ended_by,
        "ended_at": one.ended_at,
        "tickets": glass.tickets_of(session, one.id),
        "exposure": [
            {"ticket": e.ticket_id, "started_at": e.started_at, "ended_at": e.ended_at, "seconds": e.seconds}
            for e in ledger
        ],
    }
