"""Order a refit."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log, refits, retain_sets, tickets
from shared.errors import Conflict


def order_refit(session: Session, principal: Principal, model_id: str) -> str:
    """Refit now, with all that is approved and the retain set in use; raises Conflict where nothing waits for it."""
    waiting = list(
        session.scalars(
            select(Ticket)
            .where(Ticket.tenant_id == principal.tenant_id, Ticket.model_id == model_id)
            .where(Ticket.state.in_(("approved", "failed", "regressed")))
            .with_for_update()
        )
    )
    if not waiting and not retain_sets.awaits_refit(session, model_id):
        raise Conflict("There is no approved ticket that waits for a refit.")
    order = refits.order_refit(session, model_id, "urgent")
    for ticket in waiting:
        if ticket.state != "regressed":
            tickets.advance(session, ticket, "schedule", principal.owner, roles=principal.roles)
    audit_log.append_leaf(
        session, principal.owner, "refit.ordered", model_id, {"order": str(order), "tickets": len(waiting)}
    )
    return str(order)
