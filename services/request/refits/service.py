"""Order a refit: one transaction's worth. Knows no HTTP."""

import uuid

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log, refits, retain_sets, tickets
from shared.domain.ticket_lifecycle import IN_PROGRESS, UNDECIDED
from shared.errors import Conflict


def order_refit(session: Session, principal: Principal, model_id: str) -> uuid.UUID:
    """Order a refit with every ticket that is approved and the retain set in use; return the id of the order.

    Raises Conflict where neither a ticket nor a retain set waits for a refit.
    """
    waiting = list(
        session.scalars(
            select(Ticket)
            .where(Ticket.tenant_id == principal.tenant_id, Ticket.model_id == model_id)
            .where(Ticket.state.in_(("approved", "failed", "regressed")))
            .with_for_update()
        )
    )
    if not waiting and not retain_sets.awaits_refit(session, model_id):
        raise Conflict(f"There is no approved ticket that waits for a refit. {_others(session, principal, model_id)}")
    order = refits.order_refit(session, model_id, "urgent")
    for ticket in waiting:
        if ticket.state != "regressed":
            tickets.advance(session, ticket, "schedule", principal.owner, roles=principal.roles)
    audit_log.append_leaf(
        session, principal.owner, "refit.ordered", model_id, {"order": str(order), "tickets": len(waiting)}
    )
    return order


def _others(session: Session, principal: Principal, model_id: str) -> str:
    """What the open tickets wait for instead, as a sentence."""
    own = Ticket.tenant_id == principal.tenant_id, Ticket.model_id == model_id
    counts = dict(session.execute(select(Ticket.state, func.count()).where(*own).group_by(Ticket.state)).all())
    undecided = sum(counts.get(state, 0) for state in UNDECIDED)
    under_way = sum(counts.get(state, 0) for state in IN_PROGRESS)
    return (
        f"{undecided} wait for a decision, {under_way} are in a refit, an audit or a rollout that is under way, and "
        f"{counts.get('completed', 0)} are completed."
    )
