"""Retain sets over HTTP: add one (or see what adding it would say), list, show, choose which is in use."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.retain_sets import service
from services.request.retain_sets.schemas import RetainBody
from shared.db.repositories import retain_sets
from shared.db.session import transaction

router = APIRouter(tags=["retain sets"])
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]


@router.post(
    "/v1/retain-sets", status_code=201, responses={200: {"description": "The set is there, or this was a dry run"}}
)
def add_retain_set(body: RetainBody, mutation: MutationDep) -> JSONResponse:
    """Add a set and put it to use; with `dry_run` only the report. The same set again adds nothing."""

    def work(_: Session) -> MutationResult:
        answer = service.add(mutation.context, mutation.principal.owner, body)
        return MutationResult(answer, 201 if answer.get("new") else 200)

    return mutation.run_once(work)


@router.get("/v1/retain-sets")
def list_retain_sets(context: ContextDep, principal: PrincipalDep, response: Response) -> dict[str, Any]:
    """The newest first; the ETag says which is in use since when."""
    with transaction(context.database) as session:
        response.headers["ETag"] = _etag(session, context.model_id)
        active = retain_sets.active_set(session, context.model_id)
        number = active.number if active else None
        return {
            "items": [service.view(one, number) for one in retain_sets.list_sets(session, context.model_id)],
            "active": number,
            "waits_for_refit": retain_sets.awaits_refit(session, context.model_id),
        }


@router.get("/v1/retain-sets/{number}")
def show_retain_set(number: Number, context: ContextDep, principal: PrincipalDep, response: Response) -> dict[str, Any]:
    """One set; never its people. The ETag is that of the list: which set is in use since when."""
    with transaction(context.database) as session:
        response.headers["ETag"] = _etag(session, context.model_id)
        active = retain_sets.active_set(session, context.model_id)
        return service.view(retain_sets.get_set(session, context.model_id, number), active.number if active else None)


@router.post("/v1/retain-sets/{number}/use")
def use_retain_set(number: Number, mutation: MutationDep) -> JSONResponse:
    """Use this set from the next refit on; 0 for the reference people alone. Using what is in use changes nothing."""

    def work(session: Session) -> MutationResult:
        mutation.require_match(_etag(session, mutation.context.model_id, lock=True))
        used = service.activate(session, mutation.principal.owner, mutation.context.model_id, number)
        return MutationResult(used, etag=_etag(session, mutation.context.model_id))

    return mutation.run_once(work)


def _etag(session: Session, model_id: str, *, lock: bool = False) -> str:
    chosen = retain_sets.chosen_at(session, model_id, lock=lock)
    return f'"u{int(chosen.timestamp() * 1_000_000) if chosen else 0}"'
