"""What an officer may do, rule by rule. Each function is one transaction's worth; the caller opens it.

Writes tickets; leaves it to the outbox to tell the workers. Knows no HTTP.
"""

from collections.abc import Callable

from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.tickets import legal_holds
from services.request.tickets.schemas import TicketApprove, TicketReject, TicketWithdraw
from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log, refits, tickets
from shared.domain.four_eyes import require_second_person

Change = Callable[[Session], Ticket]


def approve(session: Session, principal: Principal, ticket_id: str, body: TicketApprove) -> Ticket:
    """The second person says yes; an urgent ticket orders its refit at once.

    Raises FourEyes for whoever filed or last edited it, Conflict where it is decided already.
    """
    ticket = tickets.get_ticket(session, principal.tenant_id, ticket_id, lock=True)
    tickets.advance(session, ticket, "approve", principal.owner, body.ground, roles=principal.roles, ground=body.ground)
    ticket.decided_by, ticket.decided_at, ticket.ground = principal.owner, utc_now(), body.ground
    ticket.review_reason = None
    if body.urgent is not None:
        ticket.urgent = body.urgent
    if ticket.urgent:
        refits.order_refit(session, ticket.model_id, "urgent")
        tickets.advance(session, ticket, "schedule", principal.owner, roles=principal.roles)
    return ticket


def reject(session: Session, principal: Principal, ticket_id: str, body: TicketReject) -> Ticket:
    """No, with a code and the words that the person is told (the whole letter: letters.py)."""
    ticket = tickets.get_ticket(session, principal.tenant_id, ticket_id, lock=True)
    tickets.advance(session, ticket, "reject", principal.owner, body.note, roles=principal.roles, code=body.code)
    ticket.decided_by, ticket.decided_at = principal.owner, utc_now()
    ticket.decision_code, ticket.decision_note = body.code, body.note
    return ticket


def withdraw(session: Session, principal: Principal, ticket_id: str, body: TicketWithdraw) -> Ticket:
    """Taken back. Where an eraser holds its rows already, a refit without them is ordered; the others' rows stay.

    As that ends the silence about a person, it takes somebody who neither filed nor last edited the ticket: raises
    FourEyes. Raises OnHold under a legal hold.
    """
    ticket = tickets.get_ticket(session, principal.tenant_id, ticket_id, lock=True)
    legal_holds.ensure_not_held(session, ticket)
    fitted = tickets.was_fitted(session, ticket.id)
    if fitted:
        deeds = {f"filed {ticket.id}": ticket.submitted_by, f"edited {ticket.id} last": ticket.last_edited_by}
        require_second_person(principal.owner, deeds, "withdraw it, as an eraser was fitted for it")
    tickets.advance(session, ticket, "withdraw", principal.owner, body.note, roles=principal.roles)
    if fitted:
        order = refits.order_refit(session, ticket.model_id, "urgent")
        audit_log.append_leaf(
            session, principal.owner, "refit.ordered", ticket.model_id, {"order": str(order), "without": ticket.id}
        )
    return ticket
