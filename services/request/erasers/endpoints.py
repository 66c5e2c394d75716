"""Versions of the eraser over HTTP: list, show, audit report, promotion and rollback."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import Mutation, MutationDep, MutationResult
from services.request.erasers import responses, service
from services.request.erasers.responses import desired_state_etag
from shared.db.models.erasers import EraserVersion
from shared.db.repositories import audits, erasers
from shared.db.session import transaction
from shared.errors import NotFound

Number = Annotated[int, Path(ge=0, le=2**31 - 1)]

router = APIRouter(tags=["erasers"])


@router.get("/v1/erasers")
def list_erasers(context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """The newest versions first."""
    with transaction(context.database) as session:
        found = session.scalars(
            select(EraserVersion)
            .where(EraserVersion.model_id == context.model_id)
            .order_by(EraserVersion.number.desc())
            .limit(100)
        )
        return {"items": [responses.version(session, one) for one in found]}


@router.get("/v1/erasers/{number}")
def show_eraser(number: Number, context: ContextDep, principal: PrincipalDep, response: Response) -> dict[str, Any]:
    """One version with its signed manifest; the ETag is the generation of the desired state."""
    with transaction(context.database) as session:
        one = erasers.get_version(session, context.model_id, number)
        response.headers["ETag"] = desired_state_etag(session, context.model_id)
        return responses.version(session, one) | {"manifest": one.manifest, "envelope": one.envelope}


@router.get("/v1/erasers/{number}/audit")
def show_audit(number: Number, context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """The newest audit of one version."""
    with transaction(context.database) as session:
        found = audits.list_audits(session, erasers.get_version(session, context.model_id, number).id)
        if not found:
            raise NotFound(f"Version {number} has not been audited yet.")
        run = found[0]
        return {
            "number": number,
            "status": run.status,
            "verdict": run.verdict,
            "reasons": run.reasons or [],
            "error": run.error,
            "report": run.report,
        }


@router.post("/v1/erasers/{number}/promote")
def promote(number: Number, mutation: MutationDep) -> JSONResponse:
    """Serve this version."""
    return _promoted(mutation, number, "manual")


@router.post("/v1/erasers/{number}/rollback")
def rollback(number: Number, mutation: MutationDep) -> JSONResponse:
    """Serve an earlier version; refused where somebody would be exposed again."""
    return _promoted(mutation, number, "rollback")


def _promoted(mutation: Mutation, number: int, kind: str) -> JSONResponse:
    def work(session: Session) -> MutationResult:
        version = erasers.get_version(session, mutation.context.model_id, number)
        mutation.require_match(desired_state_etag(session, mutation.context.model_id, lock=True))
        service.promote(session, mutation.principal, version, kind)
        session.flush()
        return MutationResult(
            responses.version(session, version), etag=desired_state_etag(session, mutation.context.model_id)
        )

    return mutation.run_once(work)


@router.post("/v1/erasers/{number}/forward", status_code=202)
def forward_eraser(number: Number, mutation: MutationDep) -> JSONResponse:
    """Go back to an older version's recipe without exposing anybody: a new version with today's tickets."""

    def work(session: Session) -> MutationResult:
        erasers.get_version(session, mutation.context.model_id, number)
        mutation.require_match(desired_state_etag(session, mutation.context.model_id, lock=True))
        order = service.roll_forward(session, mutation.principal, mutation.context.model_id, number)
        return MutationResult({"id": order, "status": "ordered", "like": number}, 202)

    return mutation.run_once(work)
