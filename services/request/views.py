"""Rows as JSON. Nothing here holds personal data: tickets are spoken of by their ids."""

from typing import Any

from sqlalchemy.orm import Session

from shared.db import repository as rows
from shared.db.models import EraserVersion, RefitRun, Ticket


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
    }


def ticket_with_events(session: Session, one: Ticket) -> dict[str, Any]:
    """A ticket with its history."""
    events = rows.events_of(session, one.id)
    return ticket(one) | {"events": [{"at": e.at, "actor": e.actor, "state": e.state, "note": e.note} for e in events]}


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
