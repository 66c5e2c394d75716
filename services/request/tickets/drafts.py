"""Material that is checked, sealed and stored, before it is a ticket: what is not filed after all is destroyed.

The object is deleted at once. Its shredding key is left to the control loop, which alone may destroy one, and does so
only where no row needs it.
"""

import logging
from dataclasses import dataclass, field
from types import TracebackType

from sqlalchemy import func, select

from services.request.context import AppContext
from services.request.tickets.schemas import TicketCreate
from shared.db.session import transaction
from shared.errors import LacunaError, Unavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreparedTicket:
    """A ticket whose material is checked, sealed and stored, before it has a row."""

    id: str
    tenant: str
    body: TicketCreate
    payload_key: str
    payload_sha256: str
    payload_wrapped_key: bytes
    fact_index: list[str]


@dataclass
class Drafts:
    """Prepared tickets of a block that files them, with their transaction inside it; `filed` are those that it filed.

    The others are abandoned when the block ends, and all of them when it is refused. Where a backend is away nothing is
    touched: nobody knows whether the transaction was committed.
    """

    context: AppContext
    tickets: list[PreparedTicket] = field(default_factory=list)
    filed: set[str] = field(default_factory=set)

    def __enter__(self) -> "Drafts":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Abandon what was not filed."""
        if error is None:
            self._abandon([ticket for ticket in self.tickets if ticket.id not in self.filed])
        elif isinstance(error, LacunaError) and not isinstance(error, Unavailable):
            self._abandon(self.tickets)

    def _abandon(self, tickets: list[PreparedTicket]) -> None:
        try:
            if tickets:
                with transaction(self.context.database) as session:
                    for ticket in tickets:
                        key = ticket.payload_wrapped_key
                        session.execute(select(func.abandon_key(ticket.tenant, ticket.payload_key, key)))
            for ticket in tickets:
                self.context.store.delete(ticket.payload_key)
        except LacunaError as exc:  # what was refused is told, not that a backend failed after it
            logger.warning("sealed material of %d tickets that were not filed stays: %s", len(tickets), exc.detail)
