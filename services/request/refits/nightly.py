"""Catches up on a night that nobody rang for: beat was down, or the queue was, or the whole house.

Only the newest night is caught up on: one refit covers everybody who is in force. Safe to repeat, and by two clerks:
the order's id is the night's. Rings no bell itself; beat does that, and is the faster of the two.
"""

import logging
from datetime import date, timedelta

from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.refits import RefitRun
from shared.db.models.tenancy import Model
from shared.db.repositories import audit_log, refits
from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.nightly import latest_run_date, nightly_run_id, scheduled_at

logger = logging.getLogger(__name__)


def order_missed_nightly_refit(session: Session, model_id: str, hour: int, after: timedelta) -> date | None:
    """Order the refit of the latest night, unless it was begun or ordered; that night where this is settled.

    None where it is too early to say: `after` the night came, beat has had its chance. A night before the model was
    known needs no refit.
    """
    now = utc_now()
    night = latest_run_date(now, hour)
    came = scheduled_at(night, hour)
    if now < came + after:
        return None
    model, order = session.get(Model, model_id), nightly_run_id(model_id, night)
    if model is None:
        return None
    if model.created_at > came or session.get(RefitRun, order) is not None:
        return night
    if refits.order_nightly_refit(session, model_id, night) is not None:
        audit_log.append_leaf(
            session, SYSTEM_ACTOR, "refit.ordered", model_id, {"order": str(order), "night": night.isoformat()}
        )
        logger.warning("nobody rang for the night of %s: its refit is ordered now", night)
    return night
