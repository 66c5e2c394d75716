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

        Keys that were taken away are destroyed in every round, whoever took them: shredding, a refit, an edited ticket.
        Raises Unavailable where a store is away.
        """
        context = self.context
        try:
            if self._next_at <= time.monotonic():
                more = self._shred()
                self._next_at = time.monotonic() + (0.0 if more else self.retention.look_every_s)
        finally:  # also while the object store is away
            with transaction(context.database) as session:
                destroyed = retention_service.destroy_retired_keys(session, context.keys)
        with transaction(context.database) as session:
            retention_service.delete_objects(session, context.store, context.model_id)
        return 0.0 if destroyed >= retention_service.AT_ONCE else max(0.0, self._next_at - time.monotonic())

    def _shred(self) -> bool:
        """Take the keys of what is due; whether more is due than is done in one round."""
        context = self.context
        with transaction(context.database) as session:
            due = retention_service.due_for_shredding(session, context.model_id, self.retention)
        for item in due:
            try:
                with transaction(context.database) as session:
                    retention_service.shred_key(session, context.store, context.keys, item.ticket_id, item.kind)
            except Unavailable:
                raise
            except LacunaError as exc:
                logger.warning("the %s of %s is not destroyed: %s", item.kind, item.ticket_id, exc.detail)
        if self.retention.letters is not None:
            with transaction(context.database) as session:
                letters_service.destroy_old(session, context.model_id, self.retention.letters)
        return len(due) >= retention_service.AT_ONCE
