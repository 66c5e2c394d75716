"""The refit tasks: claim the run under a lease, run the pipeline, write the outcome. Safe to repeat and to kill.

What is to be done stands in PostgreSQL; the message only says that it is time. An outage leaves the run `waiting`,
a killed worker leaves a lease that lapses; in both cases the clerk orders the same run again.
"""

import logging
from collections.abc import Mapping
from datetime import date

from services.refit.context import RefitContext
from services.refit.pipeline import Outcome, refit
from services.refit.progress import Report
from shared.core.leases import keep_alive
from shared.db.repositories import refits
from shared.db.session import transaction
from shared.domain.nightly import nightly_run_id
from shared.errors import Conflict, LacunaError, Unavailable

logger = logging.getLogger(__name__)


def run_order(
    shop: RefitContext, run_id: str, model_id: str, kind: str, period: str | None = None, recipe: str | None = None
) -> None:
    """Carry out the refit `run_id`; does nothing where it is done or in other hands."""
    with transaction(shop.database) as session:
        claim = refits.claim_run(session, run_id, model_id, kind, period=period, recipe=recipe, lease_s=shop.lease_s)
    if claim is None or claim.already_done:
        logger.info("refit %s is done or in other hands", run_id)
        return
    fence = claim.fence

    def write(report: Report) -> None:
        with transaction(shop.database) as session:
            refits.renew_lease(session, run_id, fence, report.stage, lease_s=shop.lease_s, progress=report.progress)
        shop.beat()

    report = Report(run_id[:8], write)
    try:
        with keep_alive(lambda: write(report), shop.lease_s / 3):
            outcome = refit(shop, run_id, fence, report, recipe)
    except Unavailable as exc:
        logger.warning("refit %s waits: %s", run_id, exc.detail)
        _end(shop, run_id, fence, "waiting", error=exc.detail)
        return
    except Conflict as exc:
        logger.warning("refit %s is given up here: %s", run_id, exc.detail)
        return
    except Exception as exc:
        logger.exception("refit %s failed", run_id)
        detail = exc.detail if isinstance(exc, LacunaError) else f"unexpected: {type(exc).__name__}"
        _end(shop, run_id, fence, "failed", error=detail)
        return
    if outcome is Outcome.NOTHING_TO_DO:
        _end(shop, run_id, fence, "nothing_to_do", seconds=report.seconds())
        logger.info("refit %s: nothing to do, the latest version covers everybody", run_id[:8])


def _end(
    shop: RefitContext,
    run_id: str,
    fence: int,
    status: str,
    *,
    error: str | None = None,
    seconds: Mapping[str, float] | None = None,
) -> None:
    """Write how it ended; where that cannot be written the lease lapses, and the run is ordered again."""
    try:
        with transaction(shop.database) as session:
            refits.finish_run(session, run_id, fence, status, error=error, seconds=seconds)
    except (Conflict, Unavailable) as exc:
        logger.warning("refit %s is %s, which cannot be written: %s", run_id, status, exc.detail)


def nightly(shop: RefitContext, day: date) -> None:
    """The refit of the night of `day` (UTC): one row for each model and day, however often beat fires."""
    with transaction(shop.database) as session:
        model = refits.get_model(session, shop.model_id)
    run_order(shop, str(nightly_run_id(model.id, day)), model.id, "nightly", period=day.isoformat())
