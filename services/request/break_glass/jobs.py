"""Job of the control loop: break-glass ends when its time is over."""

from typing import Final

from sqlalchemy import exists, or_, select

from services.request.break_glass import service as break_glass_service
from services.request.context import AppContext
from shared.db.models.erasers import BreakGlass, Exposure
from shared.db.session import transaction

IN_FORCE_S: Final = 1.0  # its end comes by the clock, and an exposure may end with the lease of a dead replica


def expire(context: AppContext) -> float | None:
    """End what is past its time or no longer served, and close the exposures that are over."""
    with transaction(context.database) as session:
        break_glass_service.expire(session, context.model_id)
        in_force = exists().where(BreakGlass.confirmed_at.is_not(None), BreakGlass.ended_at.is_(None))
        exposed = exists().where(Exposure.ended_at.is_(None))
        return IN_FORCE_S if session.scalar(select(or_(in_force, exposed))) else None
