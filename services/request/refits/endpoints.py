"""Refits over HTTP: order one, see the recent ones."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.refits import responses, service
from shared.db.repositories import refits
from shared.db.session import transaction

router = APIRouter(tags=["refits"])


@router.post("/v1/refits", status_code=202)
def order_refit(mutation: MutationDep) -> JSONResponse:
    """Rebuild the eraser now, with everything that is approved."""
    return mutation.run_once(
        lambda session: MutationResult(
            {"id": service.order_refit(session, mutation.principal, mutation.context.model_id), "status": "ordered"},
            202,
        )
    )


@router.get("/v1/refits")
def list_refits(
    context: ContextDep, principal: PrincipalDep, limit: Annotated[int, Query(ge=1, le=200)] = 20
) -> dict[str, Any]:
    """The newest refits first."""
    with transaction(context.database) as session:
        return {"items": [responses.run(one) for one in refits.recent_runs(session, context.model_id, limit)]}
