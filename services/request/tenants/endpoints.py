"""/v1/tenants and /v1/tenant-requests: the tenants of the installation, for people of the operating tenant alone."""

import uuid
from dataclasses import replace
from typing import Final

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import Mutation, MutationDep, MutationResult
from services.request.tenants import service
from services.request.tenants.responses import (
    TenantList,
    TenantRequestList,
    TenantRequestResponse,
    TenantResponse,
    request_responses,
)
from services.request.tenants.schemas import TenantCreate
from shared.db.models.erasers import DesiredState, EraserVersion
from shared.db.models.tenancy import Model, Tenant, TenantRequest
from shared.db.session import transaction
from shared.domain.accounts import OPERATING_TENANT

router = APIRouter(tags=["tenants"])
SECRET: Final = frozenset({"key_parts"})
MOST_LISTED: Final = 1000


@router.post("/v1/tenants", status_code=202, response_model=TenantRequestResponse)
def ask_tenant(body: TenantCreate, mutation: MutationDep) -> JSONResponse:
    """Ask to add a tenant. Nothing happens until another administrator confirms. The answer has halves of keys."""

    def work(session: Session) -> MutationResult:
        request, parts = service.ask(session, mutation.principal, body)
        answer = request_responses(session, [request], parts)[0]
        return MutationResult(answer, 202, location=f"/v1/tenant-requests/{request.id}")

    return _of_installation(mutation).run_once(work, hide=SECRET)


@router.get("/v1/tenants")
def list_tenants(context: ContextDep, principal: PrincipalDep) -> TenantList:
    """All tenants of the installation, in the order in which they were added. Of each, how much it has, never what."""
    in_use = (Model.tenant_id == Tenant.id) & Model.in_use
    served = (
        select(Tenant, Model.id, EraserVersion.number)
        .outerjoin(Model, in_use)
        .outerjoin(DesiredState, DesiredState.model_id == Model.id)
        .outerjoin(EraserVersion, EraserVersion.id == DesiredState.version_id)
    )
    query = served.order_by(Tenant.created_at, Tenant.id).limit(MOST_LISTED)
    with transaction(context.of_installation().database) as session:
        tickets, people = service.counts(session)
        return TenantList(
            items=[
                TenantResponse(
                    name=tenant.id,
                    model=model_id,
                    operates=tenant.id == OPERATING_TENANT,
                    promoted=number,
                    tickets=tickets.get(tenant.id, 0),
                    people=people.get(tenant.id, 0),
                    created_at=tenant.created_at,
                    set_up_at=tenant.set_up_at,
                )
                for tenant, model_id, number in session.execute(query)
            ]
        )


@router.get("/v1/tenant-requests")
def list_tenant_requests(context: ContextDep, principal: PrincipalDep) -> TenantRequestList:
    """Tenants that were asked for, the newest first: confirmed, ended, lapsed, or still to be confirmed."""
    query = select(TenantRequest).order_by(TenantRequest.asked_at.desc()).limit(MOST_LISTED)
    with transaction(context.database) as session:
        return TenantRequestList(items=request_responses(session, session.scalars(query).all()))


@router.get("/v1/tenant-requests/{request_id}")
def show_tenant_request(request_id: uuid.UUID, context: ContextDep, principal: PrincipalDep) -> TenantRequestResponse:
    """One tenant that was asked for."""
    with transaction(context.database) as session:
        return request_responses(session, [service.get_request(session, request_id)])[0]


@router.post("/v1/tenant-requests/{request_id}/confirm", response_model=TenantRequestResponse)
def confirm_tenant(request_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Add the tenant that another administrator asked for. The answer has the other halves of its first keys."""

    def work(session: Session) -> MutationResult:
        request = service.get_request(session, request_id, lock=True)
        parts = service.confirm(session, mutation.principal, request)
        session.flush()
        return MutationResult(request_responses(session, [request], parts)[0])

    return _of_installation(mutation).run_once(work, hide=SECRET)


@router.post("/v1/tenant-requests/{request_id}/end", response_model=TenantRequestResponse)
def end_tenant_request(request_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Refuse a tenant that was asked for, or take the request back."""

    def work(session: Session) -> MutationResult:
        request = service.get_request(session, request_id, lock=True)
        service.end(session, mutation.principal, request)
        session.flush()
        return MutationResult(request_responses(session, [request])[0])

    return _of_installation(mutation).run_once(work)


def _of_installation(mutation: Mutation) -> Mutation:
    """The same change in a transaction of the installation, which sees that a name is another tenant's."""
    return replace(mutation, context=mutation.context.of_installation())
