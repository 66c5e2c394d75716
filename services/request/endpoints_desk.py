"""The desk over HTTP: clock, identity, edits, holds, duplicates, letters; forward rollback, break-glass, exposure.

The rules stand in `facets.py`, `edit.py` and `glass.py`.
"""

import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request import edit, escalate, facets, glass, letters, views
from services.request.door import Act, Acting, Answer, Desk, Who
from services.request.endpoints_erasers import generation
from services.request.schemas_desk import BreakGlassBody, EditBody, IdentityBody, ReasonBody
from shared.db import repository as rows
from shared.db.models import BreakGlass, EraserVersion, Exposure, Ticket
from shared.db.session import transaction
from shared.errors import Conflict, StoreUnavailable

router = APIRouter(tags=["desk"])
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]


@router.patch("/v1/tickets/{ticket_id}")
def edit_ticket(ticket_id: str, body: EditBody, act: Act) -> JSONResponse:
    """Correct a ticket's material before it is decided; whoever edits cannot approve it."""
    old: list[str] = []

    def do(session: Session, ticket: Ticket) -> None:
        if (key := edit.edit(session, act.office, act.who, ticket, body)) is not None:
            old.append(key)

    answer = _change(act, ticket_id, do)
    for key in old:
        with suppress(StoreUnavailable):  # nobody can open it any more: its wrapped key went with the old row
            act.office.store.delete(key)
    return answer


@router.post("/v1/tickets/{ticket_id}/identity")
def identify_ticket(ticket_id: str, body: IdentityBody, act: Act) -> JSONResponse:
    """Say whether it is that person who asks; doubts stop the clock."""
    return _change(
        act, ticket_id,
        lambda session, ticket: facets.identify(session, act.who, ticket, body.outcome, body.method, body.note),
    )  # fmt: skip


@router.post("/v1/tickets/{ticket_id}/extend")
def extend_ticket(ticket_id: str, body: ReasonBody, act: Act) -> JSONResponse:
    """Take more time, once, inside the first period; answers with the letter to the person."""
    return _change(
        act, ticket_id,
        lambda session, ticket: {"letter": facets.extend(session, act.who, ticket, body.reason)},
    )  # fmt: skip


@router.post("/v1/tickets/{ticket_id}/hold")
def hold_ticket(ticket_id: str, body: ReasonBody, act: Act) -> JSONResponse:
    """Put the ticket's material under a legal hold."""

    def do(session: Session, ticket: Ticket) -> None:
        facets.hold(session, act.who, ticket, body.reason)

    return _change(act, ticket_id, do)


@router.post("/v1/tickets/{ticket_id}/release")
def release_ticket(ticket_id: str, body: ReasonBody, act: Act) -> JSONResponse:
    """Ask for the release of a hold; asked by a second person, it is released."""

    def do(session: Session, ticket: Ticket) -> None:
        facets.release(session, act.who, ticket, body.reason)

    return _change(act, ticket_id, do)


@router.post("/v1/tickets/{ticket_id}/distinguish")
def distinguish_ticket(ticket_id: str, body: ReasonBody, act: Act) -> JSONResponse:
    """It is no duplicate after all."""
    return _change(
        act, ticket_id,
        lambda session, ticket: facets.distinguish(session, act.who, ticket, body.reason),
    )  # fmt: skip


@router.get("/v1/tickets/{ticket_id}/clock")
def ticket_clock(ticket_id: str, office: Desk, who: Who) -> dict[str, Any]:
    """What is due and when, from which events, by which law and calendar."""
    with transaction(office.database) as session:
        return views.clock(session, rows.get_ticket(session, who.tenant_id, ticket_id))


@router.get("/v1/tickets/{ticket_id}/letter")
def ticket_letter(ticket_id: str, office: Desk, who: Who) -> dict[str, Any]:
    """What a rejected person is told: reasons, complaint, judicial remedy (Article 12(4))."""
    with transaction(office.database) as session:
        ticket = rows.get_ticket(session, who.tenant_id, ticket_id)
        if ticket.state != "rejected" or ticket.decision_code is None:
            raise Conflict(f"{ticket.id} is not rejected: there is nothing to explain.")
        received = rows.clock_events(session, ticket.id)[0].at.date().isoformat()
        letter = letters.refusal(ticket.id, ticket.decision_code, ticket.decision_note or "", received)
        return {"ticket": ticket.id, "code": ticket.decision_code, "letter": letter}


@router.post("/v1/erasers/{number}/forward", status_code=202)
def forward_eraser(number: Number, act: Act) -> JSONResponse:
    """Go back to an older version's recipe without exposing anybody: a new version with today's tickets."""

    def work(session: Session) -> Answer:
        rows.get_version(session, act.office.model_id, number)
        act.unchanged(generation(session, act.office.model_id, lock=True))
        order = glass.forward(session, act.who, act.office.model_id, number)
        return Answer({"id": order, "status": "ordered", "like": number}, 202)

    return act.once(work)


@router.post("/v1/erasers/{number}/break-glass", status_code=202)
def ask_break_glass(number: Number, body: BreakGlassBody, act: Act) -> JSONResponse:
    """Ask to serve a version although it exposes somebody; nothing happens until another admin confirms."""

    def work(session: Session) -> Answer:
        rows.get_version(session, act.office.model_id, number)
        act.unchanged(generation(session, act.office.model_id, lock=True))
        made = glass.ask(session, act.who, act.office.model_id, number, body.reason, body.minutes)
        return _answered(session, made, 202)

    return act.once(work)


@router.post("/v1/break-glass/{glass_id}/confirm")
def confirm_break_glass(glass_id: uuid.UUID, act: Act) -> JSONResponse:
    """Confirm what another admin asked for."""

    def work(session: Session) -> Answer:
        _seen(session, act, glass_id)
        return _answered(session, glass.confirm(session, act.who, act.office.model_id, glass_id))

    return act.once(work)


@router.post("/v1/break-glass/{glass_id}/end")
def end_break_glass(glass_id: uuid.UUID, act: Act) -> JSONResponse:
    """End it before its time: a version that covers everybody is served again."""

    def work(session: Session) -> Answer:
        made = _seen(session, act, glass_id)
        glass.end(session, act.who.owner, made)
        return _answered(session, made)

    return act.once(work)


@router.get("/v1/break-glass")
def list_break_glass(office: Desk, who: Who) -> dict[str, Any]:
    """All of them, newest first, with the exposure of each ticket in seconds."""
    with transaction(office.database) as session:
        found = select(BreakGlass).where(BreakGlass.model_id == office.model_id).order_by(BreakGlass.asked_at.desc())
        return {"items": [_glass(session, one) for one in session.scalars(found.limit(100))]}


@router.get("/v1/break-glass/{glass_id}")
def show_break_glass(glass_id: uuid.UUID, office: Desk, who: Who, response: Response) -> dict[str, Any]:
    """One of them; the ETag is its state, which only goes forward."""
    with transaction(office.database) as session:
        one = glass.get(session, office.model_id, glass_id)
        response.headers["ETag"] = _etag(one)
        return _glass(session, one)


@router.get("/v1/escalations")
def list_escalations(office: Desk, who: Who) -> dict[str, Any]:
    """Open tickets by what is due first, with the highest step they have reached."""
    with transaction(office.database) as session:
        found = select(Ticket).where(Ticket.tenant_id == who.tenant_id, Ticket.clock != "stopped")
        tickets = list(session.scalars(found.order_by(Ticket.due_at, Ticket.id).limit(200)))
        steps = escalate.highest(session, [one.id for one in tickets])
        return {"items": [views.ticket(one) | {"escalation": steps.get(one.id)} for one in tickets]}


def _change(act: Acting, ticket_id: str, do: Callable[[Session, Ticket], Any]) -> JSONResponse:
    """One change of a ticket: locked, based on what was seen, answered with the new state and what `do` adds."""

    def work(session: Session) -> Answer:
        ticket = rows.get_ticket(session, act.who.tenant_id, ticket_id, lock=True)
        act.unchanged(f'"{ticket.version}"')
        more = do(session, ticket)
        session.flush()
        return Answer(views.ticket_with_events(session, ticket) | (more or {}), etag=f'"{ticket.version}"')

    return act.once(work)


def _seen(session: Session, act: Acting, glass_id: uuid.UUID) -> BreakGlass:
    """The glass, locked, as whoever acts saw it; what is served is locked first, as everywhere."""
    rows.desired_state(session, act.office.model_id, lock=True)
    found = glass.get(session, act.office.model_id, glass_id, lock=True)
    act.unchanged(_etag(found))
    return found


def _answered(session: Session, made: BreakGlass, status: int = 200) -> Answer:
    session.flush()
    return Answer(_glass(session, made), status, _etag(made))


def _etag(one: BreakGlass) -> str:
    return f'"{_state(one)}"'


def _state(one: BreakGlass) -> str:
    return "ended" if one.ended_at else "open" if one.confirmed_at else "asked"


def _glass(session: Session, one: BreakGlass) -> dict[str, Any]:
    ledger = session.scalars(select(Exposure).where(Exposure.break_glass_id == one.id).order_by(Exposure.ticket_id))
    return {
        "id": str(one.id),
        "state": _state(one),
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
