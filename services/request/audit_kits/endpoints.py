"""/v1/kits: access to sealed audit kits, which is requested, allowed, used and ended. Operators see none of it."""

import uuid
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import Mutation, MutationDep, MutationResult
from services.request.audit_kits import service
from services.request.audit_kits.responses import KitAccessList, KitAccessResponse, OpenedKitResponse, access_response
from services.request.audit_kits.schemas import KitAccessCreate
from shared.db.models.audit_kits import KitAccess
from shared.db.models.tickets import Ticket
from shared.db.repositories import tickets
from shared.db.session import transaction

router = APIRouter(tags=["kits"])
PERSONAL_DATA: Final = frozenset({"names", "facts", "photos"})  # never in a stored answer
MOST_LISTED: Final = 200


@router.post("/v1/tickets/{ticket_id}/kit", status_code=202, response_model=KitAccessResponse)
def ask_kit(ticket_id: str, body: KitAccessCreate, mutation: MutationDep) -> JSONResponse:
    """Request access to the ticket's audit kit; nothing is shown until a second person allows it."""

    def request_access(session: Session) -> MutationResult:
        ticket = tickets.get_ticket(session, mutation.principal.tenant_id, ticket_id, lock=True)
        access = service.request_access(session, mutation.principal, ticket, body.reason, body.minutes)
        return MutationResult(access_response(session, access), 202, location=f"/v1/kits/{access.id}")

    return mutation.run_once(request_access)


@router.post("/v1/kits/{access_id}/allow", response_model=KitAccessResponse)
def allow_kit(access_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Allow what somebody else requested, for the minutes that were requested."""

    def allow(session: Session, access: KitAccess) -> KitAccessResponse:
        service.grant_access(session, mutation.principal, access)
        return access_response(session, access)

    return _change(mutation, access_id, allow)


@router.post("/v1/kits/{access_id}/open", response_model=OpenedKitResponse)
def open_kit(access_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """What the kit holds: names, facts, small pictures. Each opening is logged; a replay does not show it again."""

    def open_it(session: Session, access: KitAccess) -> KitAccessResponse:
        return service.open_kit(session, mutation.context, mutation.principal, access)

    answer = _change(mutation, access_id, open_it)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post("/v1/kits/{access_id}/end", response_model=KitAccessResponse)
def end_kit(access_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Refuse access, or end it before its time."""

    def end(session: Session, access: KitAccess) -> KitAccessResponse:
        service.end_access(session, mutation.principal, access)
        return access_response(session, access)

    return _change(mutation, access_id, end)


@router.get("/v1/kits")
def list_kits(context: ContextDep, principal: PrincipalDep) -> KitAccessList:
    """Who requested access to which kit, why, who allowed it, and how often it was opened; newest first."""
    with transaction(context.database) as session:
        requests = session.scalars(
            select(KitAccess)
            .join(Ticket, Ticket.id == KitAccess.ticket_id)
            .where(Ticket.tenant_id == principal.tenant_id)
            .order_by(KitAccess.asked_at.desc())
            .limit(MOST_LISTED)
        )
        return KitAccessList(items=[access_response(session, access) for access in requests])


@router.get("/v1/kits/{access_id}")
def show_kit(access_id: uuid.UUID, context: ContextDep, principal: PrincipalDep) -> KitAccessResponse:
    """One request for access, without what the kit holds."""
    with transaction(context.database) as session:
        return access_response(session, service.get_access(session, principal.tenant_id, access_id))


def _change(
    mutation: Mutation, access_id: uuid.UUID, change: Callable[[Session, KitAccess], KitAccessResponse]
) -> JSONResponse:
    """Change a request for access. It has no ETag: each step is possible once, and the service refuses the others."""

    def work(session: Session) -> MutationResult:
        access = service.get_access(session, mutation.principal.tenant_id, access_id, lock=True)
        return MutationResult(change(session, access))

    return mutation.run_once(work, hide=PERSONAL_DATA)
