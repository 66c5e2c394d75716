"""Job of the control loop: count deadlines again when the calendar of public holidays has changed.

Calendars come with the package `holidays`, so that they change with a new release, and a release means a new process:
each process looks once at every clock that runs or stands still.
"""

import logging
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.context import AppContext
from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket
from shared.db.repositories import ticket_clocks, tickets
from shared.db.session import transaction
from shared.domain.accounts import SYSTEM_ACTOR
from shared.errors import BadInput

logger = logging.getLogger(__name__)
BATCH: Final = 200


@dataclass
class CalendarJob:
    """Looks at tickets in the order of their ids, a batch in one transaction."""

    context: AppContext
    moved: int = 0
    _after: str | None = ""  # the last id that was looked at; None at the end

    def run(self) -> None:
        """Look at every open clock, once in the life of this process."""
        while self._after is not None:
            self.run_once()

    def run_once(self) -> None:
        """One batch."""
        with transaction(self.context.database) as session:
            clocks = select(Ticket).where(Ticket.model_id == self.context.model_id, Ticket.clock != "stopped")
            batch = clocks.where(Ticket.id > self._after).order_by(Ticket.id).limit(BATCH).with_for_update()
            looked_at = list(session.scalars(batch))
            self.moved += sum(_recount(session, ticket) for ticket in looked_at)
        self._after = looked_at[-1].id if looked_at else None
        if self._after is None and self.moved:
            logger.warning("the calendar of public holidays has changed: %d deadlines were counted again", self.moved)


def _recount(session: Session, ticket: Ticket) -> bool:
    """Whether the deadline moved; the history then says from when to when. A calendar that is gone moves nothing."""
    try:
        clock = ticket_clocks.current_clock(session, ticket)
    except BadInput as exc:
        logger.warning("the deadline of %s cannot be counted again: %s", ticket.id, exc.detail)
        return False
    before = ticket.due_at
    if before == clock.due_at:
        return False
    ticket.due_at = clock.due_at
    ticket.escalate_at = utc_now() if ticket.clock == "running" else None
    ticket.version += 1
    was = before.date().isoformat() if before else "not known"
    note = f"due {clock.due}; it was {was}: the public holidays of {ticket.calendar or 'the calendar'} have changed"
    tickets.record(session, ticket, SYSTEM_ACTOR, note, "clock.recounted", {"due_at": clock.due_at.isoformat()})
    return True
