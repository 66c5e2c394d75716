"""Whether the service is alive and ready, and the installation at a glance."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from sqlalchemy import func, select, text

from services.request import anchor, deadman, restore, views
from services.request.door import Desk, Who
from shared.db.models import Ticket
from shared.db.session import transaction

router = APIRouter(tags=["status"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz")
def readyz(office: Desk) -> dict[str, str]:
    """The database answers too."""
    with transaction(office.database) as session:
        session.execute(text("SELECT 1"))
    return {"status": "ready"}


@router.get("/v1/status")
def status(office: Desk, who: Who) -> dict[str, Any]:
    """Tickets by state, what is served and by whom, the latest refits, and what did not happen in time."""
    with transaction(office.database) as session:
        counted = session.execute(
            select(Ticket.state, func.count()).where(Ticket.tenant_id == who.tenant_id).group_by(Ticket.state)
        )
        stale = restore.complaint(session, office)
        silent = [asdict(one) for one in deadman.look(session, office.model_id, office.periods)]
        return views.status(session, office.model_id, dict(counted.all())) | {
            "stale": stale,
            "time_stamp": anchor.state(session),
            "alarms": silent,
        }
