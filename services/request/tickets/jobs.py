"""Jobs of the control loop: move tickets by what the workers wrote, escalate, expire."""

from datetime import timedelta
from typing import Final

from sqlalchemy import exists, select

from services.request.context import AppContext
from services.request.tickets import escalations, identity_checks, progress
from services.request.tickets.progress import Limits
from shared.db.models.tickets import Ticket
from shared.db.session import transaction

DEPLOYING_S: Final = 1.0  # a ticket may wait for the lease of a dead replica to lapse, which nobody announces


def move(context: AppContext, limits: Limits) -> float | None:
    """Bring every ticket that is under way to where the workers' rows say it is."""
    with transaction(context.database) as session:
        progress.move_tickets(session, context.model_id, limits)
        deploying = select(exists().where(Ticket.model_id == context.model_id, Ticket.state == "deploying"))
        return DEPLOYING_S if session.scalar(deploying) else None


def escalate(context: AppContext) -> float | None:
    """Record which share of the statutory time is used."""
    with transaction(context.database) as session:
        written = escalations.escalate(session, context.model_id)
    return 0.0 if written >= escalations.AT_ONCE else None


def expire_unverified(context: AppContext, patience: timedelta) -> float | None:
    """Expire the requests whose identity was doubted and not proved within `patience`."""
    with transaction(context.database) as session:
        expired = identity_checks.expire_unverified(session, context.model_id, patience)
    return 0.0 if expired >= identity_checks.AT_ONCE else None
