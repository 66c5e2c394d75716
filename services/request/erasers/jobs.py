"""Jobs of the control loop: automatic promotion, and the order of the nightly audit."""

from dataclasses import dataclass
from datetime import date

from services.request.context import AppContext
from services.request.erasers import nightly, promotions
from shared.core.clock import utc_now
from shared.core.config import NightlySettings
from shared.db.session import transaction
from shared.domain.nightly import latest_run_date


@dataclass
class NightlyAudit:
    """Orders the audit of the latest night for the version that is served, once."""

    context: AppContext
    settings: NightlySettings
    _settled: date | None = None  # the night that needs nothing more

    def run(self) -> None:
        """Order it where it is missing; nothing where the audit has no time."""
        night = latest_run_date(utc_now(), self.settings.audit_hour)
        if night == self._settled or not self.settings.audit_s:
            return
        with transaction(self.context.database) as session:
            nightly.order_due(session, self.context.model_id, self.settings.audit_hour, night)
        self._settled = night


def promote(context: AppContext) -> None:
    """Promote the newest version that passed its audit."""
    with transaction(context.database) as session:
        promotions.promote_passed(session, context.model_id)
