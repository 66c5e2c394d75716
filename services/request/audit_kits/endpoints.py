"""Access to sealed audit kits over HTTP: ask, allow, open, end. Rules: `kits.py`. Operators see none of it."""

import uuid
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.audit_kits import service
from services.request.audit_kits.schemas import KitBody
from shared.db.models.audit_kits import KitAccess
from shared.db.models.tickets import Ticket
from shared.db.repositories import tickets
from shared.db.session import transaction

router = APIRouter(tags=["kits"])
PERSONAL = frozenset({"names", "facts", "photos"})  # never in a stored answer


@router.post("/v1/tickets/{ticket_id}/kit", status_code=202)
def ask_kit(ticket_id: str, body: KitBody, mutation: MutationDep) -> JSONResponse:
    """Ask to look into the ticket's audit kit; nothing is shown until a second person allows it."""

    def work(session: Session) -> MutationResult:
        ticket = tickets.get_ticket(session, mutation.principal.tenant_id, ticket_id, lock=True)
        made = service.request_access(session, mutation.principal, ticket, body.reason, body.minutes)
        return MutationResult(service.view(session, made), 202, location=f"/v1/kits/{made.id}")

    return mutation.run_once(work)


@router.post("/v1/kits/{access_id}/allow")
def allow_kit(access_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Allow what somebody else asked for, for the minutes that were asked for."""

    def work(session: Session) -> MutationResult:
        made, _ = service.get(session, mutation.principal.tenant_id, access_id, lock=True)
        service.grant_access(session, mutation.principal, made)
        return MutationResult(service.view(session, made))

    return mutation.run_once(work)


@router.post("/v1/kits/{access_id}/open")
def open_kit(access_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """What the kit holds: names, facts, small pictures. Each opening is logged; a replay does not show it again."""

    def work(session: Session) -> MutationResult:
        made, ticket = service.get(session, mutation.principal.tenant_id, access_id, lock=True)
        shown = service.open_kit(session, mutation.context, mutation.principal, made, ticket)
        return MutationResult(service.view(session, made) | shown)

    answer = mutation.run_once(work, hide=PERSONAL)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post("/v1/kits/{access_id}/end")
def end_kit(access_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Refuse it, or end it before its time."""

    def work(session: Session) -> MutationResult:
        made, _ = service.get(session, mutation.principal.tenant_id, access_id, lock=True)
        service.end(session, mutation.principal, made)
        return MutationResult(service.view(session, made))

    return mutation.run_once(work)


@router.get("/v1/kits")
def list_kits(context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """Who asked for which kit, why, who allowed it, and how often it was opened; newest first."""
    with transaction(context.database) as session:
        found = (
            select(KitAccess)
            .join(Ticket, Ticket.id == KitAccess.ticket_id)
            .where(Ticket.tenant_id == principal.tenant_id)
        )
        newest = session.scalars(found.order_by(KitAccess.asked_at.desc()).limit(200))
        return {"items": [service.view(session, one) for one in newest]}


@router.get("/v1/kits/{access_id}")
def show_kit(access_id: uuid.UUID, context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """One of them; not what the kit holds."""
    with transaction(context.database) as session:
        return service.view(session, service.get(session, principal.tenant_id, access_id)[0])
