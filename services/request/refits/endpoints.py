"""/v1/refits: order a refit, and follow the recent ones."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.refits import service
from services.request.refits.responses import RefitList, RefitOrderResponse, refit_response
from shared.db.repositories import refits
from shared.db.session import transaction

router = APIRouter(tags=["refits"])


@router.post("/v1/refits", status_code=202, response_model=RefitOrderResponse)
def order_refit(mutation: MutationDep) -> JSONResponse:
    """Rebuild the eraser now, with every ticket that is approved."""

    def work(session: Session) -> MutationResult:
        order = service.order_refit(session, mutation.principal, mutation.context.model_id)
        return MutationResult(RefitOrderResponse(id=order, status="ordered"), 202)

    return mutation.run_once(work)


@router.get("/v1/refits")
def list_refits(
    context: ContextDep, principal: PrincipalDep, limit: Annotated[int, Query(ge=1, le=200)] = 20
) -> RefitList:
    """The newest refits, the newest first."""
    with transaction(context.database) as session:
        runs = refits.recent_runs(session, context.model_id, limit)
        return RefitList(items=[refit_response(run) for run in runs])
