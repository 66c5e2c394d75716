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
def ask_break_glass(number: Number, body: BreakGlassBody, mutation: MutationDep) -> JSONResponse:
    """Ask to serve a version although it exposes somebody; nothing happens until another admin confirms."""

    def work(session: Session) -> MutationResult:
        erasers.get_version(session, mutation.context.model_id, number)
        mutation.require_match(desired_state_etag(session, mutation.context.model_id, lock=True))
        made = service.ask(session, mutation.principal, mutation.context.model_id, number, body.reason, body.minutes)
        return _answered(session, made, 202)

    return mutation.run_once(work)


@router.post("/v1/break-glass/{glass_id}/confirm")
def confirm_break_glass(glass_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Confirm what another admin asked for."""

    def work(session: Session) -> MutationResult:
        _seen(session, mutation, glass_id)
        return _answered(session, service.confirm(session, mutation.principal, mutation.context.model_id, glass_id))

    return mutation.run_once(work)


@router.post("/v1/break-glass/{glass_id}/end")
def end_break_glass(glass_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """End it before its time: a version that covers everybody is served again."""

    def work(session: Session) -> MutationResult:
        made = _seen(session, mutation, glass_id)
        service.end(session, mutation.principal.owner, made)
        return _answered(session, made)

    return mutation.run_once(work)


@router.get("/v1/break-glass")
def list_break_glass(context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """All of them, newest first, with the exposure of each ticket in seconds."""
    with transaction(context.database) as session:
        found = select(BreakGlass).where(BreakGlass.model_id == context.model_id).order_by(BreakGlass.asked_at.desc())
        return {"items": [_glass(session, one) for one in session.scalars(found.limit(100))]}


@router.get("/v1/break-glass/{glass_id}")
def show_break_glass(
    glass_id: uuid.UUID, context: ContextDep, principal: PrincipalDep, response: Response
) -> dict[str, Any]:
    """One of them; the ETag is its state, which only goes forward."""
    with transaction(context.database) as session:
        one = service.get(session, context.model_id, glass_id)
        response.headers["ETag"] = _etag(one)
        return _glass(session, one)


def _seen(session: Session, mutation: Mutation, glass_id: uuid.UUID) -> BreakGlass:
    """The glass, locked, as whoever acts saw it; what is served is locked first, as everywhere."""
    rollouts.desired_state(session, mutation.context.model_id, lock=True)
    found = service.get(session, mutation.context.model_id, glass_id, lock=True)
    mutation.require_match(_etag(found))
    return found


def _answered(session: Session, made: BreakGlass, status: int = 200) -> MutationResult:
    session.flush()
    return MutationResult(_glass(session, made), status, _etag(made))


def _etag(one: BreakGlass) -> str:
    return f'"{_state(one)}"'
