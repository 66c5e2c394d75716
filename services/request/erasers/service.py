"""Promote a version, roll back to one, or roll forward: a new version by the recipe of an older one.

Each function is one transaction's worth. The database refuses a version that passed no audit or would expose somebody.
Knows no HTTP.
"""

import uuid
from typing import Literal

from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.db.models.erasers import DesiredState, EraserVersion
from shared.db.repositories import audit_log, refits, rollouts
from shared.errors import BadInput, Conflict

PromotionKind = Literal["manual", "rollback"]


def roll_forward(session: Session, principal: Principal, version: EraserVersion) -> uuid.UUID:
    """Order a new version by the recipe of `version` with today's tickets; return the id of the order."""
    order = refits.order_refit(session, version.model_id, "forward", recipe=version.recipe)
    audit_log.append_leaf(
        session,
        principal.owner,
        "eraser.forward",
        f"{version.model_id}/{version.number}",
        {"order": str(order), "recipe": version.recipe},
    )
    return order


def promote(
    session: Session, principal: Principal, state: DesiredState | None, version: EraserVersion, kind: PromotionKind
) -> DesiredState:
    """Make every replica serve `version`; return the new desired state. `state` is the present one, locked.

    A rollback also returns tickets that were on their way into service and that `version` does not cover.

    Raises Conflict where the version is promoted already, BadInput for a rollback to a newer version, NotAudited and
    RollbackWouldReexpose where the database refuses it.
    """
    if state is not None and state.version_id == version.id:
        raise Conflict(f"Version {version.number} is the promoted one already.")
    if kind == "rollback" and state is not None:
        current = session.get_one(EraserVersion, state.version_id)
        if version.number > current.number:
            raise BadInput(f"Version {version.number} is newer than {current.number}: promote it instead.")
    state = rollouts.set_desired_state(session, state, version, kind, principal.owner)
    if kind == "rollback":
        rollouts.return_deploying(session, version, principal.owner, principal.roles)
    return state
