"""/v1/erasers: versions of the eraser with their audits; promote one, roll back to one, roll forward from one.

Every change is based on the desired state: its ETag is that of each version.
"""

from typing import Final

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import Mutation, MutationDep, MutationResult
from services.request.api.schemas import Number
from services.request.erasers import nightly, service
from services.request.erasers.responses import (
    AuditResponse,
    EraserDetailResponse,
    EraserVersionList,
    EraserVersionResponse,
    ForwardOrderResponse,
    NightlyOrderResponse,
    audit_response,
    desired_state_etag,
    version_response,
)
from services.request.erasers.service import PromotionKind
from shared.db.models.erasers import EraserVersion
from shared.db.repositories import audits, erasers, nightly_audits, rollouts
from shared.db.session import transaction
from shared.errors import NotFound

router = APIRouter(tags=["erasers"])
MOST_LISTED: Final = 100


@router.get("/v1/erasers")
def list_erasers(context: ContextDep, principal: PrincipalDep) -> EraserVersionList:
    """The newest versions, the newest first."""
    with transaction(context.database) as session:
        state = rollouts.desired_state(session, context.model_id)
        newest = (
            select(EraserVersion)
            .where(EraserVersion.model_id == context.model_id)
            .order_by(EraserVersion.number.desc())
            .limit(MOST_LISTED)
        )
        return EraserVersionList(
            items=[version_response(session, version, state) for version in session.scalars(newest)]
        )


@router.get("/v1/erasers/{number}")
def show_eraser(
    number: Number, context: ContextDep, principal: PrincipalDep, response: Response
) -> EraserDetailResponse:
    """One version with its signed manifest. The ETag is the generation of the desired state."""
    with transaction(context.database) as session:
        version = erasers.get_version(session, context.model_id, number)
        state = rollouts.desired_state(session, context.model_id)
        response.headers["ETag"] = desired_state_etag(state)
        return EraserDetailResponse(
            **dict(version_response(session, version, state)), manifest=version.manifest, envelope=version.envelope
        )


@router.get("/v1/erasers/{number}/audit")
def show_audit(number: Number, context: ContextDep, principal: PrincipalDep) -> AuditResponse:
    """The newest audit of one version."""
    with transaction(context.database) as session:
        runs = audits.list_audits(session, erasers.get_version(session, context.model_id, number).id)
        if not runs:
            raise NotFound(f"Version {number} has not been audited yet.")
        return audit_response(number, runs[0])


@router.get("/v1/audits/nightly")
def show_nightly_audit(context: ContextDep, principal: PrincipalDep) -> AuditResponse:
    """The newest nightly audit, with the number of the version that it is about. Its report grows while it goes on."""
    with transaction(context.database) as session:
        found = nightly_audits.newest(session, context.model_id)
        if found is None:
            raise NotFound("There was no nightly audit yet.")
        run, number = found
        return audit_response(number, run)


@router.post("/v1/audits/nightly", status_code=202, response_model=NightlyOrderResponse)
def order_nightly_audit(mutation: MutationDep) -> JSONResponse:
    """Ask more about the version that is served at once, as each night."""

    def work(session: Session) -> MutationResult:
        order, version = nightly.order_now(session, mutation.principal, mutation.context.model_id)
        return MutationResult(NightlyOrderResponse(id=order, status="ordered", version=version.number), 202)

    return mutation.run_once(work)


@router.post("/v1/erasers/{number}/promote", response_model=EraserVersionResponse)
def promote(number: Number, mutation: MutationDep) -> JSONResponse:
    """Serve this version."""
    return _promote(mutation, number, "manual")


@router.post("/v1/erasers/{number}/rollback", response_model=EraserVersionResponse)
def rollback(number: Number, mutation: MutationDep) -> JSONResponse:
    """Serve an earlier version. It is refused if it would expose somebody who has to stay forgotten."""
    return _promote(mutation, number, "rollback")


@router.post("/v1/erasers/{number}/forward", status_code=202, response_model=ForwardOrderResponse)
def forward_eraser(number: Number, mutation: MutationDep) -> JSONResponse:
    """Go back to an older version's recipe without exposing anybody: a new version with today's tickets."""

    def work(session: Session) -> MutationResult:
        model_id = mutation.context.model_id
        version = erasers.get_version(session, model_id, number)
        mutation.require_match(desired_state_etag(rollouts.desired_state(session, model_id, lock=True)))
        order = service.roll_forward(session, mutation.principal, version)
        return MutationResult(ForwardOrderResponse(id=order, status="ordered", like=number), 202)

    return mutation.run_once(work)


def _promote(mutation: Mutation, number: int, kind: PromotionKind) -> JSONResponse:
    def work(session: Session) -> MutationResult:
        model_id = mutation.context.model_id
        version = erasers.get_version(session, model_id, number)
        state = rollouts.desired_state(session, model_id, lock=True)
        mutation.require_match(desired_state_etag(state))
        state = service.promote(session, mutation.principal, state, version, kind)
        session.flush()
        return MutationResult(version_response(session, version, state), etag=desired_state_etag(state))

    return mutation.run_once(work)
