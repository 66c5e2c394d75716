"""Whether the service is alive and ready, and the installation at a glance."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from sqlalchemy import func, select, text

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.audit_log import timestamper
from services.request.monitoring import checks, responses
from services.request.restores import service as restores_service
from shared.db.models.tickets import Ticket
from shared.db.session import transaction

router = APIRouter(tags=["status"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz")
def readyz(context: ContextDep) -> dict[str, str]:
    """The database answers too."""
    with transaction(context.database) as session:
        session.execute(text("SELECT 1"))
    return {"status": "ready"}


@router.get("/v1/status")
def status(context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """Tickets by state, what is served and by whom, the latest refits, and what did not happen in time."""
    with transaction(context.database) as session:
        counted = session.execute(
            select(Ticket.state, func.count()).where(Ticket.tenant_id == principal.tenant_id).group_by(Ticket.state)
        )
        stale = restores_service.stale_reason(session, context)
        silent = [asdict(one) for one in checks.find_overdue(session, context.model_id, context.periods)]
        return responses.status(session, context.model_id, dict(counted.all())) | {
            "stale": stale,
            "time_stamp": timestamper.state(session),
            "alarms": silent,
        }
