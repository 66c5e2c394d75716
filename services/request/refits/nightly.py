"""Orders a nightly refit that was missed, because beat or the queue did not run when it was due.

Only the newest night is caught up on: one refit covers everybody who is in force. The order has the id of its night, so
that it is safe to repeat, and for two processes at once. Beat orders the refit when it is due; this only fills gaps.
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
    """Order the refit of the latest night, due at `hour` (UTC), unless it was begun or ordered; return that night.

    Returns None until `after` has passed since the refit was due: until then beat may still order it. A night before
    the model was known needs no refit.
    """
    now = utc_now()
    night = latest_run_date(now, hour)
    due = scheduled_at(night, hour)
    if now < due + after:
        return None
    model, order = session.get(Model, model_id), nightly_run_id(model_id, night)
    if model is None:
        return None
    if model.created_at > due or session.get(RefitRun, order) is not None:
        return night
    if refits.order_nightly_refit(session, model_id, night) is not None:
        audit_log.append_leaf(
            session, SYSTEM_ACTOR, "refit.ordered", model_id, {"order": str(order), "night": night.isoformat()}
        )
        logger.warning("the nightly refit of %s was missed: it is ordered now", night)
    return night
