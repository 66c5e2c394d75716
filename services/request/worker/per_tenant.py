"""PerTenant: a job of the control loop that works for one tenant at a time, in the context of that tenant."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from services.request.context import AppContext
from shared.db.repositories.models import ModelInUse, models_in_use
from shared.db.session import transaction
from shared.errors import LacunaError, StaleRestore

logger = logging.getLogger(__name__)
Run = Callable[[], float | None]


@dataclass
class PerTenant:
    """Runs the job that `make` builds for a context, for every tenant in turn; a tenant that is new joins by itself.

    Where the job fails for one tenant it is run for the others all the same, and the first error is raised at the end.
    Only a database that is older than what was signed (StaleRestore) ends it at once.
    """

    context: AppContext
    make: Callable[[AppContext], Run]
    _runs: dict[ModelInUse, Run] = field(default_factory=dict)

    def run(self) -> float | None:
        """Once for every tenant. Returns the shortest of the pauses that the runs ask for."""
        pauses: list[float] = []
        failed: LacunaError | OSError | None = None
        for tenant, run in self._current_runs().items():
            try:
                pause = run()
            except StaleRestore:
                raise
            except (LacunaError, OSError) as exc:
                if failed is not None:
                    logger.warning("the job failed for the tenant %s too: %s", tenant.tenant_id, exc)
                failed = failed or exc
                continue
            if pause is not None:
                pauses.append(pause)
        if failed is not None:
            raise failed
        return min(pauses, default=None)

    def _current_runs(self) -> dict[ModelInUse, Run]:
        with transaction(self.context.database) as session:
            tenants = models_in_use(session)
        self._runs = {
            each: self._runs.get(each) or self.make(self.context.of_tenant(each.tenant_id, each.model_id))
            for each in tenants
        }
        return self._runs
