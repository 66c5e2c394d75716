"""Material that is checked, sealed and stored, before it is a ticket: what is not filed after all is destroyed."""

from dataclasses import dataclass, field
from types import TracebackType

from services.request import sealing
from services.request.context import AppContext
from services.request.sealing import SealedMaterial
from services.request.tickets.schemas import TicketCreate


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

    The others are abandoned when the block ends, and all of them when it is refused. Where the database is away nothing
    is touched: nobody knows whether the transaction was committed.
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
        elif sealing.is_refusal(error):
            self._abandon(self.tickets)

    def _abandon(self, tickets: list[PreparedTicket]) -> None:
        material = [SealedMaterial(each.tenant, each.payload_key, each.payload_wrapped_key) for each in tickets]
        sealing.abandon(self.context, material)
