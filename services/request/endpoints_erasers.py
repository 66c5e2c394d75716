"""Versions of the eraser over HTTP: list, show, audit report, promotion and rollback."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request import service, views
from services.request.door import Act, Acting, Answer, Desk, Who
from shared.db import repository as rows
from shared.db.models import EraserVersion
from shared.db.session import transaction
from shared.errors import NotFound

router = APIRouter(tags=["erasers"])
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]


@router.get("/v1/erasers")
def list_erasers(office: Desk, who: Who) -> dict[str, Any]:
    """The newest versions first."""
    with transaction(office.database) as session:
        found = session.scalars(
            select(EraserVersion)
            .where(EraserVersion.model_id == office.model_id)
            .order_by(EraserVersion.number.desc())
            .limit(100)
        )
        return {"items": [views.version(session, one) for one in found]}


@router.get("/v1/erasers/{number}")
def show_eraser(number: Number, office: Desk, who: Who, response: Response) -> dict[str, Any]:
    """One version with its signed manifest; the ETag is the generation of the desired state."""
    with transaction(office.database) as session:
        one = rows.get_version(session, office.model_id, number)
        response.headers["ETag"] = generation(session, office.model_id)
        return views.version(session, one) | {"manifest": one.manifest, "envelope": one.envelope}


@router.get("/v1/erasers/{number}/audit")
def show_audit(number: Number, office: Desk, who: Who) -> dict[str, Any]:
    """The newest audit of one version."""
    with transaction(office.database) as session:
        found = rows.audits_of(session, rows.get_version(session, office.model_id, number).id)
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
def promote(number: Number, act: Act) -> JSONResponse:
    """Serve this version."""
    return _promoted(act, number, "manual")


@router.post("/v1/erasers/{number}/rollback")
def rollback(number: Number, act: Act) -> JSONResponse:
    """Serve an earlier version; refused where somebody would be exposed again."""
    return _promoted(act, number, "rollback")


def generation(session: Session, model_id: str, *, lock: bool = False) -> str:
    """The ETag of what is served: changes with every promotion and rollback."""
    state = rows.desired_state(session, model_id, lock=lock)
    return f'"g{state.generation if state else 0}"'


def _promoted(act: Acting, number: int, kind: str) -> JSONResponse:
    def work(session: Session) -> Answer:
        version = rows.get_version(session, act.office.model_id, number)
        act.unchanged(generation(session, act.office.model_id, lock=True))
        service.promote(session, act.who, version, kind)
        session.flush()
        return Answer(views.version(session, version), etag=generation(session, act.office.model_id))

    return act.once(work)
