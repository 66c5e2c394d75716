"""Jobs of the control loop: order a nightly refit that was missed, and a first one that failed."""

from dataclasses import dataclass
from datetime import date, timedelta

from services.request.context import AppContext
from services.request.refits import first, nightly
from shared.core.clock import utc_now
from shared.db.session import transaction
from shared.domain.nightly import latest_run_date


@dataclass(frozen=True)
class NightlySchedule:
    """When the nightly refit is due (hour, UTC), and how long after that the control loop orders a missed one."""

    hour: int
    catch_up_after: timedelta


@dataclass
class MissedNightlyRun:
    """Orders the refit of the latest night, once, where beat did not."""

    context: AppContext
    schedule: NightlySchedule
    _settled: date | None = None  # the night that needs nothing more

    def run(self) -> None:
        """Order it where it is missing."""
        if latest_run_date(utc_now(), self.schedule.hour) == self._settled:
            return
        with transaction(self.context.database) as session:
            settled = nightly.order_missed_nightly_refit(
                session, self.context.model_id, self.schedule.hour, self.schedule.catch_up_after
            )
        self._settled = settled


def retry_first_refit(context: AppContext) -> None:
    """Order the first refit of the model again, some time after it failed."""
    with transaction(context.database) as session:
        first.order_again(session, context.model_id)
