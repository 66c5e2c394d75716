"""/v1/break-glass."""

import uuid
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import Mutation, MutationDep, MutationResult
from services.request.break_glass import service
from services.request.break_glass.responses import _glass, _state
from services.request.break_glass.schemas import BreakGlassBody
from services.request.erasers.endpoints import Number
from services.request.erasers.responses import desired_state_etag
from shared.db.models.erasers import BreakGlass
from shared.db.repositories import erasers, rollouts
from shared.db.session import transaction

router = APIRouter(tags=["desk"])


@router.post("/v1/erasers/{number}/break-glass", status_code=202)
def ask_break_glass(number: Number, body: BreakGlassBody, act: MutationDep) -> JSONResponse:
    """Ask to serve a version although it exposes somebody; nothing happens until another admin confirms."""

    def work(session: Session) -> MutationResult:
        erasers.get_version(session, act.office.model_id, number)
        act.unchanged(desired_state_etag(session, act.office.model_id, lock=True))
        made = service.ask(session, act.who, act.office.model_id, number, body.reason, body.minutes)
        return _answered(session, made, 202)

    return act.once(work)


@router.post("/v1/break-glass/{glass_id}/confirm")
def confirm_break_glass(glass_id: uuid.UUID, act: MutationDep) -> JSONResponse:
    """Confirm what another admin asked for."""

    def work(session: Session) -> MutationResult:
        _seen(session, act, glass_id)
        return _answered(session, service.confirm(session, act.who, act.office.model_id, glass_id))

    return act.once(work)


@router.post("/v1/break-glass/{glass_id}/end")
def end_break_glass(glass_id: uuid.UUID, act: MutationDep) -> JSONResponse:
    """End it before its time: a version that covers everybody is served again."""

    def work(session: Session) -> MutationResult:
        made = _seen(session, act, glass_id)
        service.end(session, act.who.owner, made)
        return _answered(session, made)

    return act.once(work)


@router.get("/v1/break-glass")
def list_break_glass(office: ContextDep, who: PrincipalDep) -> dict[str, Any]:
    """All of them, newest first, with the exposure of each ticket in seconds."""
    with transaction(office.database) as session:
        found = select(BreakGlass).where(BreakGlass.model_id == office.model_id).order_by(BreakGlass.asked_at.desc())
        return {"items": [_glass(session, one) for one in session.scalars(found.limit(100))]}


@router.get("/v1/break-glass/{glass_id}")
def show_break_glass(glass_id: uuid.UUID, office: ContextDep, who: PrincipalDep, response: Response) -> dict[str, Any]:
    """One of them; the ETag is its state, which only goes forward."""
    with transaction(office.database) as session:
        one = service.get(session, office.model_id, glass_id)
        response.headers["ETag"] = _etag(one)
        return _glass(session, one)


def _seen(session: Session, act: Mutation, glass_id: uuid.UUID) -> BreakGlass:
    """The glass, locked, as whoever acts saw it; what is served is locked first, as everywhere."""
    rollouts.desired_state(session, act.office.model_id, lock=True)
    found = service.get(session, act.office.model_id, glass_id, lock=True)
    act.unchanged(_etag(found))
    return found


def _answered(session: Session, made: BreakGlass, status: int = 200) -> MutationResult:
    session.flush()
    return MutationResult(_glass(session, made), status, _etag(made))


def _etag(one: BreakGlass) -> str:
    return f'"{_state(one)}"'
