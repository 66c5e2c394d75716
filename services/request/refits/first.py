"""Orders the first refit of a model again where it failed: without a version nothing is audited, served or forgotten.

The pause doubles with every failure. The order has an id that follows from the run that failed, so that it is safe to
repeat, and for two processes at once.
"""

import logging
from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.repositories import audit_log, refits
from shared.domain.accounts import SYSTEM_ACTOR

logger = logging.getLogger(__name__)
FIRST_PAUSE: Final = timedelta(minutes=5)
LONGEST_PAUSE: Final = timedelta(hours=6)


def order_again(session: Session, model_id: str) -> None:
    """Order it where every refit of a model without a version failed, and the pause is over."""
    failed = refits.failed_first_runs(session, model_id)
    if not failed:
        return
    last = failed[0]
    pause = min(FIRST_PAUSE * 2 ** min(len(failed) - 1, 10), LONGEST_PAUSE)
    if utc_now() < (last.finished_at or last.started_at) + pause:
        return
    order = refits.order_refit_after(session, model_id, last.id)
    if order is not None:
        detail = {"order": str(order), "after": str(last.id)}
        audit_log.append_leaf(session, SYSTEM_ACTOR, "refit.ordered", model_id, detail)
        logger.warning("the first refit failed %d times and is ordered again: %s", len(failed), last.error)
