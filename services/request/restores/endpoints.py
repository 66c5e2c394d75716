"""An older database that is accepted knowingly, over HTTP, for two administrators. The rules stand in `restore.py`."""

import uuid
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.api.schemas import ReasonBody
from services.request.restores import service
from shared.artifacts import high_water_mark
from shared.db.models.operations import RestoreAcceptance
from shared.db.session import transaction

router = APIRouter(tags=["restore"])


@router.post("/v1/restores", status_code=202)
def ask_restore(body: ReasonBody, mutation: MutationDep) -> JSONResponse:
    """Ask to go on with a database that is older than what was served; nothing happens until another admin confirms."""

    def work(session: Session) -> MutationResult:
        return MutationResult(
            service.view(service.ask(session, mutation.context, mutation.principal, body.reason)), 202
        )

    return mutation.run_once(work)


@router.post("/v1/restores/{acceptance_id}/confirm")
def confirm_restore(acceptance_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Confirm what another admin asked for: people erased since that backup are exposed until they are filed anew."""

    def work(session: Session) -> MutationResult:
        return MutationResult(
            service.view(service.confirm(session, mutation.context, mutation.principal, acceptance_id))
        )

    return mutation.run_once(work)


@router.get("/v1/restores")
def list_restores(context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """All of them, newest first, and the signed high-water mark that stands."""
    with transaction(context.database) as session:
        found = session.scalars(select(RestoreAcceptance).order_by(RestoreAcceptance.asked_at.desc()).limit(100))
        return {
            "items": [service.view(one) for one in found],
            "mark": high_water_mark.export(context.store, context.model_id),
        }
