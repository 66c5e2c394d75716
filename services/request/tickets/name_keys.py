"""Job of the control loop: give earlier tickets the keys of their names in the canonical form (shared/text/names.py).

The names are in the sealed material. Each batch is one transaction, and a ticket says by which form its keys were made,
so that the job goes on after a crash where it was, and begins anew when the form changes. Until a ticket is done, and
for good where its material was shredded, it is found by the blind indices of its names as they were written.
"""

import logging
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.context import AppContext
from shared.artifacts.payloads import unpack_material
from shared.artifacts.subject_material import open_sealed
from shared.crypto.keyring import NAME_FORM
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.domain.accounts import SYSTEM_ACTOR
from shared.errors import IntegrityFailure, NeedsResubmission, NotFound

logger = logging.getLogger(__name__)
BATCH: Final = 100


@dataclass
class NameKeysJob:
    """Counts what it did, and says so in the log when nothing is left to do."""

    context: AppContext
    done: int = 0
    without_material: int = 0

    def run(self) -> None:
        """Work until nothing is left to do. Raises StoreUnavailable or KeysUnavailable; nothing is lost then."""
        while self.run_once():
            pass

    def run_once(self) -> bool:
        """One batch; returns whether there was anything to do."""
        with transaction(self.context.database) as session:
            earlier = select(Ticket).where(Ticket.name_keys_form < NAME_FORM)
            batch = list(session.scalars(earlier.order_by(Ticket.id).limit(BATCH).with_for_update(skip_locked=True)))
            if not batch:
                self._announce_end(session)
                return False
            if not self.done and not self.without_material:
                left = session.scalar(select(func.count()).where(Ticket.name_keys_form < NAME_FORM))
                logger.info("the names of %d tickets are being indexed in the canonical form", left)
            indexed = sum(self._index(ticket) for ticket in batch)
        self.done, self.without_material = self.done + indexed, self.without_material + len(batch) - indexed
        return True

    def _index(self, ticket: Ticket) -> bool:
        """Whether the names of `ticket` could be read."""
        ticket.name_keys_form = NAME_FORM
        try:
            names = unpack_material(open_sealed(self.context.store, self.context.keys, ticket)).names
        except (NeedsResubmission, NotFound, IntegrityFailure):
            return False
        ticket.name_keys = self.context.keys.name_keys(names)
        return True

    def _announce_end(self, session: Session) -> None:
        if self.done or self.without_material:
            detail = {"form": NAME_FORM, "tickets": self.done, "without_material": self.without_material}
            audit_log.append_leaf(session, SYSTEM_ACTOR, "names.indexed", self.context.model_id, detail)
            logger.info(
                "the names of %d tickets are indexed in the canonical form; the material of %d is gone, so that they "
                "are found by their names as they were written",
                self.done,
                self.without_material,
            )
        self.done = self.without_material = 0
