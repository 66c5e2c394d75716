"""The refit tasks: claim the run under a lease, run the pipeline, write the outcome. Safe to repeat and to kill.

PostgreSQL holds what is to be done; the message only says that it is time. An outage leaves the run `waiting`; a
killed worker leaves a lease that expires. In both cases the control loop orders the same run again.
"""

import logging
from collections.abc import Mapping
from datetime import date

from services.refit.context import RefitContext
from services.refit.pipeline import Outcome, refit
from services.refit.run_record import RunRecord
from shared.core.leases import keep_alive
from shared.core.messaging import is_stopping
from shared.core.progress import Progress
from shared.db.repositories import models, refits
from shared.db.session import transaction
from shared.db.tenants import of_tenant
from shared.domain.nightly import nightly_run_id
from shared.errors import Conflict, LacunaError, Unavailable

logger = logging.getLogger(__name__)


def run_order(
    context: RefitContext,
    run_id: str,
    model_id: str,
    kind: str,
    period: str | None = None,
    recipe: str | None = None,
) -> None:
    """Carry out the refit `run_id`; does nothing where it has ended or another worker holds it."""
    with transaction(context.database) as session:
        tenant = refits.get_model(session, model_id).tenant_id
        claim = refits.claim_run(session, run_id, model_id, kind, period=period, recipe=recipe, lease_s=context.lease_s)
    if claim is None or claim.already_done:
        logger.info("refit %s has ended, or another worker holds it", run_id)
        return
    context, database = context.of_model(model_id), of_tenant(context.database, tenant)
    run = RunRecord(database, run_id, claim.fence, model_id, context.lease_s)

    def write(progress: Progress) -> None:
        run.write_progress(progress)
        context.heartbeat()

    progress = Progress(f"refit {run.short_id}", write)
    try:
        with keep_alive(lambda: write(progress), context.lease_s / 3):
            outcome = refit(context, run, progress, recipe)
    except Unavailable as exc:
        logger.warning("refit %s waits: %s", run_id, exc.detail)
        _finish(run, "waiting", error=exc.detail)
        return
    except Conflict as exc:
        logger.warning("this worker gives up refit %s: %s", run_id, exc.detail)
        return
    except Exception as exc:
        if is_stopping():
            logger.warning("refit %s is interrupted: the worker is stopped", run_id)
            _finish(run, "waiting", error="the worker was stopped")
            return
        logger.exception("refit %s failed", run_id)
        detail = exc.detail if isinstance(exc, LacunaError) else f"unexpected: {type(exc).__name__}"
        _finish(run, "failed", error=detail)
        return
    if outcome is Outcome.NOTHING_TO_DO:
        _finish(run, "nothing_to_do", seconds=progress.seconds())
        logger.info("refit %s: nothing to do, the latest version covers everybody", run.short_id)


def _finish(
    run: RunRecord, status: str, *, error: str | None = None, seconds: Mapping[str, float] | None = None
) -> None:
    """Write how the run ended; where that fails the lease expires, and the run is ordered again."""
    try:
        run.finish(status, error=error, seconds=seconds)
    except (Conflict, Unavailable) as exc:
        logger.warning("refit %s: the status %s cannot be written: %s", run.run_id, status, exc.detail)


def nightly(context: RefitContext, day: date) -> None:
    """The refits of the night of `day` (UTC): one row for each model and day, however often the beat fires."""
    with transaction(context.database) as session:
        in_use = models.models_in_use(session)
    for model in in_use:
        order = str(nightly_run_id(model.model_id, day))
        run_order(context, order, model.model_id, "nightly", period=day.isoformat())
