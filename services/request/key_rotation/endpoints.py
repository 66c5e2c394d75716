"""/v1/rewraps: administrators order that all data keys are wrapped anew, and follow it. `jobs.py` carries it out."""

import uuid
from typing import Final

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.key_rotation import service
from services.request.key_rotation.responses import KeyRotationList, KeyRotationResponse, key_rotation_response
from shared.db.models.operations import KeyRotation
from shared.db.session import transaction

router = APIRouter(tags=["keys"])
MOST_LISTED: Final = 50


@router.post("/v1/rewraps", status_code=202, response_model=KeyRotationResponse)
def order_rewrap(mutation: MutationDep) -> JSONResponse:
    """Wrap every data key anew under the newest wrapping key. Payloads are not touched."""

    def work(session: Session) -> MutationResult:
        rotation = service.order(session, mutation.principal)
        return MutationResult(key_rotation_response(rotation), 202, location=f"/v1/rewraps/{rotation.id}")

    return mutation.run_once(work)


@router.get("/v1/rewraps")
def list_rewraps(context: ContextDep, principal: PrincipalDep) -> KeyRotationList:
    """The newest key rotations, the newest first."""
    newest = select(KeyRotation).order_by(KeyRotation.asked_at.desc()).limit(MOST_LISTED)
    with transaction(context.database) as session:
        return KeyRotationList(items=[key_rotation_response(rotation) for rotation in session.scalars(newest)])


@router.get("/v1/rewraps/{rewrap_id}")
def show_rewrap(rewrap_id: uuid.UUID, context: ContextDep, principal: PrincipalDep) -> KeyRotationResponse:
    """How far a key rotation is; at its end, which wrapping keys are still needed and which are not."""
    with transaction(context.database) as session:
        return key_rotation_response(service.get(session, rewrap_id))
