"""Status."""

from typing import Any

from sqlalchemy.orm import Session

from services.request.refits.responses import refit_response
from shared.db.models.erasers import EraserVersion
from shared.db.repositories import refits, rollouts


def status(session: Session, model_id: str, counts: dict[str, int]) -> dict[str, Any]:
    """The whole installation at a glance."""
    state = rollouts.desired_state(session, model_id)
    promoted = session.get_one(EraserVersion, state.version_id).number if state else None
    return {
        "model": model_id,
        "tickets": counts,
        "promoted": promoted,
        "generation": state.generation if state else None,
        "uncovered": list(rollouts.uncovered_tickets(session, model_id, state.version_id)) if state else [],
        "replicas": [
            {"id": r.id, "version": r.version_number, "state": r.state, "error": r.error}
            for r in rollouts.live_replicas(session, model_id)
        ],
        "refits": [refit_response(run) for run in refits.recent_runs(session, model_id, 3)],
    }
