"""Rows as JSON. Nothing here holds personal data: tickets are spoken of by their ids."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from services.request.escalate import highest
from services.request.facets import open_hold
from services.request.filing import Filed
from shared.db import repository as rows
from shared.db.models import Disposal, EraserVersion, RefitRun, Ticket, TicketClock, TicketEvent, TicketHold
from shared.deadline import Clock
from shared.regimes import regime


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
    steps = highest(session, [one.id for one in found])
    return [ticket(one) | {"escalation": steps.get(one.id)} for one in found]


def clock(session: Session, one: Ticket) -> dict[str, Any]:
    """A ticket's clock with what it was told."""
    return _clock(one, rows.clock_of(session, one), rows.clock_events(session, one.id))


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
        rows.events_of(session, one.id),
        highest(session, [one.id]).get(one.id),
        open_hold(session, one.id),
        rows.disposals_of(session, one.id),
    )


def filed(one: Filed) -> dict[str, Any]:
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


def run(one: RefitRun) -> dict[str, Any]:
    """A refit."""
    return {
        "id": str(one.id),
        "kind": one.kind,
        "status": one.status,
        "stage": one.stage,
        "progress": one.progress,
        "attempt": one.attempt,
        "started_at": one.started_at,
        "finished_at": one.finished_at,
        "seconds": one.seconds,
        "notes": one.notes or [],
        "error": one.error,
    }


def version(session: Session, one: EraserVersion) -> dict[str, Any]:
    """An eraser version with its verdict."""
    audits = rows.audits_of(session, one.id)
    state = rows.desired_state(session, one.model_id)
    return {
        "number": one.number,
        "model": one.model_id,
        "recipe": one.recipe,
        "sha256": one.sha256,
        "size_bytes": one.size_bytes,
        "created_at": one.created_at,
        "tickets": rows.tickets_of(session, one.id),
        "coverage_root": one.coverage_root,
        "audit": (audits[0].verdict or audits[0].status) if audits else "queued",
        "promoted": state is not None and state.version_id == one.id,
    }


def status(session: Session, model_id: str, counts: dict[str, int]) -> dict[str, Any]:
    """The whole installation at a glance."""
    state = rows.desired_state(session, model_id)
    promoted = session.get_one(EraserVersion, state.version_id).number if state else None
    return {
        "model": model_id,
        "tickets": counts,
        "promoted": promoted,
        "generation": state.generation if state else None,
        "uncovered": list(rows.uncovered(session, model_id, state.version_id)) if state else [],
        "replicas": [
            {"id": r.id, "version": r.version_number, "state": r.state, "error": r.error}
            for r in rows.live_replicas(session, model_id)
        ],
        "refits": [run(one) for one in rows.recent_runs(session, model_id, 3)],
    }
