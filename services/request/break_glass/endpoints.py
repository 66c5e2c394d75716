"""/v1/break-glass: serve a version for a time although it exposes somebody. One admin asks, another confirms."""

import uuid
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import Mutation, MutationDep, MutationResult
from services.request.api.schemas import Number
from services.request.break_glass import service
from services.request.break_glass.responses import (
    BreakGlassList,
    BreakGlassResponse,
    break_glass_etag,
    break_glass_response,
)
from services.request.break_glass.schemas import BreakGlassCreate
from services.request.erasers.responses import desired_state_etag
from shared.db.models.erasers import BreakGlass, DesiredState
from shared.db.repositories import erasers, rollouts
from shared.db.session import transaction

router = APIRouter(tags=["break-glass"])
MOST_LISTED: Final = 100
Change = Callable[[Session, DesiredState | None, BreakGlass], object]


@router.post("/v1/erasers/{number}/break-glass", status_code=202, response_model=BreakGlassResponse)
def ask_break_glass(number: Number, body: BreakGlassCreate, mutation: MutationDep) -> JSONResponse:
    """Ask to serve a version although it exposes somebody. Nothing happens until another admin confirms."""

    def work(session: Session) -> MutationResult:
        model_id = mutation.context.model_id
        version = erasers.get_version(session, model_id, number)
        mutation.require_match(desired_state_etag(rollouts.desired_state(session, model_id, lock=True)))
        access = service.ask(session, mutation.principal, version, body.reason, body.minutes)
        return MutationResult(break_glass_response(session, access), 202, break_glass_etag(access))

    return mutation.run_once(work)


@router.post("/v1/break-glass/{access_id}/confirm", response_model=BreakGlassResponse)
def confirm_break_glass(access_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Confirm what another admin asked for: the version is served until the access ends."""
    return _change(
        mutation, access_id,
        lambda session, state, access: service.confirm(session, mutation.principal, state, access),
    )  # fmt: skip


@router.post("/v1/break-glass/{access_id}/end", response_model=BreakGlassResponse)
def end_break_glass(access_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """End it before its time: a version that covers everybody is served again."""
    return _change(
        mutation, access_id,
        lambda session, state, access: service.end(session, mutation.principal.owner, state, access),
    )  # fmt: skip


@router.get("/v1/break-glass")
def list_break_glass(context: ContextDep, principal: PrincipalDep) -> BreakGlassList:
    """All break-glass accesses, the newest first, with the exposure of each ticket in seconds."""
    newest = select(BreakGlass).where(BreakGlass.model_id == context.model_id).order_by(BreakGlass.asked_at.desc())
    with transaction(context.database) as session:
        accesses = session.scalars(newest.limit(MOST_LISTED))
        return BreakGlassList(items=[break_glass_response(session, access) for access in accesses])


@router.get("/v1/break-glass/{access_id}")
def show_break_glass(
    access_id: uuid.UUID, context: ContextDep, principal: PrincipalDep, response: Response
) -> BreakGlassResponse:
    """One break-glass access. The ETag is its state, which only goes forward."""
    with transaction(context.database) as session:
        access = service.get(session, context.model_id, access_id)
        response.headers["ETag"] = break_glass_etag(access)
        return break_glass_response(session, access)


def _change(mutation: Mutation, access_id: uuid.UUID, change: Change) -> JSONResponse:
    """Change an access based on its state. The desired state is locked before the access, as everywhere."""

    def work(session: Session) -> MutationResult:
        model_id = mutation.context.model_id
        state = rollouts.desired_state(session, model_id, lock=True)
        access = service.get(session, model_id, access_id, lock=True)
        mutation.require_match(break_glass_etag(access))
        change(session, state, access)
        session.flush()
        return MutationResult(break_glass_response(session, access), etag=break_glass_etag(access))

    return mutation.run_once(work)
