"""Jobs of the control loop: move tickets by what the workers wrote, escalate, expire."""

from datetime import timedelta

from services.request.context import AppContext
from services.request.tickets import escalations, identity_checks, progress
from services.request.tickets.progress import Limits
from shared.db.session import transaction


def move(context: AppContext, limits: Limits) -> None:
    """Bring every ticket that is under way to where the workers' rows say it is."""
    with transaction(context.database) as session:
        progress.move_tickets(session, context.model_id, limits)


def escalate(context: AppContext) -> None:
    """Record which share of the statutory time is used."""
    with transaction(context.database) as session:
        escalations.escalate(session, context.model_id)


def expire_unverified(context: AppContext, patience: timedelta) -> None:
    """Expire the requests whose identity was doubted and not proved within `patience`."""
    with transaction(context.database) as session:
        identity_checks.expire_unverified(session, context.model_id, patience)
