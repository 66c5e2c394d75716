"""Rows as JSON. Nothing here holds personal data: tickets are spoken of by their ids."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from services.request.tickets.escalations import highest_step
from services.request.tickets.legal_holds import open_hold
from shared.db.models.tickets import Disposal, Ticket, TicketClock, TicketEvent, TicketHold
from shared.db.repositories import ticket_clocks
from shared.db.repositories import tickets as tickets_repository
from shared.db.repositories.tickets import FiledTicket
from shared.domain.deadlines import Clock
from shared.domain.regimes import regime


def ticket(one: Ticket) -> dict[str, Any]:
    """A ticket in a list."""
    return {
        "id": one.id,
        "state": one.state,
        "review_reason": one.review_reason,
        "urgent": one.urgent,
        "source": one.source,
        "external_ref": one.external_ref,
        "photos": one.photos,
        "facts": one.facts,
        "submitted_by": one.submitted_by,
        "submitted_at": one.submitted_at,
        "decided_by": one.decided_by,
        "decided_at": one.decided_at,
        "ground": one.ground,
        "decision_code": one.decision_code,
        "decision_note": one.decision_note,
        "required_since": one.required_since,
        "version": one.version,
        "regime": one.regime,
        "clock": one.clock,
        "due_at": one.due_at,
        "identity": one.identity,
        "duplicate_of": one.duplicate_of,
        "payload": "sealed" if one.payload_wrapped_key is not None else "shredded",
        "kit": one.kit_wrapped_key is not None,
    }


def tickets(session: Session, found: Sequence[Ticket]) -> list[dict[str, Any]]:
    """A list, with the highest step of its clock that each has reached."""
    steps = highest_step(session, [one.id for one in found])
    return [ticket(one) | {"escalation": steps.get(one.id)} for one in found]


def clock(session: Session, one: Ticket) -> dict[str, Any]:
    """A ticket's clock with what it was told."""
    return _clock(one, ticket_clocks.current_clock(session, one), ticket_clocks.list_clock_events(session, one.id))


def _clock(one: Ticket, now: Clock, events: Sequence[TicketClock]) -> dict[str, Any]:
    return {
        "regime": one.regime,
        "law": regime(one.regime).law,
        "calendar": one.calendar or "weekends only",
        "zone": one.zone,
        "state": now.state,
        "due": now.due,
        "due_at": now.due_at,
        "target": now.target,
        "latest": now.latest,
        "acknowledge_by": now.acknowledge_by,
        "extended": now.extended,
        "extendable": now.extendable,
        "paused_days": now.paused_days,
        "used_percent": round(100 * now.used, 1),
        "in_time": now.in_time,
        "events": [{"kind": e.kind, "at": e.at, "actor": e.actor, "reason": e.reason} for e in events],
    }


def ticket_with_events(session: Session, one: Ticket) -> dict[str, Any]:
    """A ticket with its history."""
    return _whole(
        one,
        clock(session, one),
        tickets_repository.list_events(session, one.id),
        highest_step(session, [one.id]).get(one.id),
        open_hold(session, one.id),
        tickets_repository.list_disposals(session, one.id),
    )


def filed(one: FiledTicket) -> dict[str, Any]:
    """A ticket that was just made, with its history: nothing has to be read back."""
    return _whole(one.ticket, _clock(one.ticket, one.clock, one.clock_events), one.events, None, None, ())


def _whole(
    one: Ticket,
    due: dict[str, Any],
    events: Sequence[TicketEvent],
    escalation: int | None,
    held: TicketHold | None,
    disposals: Sequence[Disposal],
) -> dict[str, Any]:
    return ticket(one) | {
        "escalation": escalation,
        "identity_by": one.identity_by,
        "identity_method": one.identity_method,
        "due": due,
        "hold": held
        and {
            "reason": held.reason,
            "set_by": held.set_by,
            "set_at": held.set_at,
            "release_asked_by": held.release_asked_by,
        },
        "events": [{"at": e.at, "actor": e.actor, "state": e.state, "kind": e.kind, "note": e.note} for e in events],
        "disposals": [
            {
                "object": d.object,
                "sha256": d.sha256,
                "reason": d.reason,
                "key_destroyed_at": d.key_destroyed_at,
                "removed_at": d.removed_at,
            }
            for d in disposals
        ],
    }
