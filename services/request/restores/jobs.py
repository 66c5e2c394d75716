"""Job of the control loop: keep the signed high-water mark up with the database."""

import logging
import time
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.orm import Session

from services.request.context import AppContext
from services.request.restores.service import find_unused, present
from shared.artifacts import high_water_mark
from shared.artifacts.high_water_mark import HighWaterMark
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.domain.accounts import SYSTEM_ACTOR
from shared.errors import StaleRestore
from shared.storage.base import ObjectStore

logger = logging.getLogger(__name__)
LOOK_EVERY_S: Final = 60.0  # at the mark in the object store, where nothing changes


@dataclass
class HighWaterMarkJob:
    """Raises the mark in every round; `signer` signs it."""

    context: AppContext
    signer: Signer | None = None
    _known: HighWaterMark | None = None  # what this process last wrote
    _looked_at: float = 0.0

    def run(self) -> None:
        """Raise it; raises StaleRestore where the database is below it, or the mark is missing or an older one."""
        context, known = self.context, self._known
        with transaction(context.database) as session:
            idle = known is not None and known.numbers() == present(session, context.model_id).numbers()
            if idle and time.monotonic() < self._looked_at + LOOK_EVERY_S:
                return
            self._known = raise_high_water_mark(
                session, context.store, context.keys, context.model_id, known, self.signer
            )
            self._looked_at = time.monotonic()


def raise_high_water_mark(
    session: Session,
    store: ObjectStore,
    keys: KeyRing,
    model_id: str,
    known: HighWaterMark | None,
    signer: Signer | None = None,
) -> HighWaterMark:
    """Raise the mark to where the database is; `known` is what this process last wrote, None at its start.

    A mark that is missing or below `known` was lost while this process ran: `known` is put back, on record. Raises
    StaleRestore where the database is below the mark, or the mark is missing or an older one (the store then stays as
    it is), unless that was accepted.
    """
    now = present(session, model_id)
    stored = high_water_mark.read(store, keys, model_id)
    if known is not None and stored.lost(known):
        logger.error("the high-water mark in the object store is missing or an older one: it is put back from memory")
        high_water_mark.write(store, keys, model_id, known, signer)
        audit_log.append_leaf(session, SYSTEM_ACTOR, "high_water_mark.put_back", model_id, known.numbers())
        stored = high_water_mark.read(store, keys, model_id)
    epoch = stored.highest().epoch
    try:
        stored.check(now)
    except StaleRestore:
        accepted = find_unused(session, model_id, stored.digest())
        if accepted is None:
            raise
        audit_log.append_leaf(
            session, SYSTEM_ACTOR, "restore.used", f"{model_id}/{accepted.id}", {"mark": accepted.mark}
        )
        epoch += 1
    session.flush()
    mark = replace(present(session, model_id), epoch=epoch)
    if mark != stored.mark or mark.companion(model_id) != stored.newest_key:
        high_water_mark.write(store, keys, model_id, mark, signer)
    return mark
