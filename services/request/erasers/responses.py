"""Version; ETag of the desired state."""

from typing import Any

from sqlalchemy.orm import Session

from shared.db.models.erasers import EraserVersion
from shared.db.repositories import audits as audits_repository
from shared.db.repositories import erasers, rollouts


def desired_state_etag(session: Session, model_id: str, *, lock: bool = False) -> str:
    """The ETag of what is served: changes with every promotion and rollback."""
    state = rollouts.desired_state(session, model_id, lock=lock)
    return f'"g{state.generation if state else 0}"'


def version(session: Session, one: EraserVersion) -> dict[str, Any]:
    """An eraser version with its verdict."""
    audits = audits_repository.list_audits(session, one.id)
    state = rollouts.desired_state(session, one.model_id)
    return {
        "number": one.number,
        "model": one.model_id,
        "recipe": one.recipe,
        "sha256": one.sha256,
        "size_bytes": one.size_bytes,
        "created_at": one.created_at,
        "tickets": erasers.covered_ticket_ids(session, one.id),
        "coverage_root": one.coverage_root,
        "audit": (audits[0].verdict or audits[0].status) if audits else "queued",
        "promoted": state is not None and state.version_id == one.id,
    }
