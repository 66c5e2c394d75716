"""What is true of a ticket beside its state: its clock, whose identity is known, legal holds, whose duplicate it is.

Each function is one transaction's worth, on a ticket that the caller locked or just made. Knows no HTTP.
"""

from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.tickets import notices
from shared.db.models.tickets import Ticket
from shared.db.repositories import ticket_clocks, tickets
from shared.domain.deadlines import Calendar, check_calendar
from shared.domain.regimes import regime
from shared.errors import Conflict, TooLateToExtend


def check_law(name: str, calendar: str, zone: str) -> None:
    """Raise BadInput for a law's periods, or for days (a calendar in a zone), that are not known."""
    regime(name)
    check_calendar(Calendar(calendar, zone))


def extend(session: Session, principal: Principal, ticket: Ticket, reason: str) -> str:
    """More time, once, inside the first period, with the reason; the letter that tells the person so."""
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
    return notices.extension_notice(ticket.id, reason, after.due.isoformat())
