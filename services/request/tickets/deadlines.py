"""The statutory deadline of a ticket: check by which law and calendar it is counted, and extend it once.

Each function is one transaction's worth, on a ticket that the caller has locked. Knows no HTTP.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.context import AppContext
from services.request.letters import drafts
from shared.db.models.tickets import Ticket
from shared.db.repositories import ticket_clocks, tickets
from shared.domain.deadlines import Calendar, check_calendar
from shared.domain.regimes import regime
from shared.errors import Conflict, TooLateToExtend


@dataclass(frozen=True)
class LegalBasis:
    """Whose periods count for a ticket, and by which public holidays and time zone its days are counted."""

    regime: str
    calendar: str
    zone: str


def check_legal_basis(basis: LegalBasis) -> None:
    """Raise BadInput for a regime, a calendar or a time zone that is not known."""
    regime(basis.regime)
    check_calendar(Calendar(basis.calendar, basis.zone))


def extend(session: Session, context: AppContext, principal: Principal, ticket: Ticket, reason: str) -> str:
    """Extend the deadline, once and inside the first period; return the draft of the letter that the person is sent.

    Raises Conflict where the clock has stopped, TooLateToExtend where it was extended before or the period is over.
    """
    if ticket.clock == "stopped":
        raise Conflict(
            f"{ticket.id} is {ticket.state.replace('_', ' ')}: its clock has stopped, there is nothing to extend."
        )
    clock = ticket_clocks.current_clock(session, ticket)
    if clock.extended:
        raise TooLateToExtend(f"{ticket.id} was extended already, until {clock.due}.")
    if not clock.extendable:
        raise TooLateToExtend(f"{ticket.id} could be extended until {clock.due} only.", due=clock.due.isoformat())
    after = ticket_clocks.record_clock_event(session, ticket, "extended", principal.owner, reason)
    ticket.version += 1
    tickets.record(session, ticket, principal.owner, f"until {after.due}: {reason}", "clock.extended")
    return drafts.draft(session, ticket, "extension", context.controller, principal.owner).text
