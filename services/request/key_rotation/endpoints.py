"""Wrapping all data keys anew over HTTP, for administrators: order it, follow it. The clerk does it (rewrap.py)."""

import uuid
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.key_rotation import service
from shared.db.models.operations import KeyRotation
from shared.db.session import transaction

router = APIRouter(tags=["keys"])


@router.post("/v1/rewraps", status_code=202)
def order_rewrap(mutation: MutationDep) -> JSONResponse:
    """Wrap every data key anew under the newest wrapping key; payloads are not touched."""

    def work(session: Session) -> MutationResult:
        made = service.order(session, mutation.principal)
        return MutationResult(service.view(made), 202, location=f"/v1/rewraps/{made.id}")

    return mutation.run_once(work)


@router.get("/v1/rewraps")
def list_rewraps(context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """The newest ones."""
    with transaction(context.database) as session:
        found = session.scalars(select(KeyRotation).order_by(KeyRotation.asked_at.desc()).limit(50))
        return {"items": [service.view(one) for one in found]}


@router.get("/v1/rewraps/{rewrap_id}")
def show_rewrap(rewrap_id: uuid.UUID, context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """How far one is; at its end, which wrapping keys are still needed and which are not."""
    with transaction(context.database) as session:
        return service.view(service.get(session, rewrap_id))
