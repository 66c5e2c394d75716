"""Approve, reject and withdraw a ticket. Each function is one transaction's worth, on a ticket that the caller locked.

Knows no HTTP.
"""

from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.context import AppContext
from services.request.letters.laws import refusal_reason
from services.request.tickets import duplicates, legal_holds, material_checks
from services.request.tickets.schemas import TicketApprove, TicketReject, TicketWithdraw
from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log, people, refits, tickets
from shared.domain.regimes import regime


def approve(session: Session, context: AppContext, principal: Principal, ticket: Ticket, body: TicketApprove) -> None:
    """Approve the ticket; if it is urgent, its refit is ordered at once.

    Raises FourEyes for whoever filed it or edited it at any time, MaterialUnseen for whoever neither names all whom it
    is about nor has looked at its material, Conflict where it was decided before or may be about a namesake.
    ReasonMissing or BadInput says that the law of the request wants another ground.
    """
    duplicates.ensure_distinguished(session, ticket)
    ground = regime(ticket.regime).ground(body.ground)
    tickets.advance(session, ticket, "approve", principal.owner, ground, roles=principal.roles, ground=ground)
    material_checks.require_seen(session, context, principal, ticket, body.names)
    ticket.decided_by, ticket.decided_at, ticket.ground = principal.owner, utc_now(), ground
    ticket.review_reason = None
    if body.urgent is not None:
        ticket.urgent = body.urgent
    if ticket.urgent:
        refits.order_refit(session, ticket.model_id, "urgent")
        tickets.advance(session, ticket, "schedule", principal.owner, roles=principal.roles)


def reject(session: Session, principal: Principal, ticket: Ticket, body: TicketReject) -> None:
    """Reject the ticket with a code and the words that the person is told.

    Raises BadInput for a reason that the law of the ticket does not have.
    """
    refusal_reason(ticket.regime, body.code)
    tickets.advance(session, ticket, "reject", principal.owner, body.note, roles=principal.roles, code=body.code)
    ticket.decided_by, ticket.decided_at = principal.owner, utc_now()
    ticket.decision_code, ticket.decision_note = body.code, body.note


def withdraw(session: Session, principal: Principal, ticket: Ticket, body: TicketWithdraw) -> None:
    """Withdraw the ticket. If an eraser was fitted for it, a refit without it is ordered; other fits stay.

    The model may then speak about the person again, so that whoever filed or edited the ticket cannot do it.

    Raises FourEyes, OnHold under a legal hold, Conflict where the ticket is over.
    """
    legal_holds.ensure_not_held(session, ticket)
    fitted = tickets.was_fitted(session, ticket.id)
    if fitted:
        deeds = people.changes_of_material(session, ticket)
        remaining = "withdraw it, as an eraser was fitted for it"
        people.require_second_person(session, ticket.tenant_id, principal.owner, deeds, remaining)
    tickets.advance(session, ticket, "withdraw", principal.owner, body.note, roles=principal.roles)
    if fitted:
        order = refits.order_refit(session, ticket.model_id, "urgent")
        detail = {"order": str(order), "without": ticket.id}
        audit_log.append_leaf(session, principal.owner, "refit.ordered", ticket.model_id, detail)
