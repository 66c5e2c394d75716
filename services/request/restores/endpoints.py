"""/v1/restores: two admins accept a database that is older than what was served before."""

import uuid
from dataclasses import replace
from typing import Final

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.restores import service
from services.request.restores.responses import RestoreList, RestoreResponse, restore_response, signed_mark_response
from services.request.restores.schemas import RestoreCreate
from shared.artifacts import high_water_mark
from shared.db.models.operations import RestoreAcceptance
from shared.db.session import transaction

router = APIRouter(tags=["restore"])
MOST_LISTED: Final = 100


@router.post("/v1/restores", status_code=202, response_model=RestoreResponse)
def ask_restore(body: RestoreCreate, mutation: MutationDep) -> JSONResponse:
    """Ask to go on with a database that is older than what was served. Nothing happens until another admin confirms."""

    def work(session: Session) -> MutationResult:
        model_id = mutation.context.model_id if body.tenant is None else service.model_of(mutation.context, body.tenant)
        context = replace(mutation.context, model_id=model_id)
        acceptance = service.ask(session, context, mutation.principal, body.reason)
        return MutationResult(restore_response(acceptance), 202)

    return mutation.run_once(work)


@router.post("/v1/restores/{acceptance_id}/confirm", response_model=RestoreResponse)
def confirm_restore(acceptance_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Confirm what another admin asked for: people erased since that backup are exposed until they are filed anew."""

    def work(session: Session) -> MutationResult:
        acceptance = service.confirm(session, mutation.context, mutation.principal, acceptance_id)
        return MutationResult(restore_response(acceptance))

    return mutation.run_once(work)


@router.get("/v1/restores")
def list_restores(context: ContextDep, principal: PrincipalDep) -> RestoreList:
    """All acceptances, the newest first, and the signed high-water mark that stands for the caller's model.

    Another tenant than the operating one sees those of its own model.
    """
    newest = select(RestoreAcceptance).order_by(RestoreAcceptance.asked_at.desc()).limit(MOST_LISTED)
    if not principal.operates:
        newest = newest.where(RestoreAcceptance.model_id == context.model_id)
    with transaction(context.database) as session:
        return RestoreList(
            items=[restore_response(acceptance) for acceptance in session.scalars(newest)],
            mark=signed_mark_response(high_water_mark.export(context.store, context.model_id)),
        )
