"""Job of the control loop: destroy what is no longer needed."""

import logging
import time
from dataclasses import dataclass

from services.request.context import AppContext
from services.request.letters import service as letters_service
from services.request.retention import service as retention_service
from services.request.retention.service import Retention
from shared.db.session import transaction
from shared.errors import LacunaError, Unavailable

logger = logging.getLogger(__name__)


@dataclass
class Shredder:
    """Looks now and then; at once again where more is due than is destroyed in one round."""

    context: AppContext
    retention: Retention
    _next_at: float = 0.0

    def run(self) -> float | None:
        """Destroy what is due. An object that cannot be destroyed stops no other.

        Raises Unavailable where a store is away.
        """
        if (early_s := self._next_at - time.monotonic()) > 0:
            return early_s
        context = self.context
        with transaction(context.database) as session:
            due = retention_service.due_for_shredding(session, context.model_id, self.retention)
        more = len(due) >= retention_service.AT_ONCE
        self._next_at = time.monotonic() + (0.0 if more else self.retention.look_every_s)
        for item in due:
            try:
                with transaction(context.database) as session:
                    retention_service.shred_key(session, context.store, context.keys, item.ticket_id, item.kind)
            except Unavailable:
                raise
            except LacunaError as exc:
                logger.warning("the %s of %s is not destroyed: %s", item.kind, item.ticket_id, exc.detail)
        with transaction(context.database) as session:
            retention_service.delete_objects(session, context.store, context.model_id)
            if self.retention.letters is not None:
                letters_service.destroy_old(session, context.model_id, self.retention.letters)
        return max(0.0, self._next_at - time.monotonic())
