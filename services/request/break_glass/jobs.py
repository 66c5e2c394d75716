"""Job of the control loop: break-glass ends when its time is over."""

from services.request.break_glass import service as break_glass_service
from services.request.context import AppContext
from shared.db.session import transaction


def expire(context: AppContext) -> None:
    """End what is past its time or no longer served, and close the exposures that are over."""
    with transaction(context.database) as session:
        break_glass_service.expire(session, context.model_id)
