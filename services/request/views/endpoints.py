"""/v1/views: views of the list of tickets that each person saves by a name. No name is in an address."""

import uuid

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.views import service
from services.request.views.responses import ViewList, ViewResponse, view_response
from services.request.views.schemas import ViewCreate
from shared.db.session import transaction

router = APIRouter(tags=["views"])


@router.get("/v1/views")
def list_views(context: ContextDep, principal: PrincipalDep) -> ViewList:
    """The views that whoever asks has saved, by name."""
    with transaction(context.database) as session:
        return ViewList(items=[view_response(view) for view in service.list_views(session, principal)])


@router.post("/v1/views", status_code=201, response_model=ViewResponse)
def save_view(body: ViewCreate, mutation: MutationDep) -> JSONResponse:
    """Save a view; one of the same name is replaced."""

    def work(session: Session) -> MutationResult:
        view = service.save(session, mutation.principal, body)
        return MutationResult(view_response(view), 201, location=f"/v1/views/{view.id}")

    return mutation.run_once(work)


@router.get("/v1/views/{view_id}")
def show_view(view_id: uuid.UUID, context: ContextDep, principal: PrincipalDep) -> ViewResponse:
    """One view of whoever asks."""
    with transaction(context.database) as session:
        return view_response(service.get(session, principal, view_id))


@router.post("/v1/views/{view_id}/end", response_model=ViewResponse)
def end_view(view_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Delete a view."""
    return mutation.run_once(
        lambda session: MutationResult(view_response(service.end(session, mutation.principal, view_id)))
    )
