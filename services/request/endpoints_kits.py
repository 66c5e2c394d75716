"""Access to sealed audit kits over HTTP: ask, allow, open, end. Rules: `kits.py`. Operators see none of it."""

import uuid
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request import kits
from services.request.door import Act, Answer, Desk, Who
from services.request.schemas_desk import KitBody
from shared.db import repository as rows
from shared.db.models import KitAccess, Ticket
from shared.db.session import transaction

router = APIRouter(tags=["kits"])
PERSONAL = frozenset({"names", "facts", "photos"})  # never in a stored answer


@router.post("/v1/tickets/{ticket_id}/kit", status_code=202)
def ask_kit(ticket_id: str, body: KitBody, act: Act) -> JSONResponse:
    """Ask to look into the ticket's audit kit; nothing is shown until a second person allows it."""

    def work(session: Session) -> Answer:
        ticket = rows.get_ticket(session, act.who.tenant_id, ticket_id, lock=True)
        made = kits.ask(session, act.who, ticket, body.reason, body.minutes)
        return Answer(kits.view(session, made), 202, location=f"/v1/kits/{made.id}")

    return act.once(work)


@router.post("/v1/kits/{access_id}/allow")
def allow_kit(access_id: uuid.UUID, act: Act) -> JSONResponse:
    """Allow what somebody else asked for, for the minutes that were asked for."""

    def work(session: Session) -> Answer:
        made, _ = kits.get(session, act.who.tenant_id, access_id, lock=True)
        kits.allow(session, act.who, made)
        return Answer(kits.view(session, made))

    return act.once(work)


@router.post("/v1/kits/{access_id}/open")
def open_kit(access_id: uuid.UUID, act: Act) -> JSONResponse:
    """What the kit holds: names, facts, small pictures. Each opening is logged; a replay does not show it again."""

    def work(session: Session) -> Answer:
        made, ticket = kits.get(session, act.who.tenant_id, access_id, lock=True)
        shown = kits.look(session, act.office, act.who, made, ticket)
        return Answer(kits.view(session, made) | shown)

    answer = act.once(work, hide=PERSONAL)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post("/v1/kits/{access_id}/end")
def end_kit(access_id: uuid.UUID, act: Act) -> JSONResponse:
    """Refuse it, or end it before its time."""

    def work(session: Session) -> Answer:
        made, _ = kits.get(session, act.who.tenant_id, access_id, lock=True)
        kits.end(session, act.who, made)
        return Answer(kits.view(session, made))

    return act.once(work)


@router.get("/v1/kits")
def list_kits(office: Desk, who: Who) -> dict[str, Any]:
    """Who asked for which kit, why, who allowed it, and how often it was opened; newest first."""
    with transaction(office.database) as session:
        found = (
            select(KitAccess).join(Ticket, Ticket.id == KitAccess.ticket_id).where(Ticket.tenant_id == who.tenant_id)
        )
        newest = session.scalars(found.order_by(KitAccess.asked_at.desc()).limit(200))
        return {"items": [kits.view(session, one) for one in newest]}


@router.get("/v1/kits/{access_id}")
def show_kit(access_id: uuid.UUID, office: Desk, who: Who) -> dict[str, Any]:
    """One of them; not what the kit holds."""
    with transaction(office.database) as session:
        return kits.view(session, kits.get(session, who.tenant_id, access_id)[0])
