"""Identity checks: whether the person who asks is the person whom the ticket names; unproved requests expire.

The time until a ticket expires counts from the doubt (`Settings.identity_days`). Under a law whose clock cannot be
paused (CCPA), the last day of the statutory time ends it too. Nothing under a legal hold expires. Knows no HTTP.
"""

from datetime import timedelta

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.tickets.schemas import IdentityCheckCreate
from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket, TicketEvent, TicketHold
from shared.db.repositories import ticket_clocks
from shared.db.repositories import tickets as tickets_repository
from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.regimes import REGIMES, regime
from shared.domain.ticket_lifecycle import UNDECIDED
from shared.errors import BadInput, Conflict

AT_ONCE = 200
IN_DOUBT = ("identity_pending", "duplicate")


def expire_unverified(session: Session, model_id: str, patience: timedelta) -> int:
    """Expire the tickets whose identity has been in doubt for `patience`; return how many.

    A duplicate in doubt expires as every other one does: when it ends must not tell that there is an earlier request.
    Safe to repeat, and for two processes at once.
    """
    now = utc_now()
    doubted = (
        select(func.max(TicketEvent.at))
        .where(TicketEvent.ticket_id == Ticket.id, TicketEvent.kind == "state", TicketEvent.state == Ticket.state)
        .scalar_subquery()
    )
    unstoppable = [name for name, law in REGIMES.items() if not law.pausable]
    unproved = (
        select(Ticket)
        .where(Ticket.model_id == model_id, Ticket.identity == "doubted", Ticket.state.in_(IN_DOUBT))
        .where(or_(doubted <= now - patience, Ticket.regime.in_(unstoppable) & (Ticket.due_at < now)))
        .where(~exists().where(TicketHold.ticket_id == Ticket.id, TicketHold.released_at.is_(None)))
        .limit(AT_ONCE)
    )
    tickets = session.scalars(unproved.with_for_update(skip_locked=True)).all()
    for ticket in tickets:
        tickets_repository.advance(
            session, ticket, "expire", SYSTEM_ACTOR, "The identity of the person who asks was not proved in time."
        )
    return len(tickets)


def identify(session: Session, principal: Principal, ticket: Ticket, body: IdentityCheckCreate) -> None:
    """Record whether the person who asks is the person whom the ticket names.

    `doubted` stops the clock where the law allows it; `verified`, by a method, lets it run on. A duplicate can be
    verified, and stays one: whoever filed it is then told what becomes of the earlier ticket.

    Raises Conflict where the ticket is decided, or a duplicate is doubted; BadInput for a verification without a
    method.
    """
    note = body.note
    if ticket.state not in UNDECIDED and (ticket.state, body.outcome) != ("duplicate", "verified"):
        raise Conflict(f"{ticket.id} is {ticket.state.replace('_', ' ')}: the identity is no longer checked.")
    if body.outcome == "doubted":
        tickets_repository.advance(session, ticket, "doubt", principal.owner, note, roles=principal.roles)
        ticket.identity = "doubted"
        ticket.identity_by = ticket.identity_method = ticket.identity_at = None
        if regime(ticket.regime).pausable:
            ticket_clocks.record_clock_event(session, ticket, "paused", principal.owner, note)
        return
    if not body.method:
        raise BadInput("Say how the identity was verified.")
    doubted = ticket.state == "identity_pending"
    ticket.identity, ticket.identity_by = "verified", principal.owner
    ticket.identity_method, ticket.identity_at = body.method, utc_now()
    if doubted:
        tickets_repository.advance(session, ticket, "verify", principal.owner, note, roles=principal.roles)
        if ticket.clock == "paused":
            ticket_clocks.record_clock_event(session, ticket, "resumed", principal.owner, note)
    else:
        ticket.version += 1
        tickets_repository.record(session, ticket, principal.owner, note, "identity.verified")
