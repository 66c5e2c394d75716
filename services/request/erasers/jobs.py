"""Job of the control loop: automatic promotion."""

from services.request.context import AppContext
from services.request.erasers import promotions
from shared.db.session import transaction


def promote(context: AppContext) -> None:
    """Promote the newest version that passed its audit."""
    with transaction(context.database) as session:
        promotions.promote_passed(session, context.model_id)
