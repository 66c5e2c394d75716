"""Promote, roll back, roll forward."""

from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.db.models.erasers import EraserVersion
from shared.db.repositories import audit_log, erasers, refits, rollouts
from shared.errors import BadInput, Conflict


def roll_forward(session: Session, principal: Principal, model_id: str, number: int) -> str:
    """Order a new version by the recipe of version `number` with today's tickets; the order's id."""
    version = erasers.get_version(session, model_id, number)
    order = refits.order_refit(session, model_id, "forward", recipe=version.recipe)
    audit_log.append_leaf(
        session,
        principal.owner,
        "eraser.forward",
        f"{model_id}/{number}",
        {"order": str(order), "recipe": version.recipe},
    )
    return str(order)


def promote(session: Session, principal: Principal, version: EraserVersion, kind: str) -> None:
    """Serve `version`, forward or back; the database refuses what is not audited or would expose somebody."""
    state = rollouts.desired_state(session, version.model_id, lock=True)
    if state is not None and state.version_id == version.id:
        raise Conflict(f"Version {version.number} is the promoted one already.")
    if kind == "rollback" and state is not None:
        current = session.get_one(EraserVersion, state.version_id)
        if version.number > current.number:
            raise BadInput(f"Version {version.number} is newer than {current.number}: promote it instead.")
    rollouts.set_desired_state(session, version, kind, principal.owner)
    if kind == "rollback":
        rollouts.return_deploying(session, version, principal.owner, principal.roles)
