"""Job of the control loop: keep the signed high-water mark up with the database."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from services.request.context import AppContext
from services.request.restores.service import find_accepted, present
from shared.artifacts import high_water_mark
from shared.artifacts.high_water_mark import HighWaterMark
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer
from shared.db.models.operations import RestoreAcceptance
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.domain.accounts import SYSTEM_ACTOR
from shared.errors import StaleRestore
from shared.storage.base import ObjectStore


@dataclass
class HighWaterMarkJob:
    """Raises the mark in every round; `signer` signs it."""

    context: AppContext
    signer: Signer | None = None
    _known: HighWaterMark | None = None  # what this process last wrote

    def run(self) -> None:
        """Raise it; raises StaleRestore where the database is below it."""
        context = self.context
        with transaction(context.database) as session:
            self._known = raise_high_water_mark(
                session, context.store, context.keys, context.model_id, self._known, self.signer
            )


def raise_high_water_mark(
    session: Session,
    store: ObjectStore,
    keys: KeyRing,
    model_id: str,
    known: HighWaterMark | None,
    signer: Signer | None = None,
) -> HighWaterMark:
    """Raise the mark to where the database is; `known` is what this process last wrote, None at its start.

    Raises StaleRestore where the database is below the mark (which then stays as it is), unless that was accepted.
    """
    now = present(session, model_id)
    if known == now:
        return now
    mark = high_water_mark.read(store, keys, model_id)
    try:
        high_water_mark.check(mark, now)
    except StaleRestore:
        accepted = find_accepted(session, RestoreAcceptance.mark_sha256 == high_water_mark.text_digest(store, model_id))
        if accepted is None:
            raise
        audit_log.append_leaf(
            session, SYSTEM_ACTOR, "restore.used", f"{model_id}/{accepted.id}", {"mark": accepted.mark}
        )
        session.flush()
        now = present(session, model_id)
    high_water_mark.write(store, keys, model_id, now, signer)
    return now
