"""/v1/retain-sets: add a set (or see what adding it would report), list, show, choose which is in use."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.api.preconditions import etag
from services.request.retain_sets import service
from services.request.retain_sets.responses import (
    AddedRetainSetResponse,
    DryRunResponse,
    RetainSetInUse,
    RetainSetList,
    RetainSetResponse,
    retain_set_response,
)
from services.request.retain_sets.schemas import RetainSetCreate
from shared.db.repositories import retain_sets
from shared.db.session import transaction

router = APIRouter(tags=["retain sets"])
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]
NOTHING_ADDED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": AddedRetainSetResponse | DryRunResponse,
        "description": "The same set was added before, or this was a dry run",
    }
}


@router.post("/v1/retain-sets", status_code=201, response_model=AddedRetainSetResponse, responses=NOTHING_ADDED)
def add_retain_set(body: RetainSetCreate, mutation: MutationDep) -> JSONResponse:
    """Add a set and put it to use; with `dry_run` only the report. The same set again adds nothing."""

    def add(_: Session) -> MutationResult:
        if body.dry_run:
            return MutationResult(service.try_out(mutation.context, body))
        answer = service.add(mutation.context, mutation.principal.owner, body)
        return MutationResult(answer, 201 if answer.new else 200)

    return mutation.run_once(add)


@router.get("/v1/retain-sets")
def list_retain_sets(context: ContextDep, principal: PrincipalDep, response: Response) -> RetainSetList:
    """The newest first; the ETag says which is in use since when."""
    with transaction(context.database) as session:
        response.headers["ETag"] = _etag(session, context.model_id)
        number = _active_number(session, context.model_id)
        return RetainSetList(
            items=[
                retain_set_response(retain_set, number)
                for retain_set in retain_sets.list_sets(session, context.model_id)
            ],
            active=number,
            waits_for_refit=retain_sets.awaits_refit(session, context.model_id),
        )


@router.get("/v1/retain-sets/{number}")
def show_retain_set(
    number: Number, context: ContextDep, principal: PrincipalDep, response: Response
) -> RetainSetResponse:
    """One set; never its people. The ETag is that of the list: which set is in use since when."""
    with transaction(context.database) as session:
        response.headers["ETag"] = _etag(session, context.model_id)
        retain_set = retain_sets.get_set(session, context.model_id, number)
        return retain_set_response(retain_set, _active_number(session, context.model_id))


@router.post("/v1/retain-sets/{number}/use", response_model=RetainSetInUse)
def use_retain_set(number: Number, mutation: MutationDep) -> JSONResponse:
    """Use this set from the next refit on; 0 for the reference people alone. Using what is in use changes nothing."""

    def use(session: Session) -> MutationResult:
        model_id = mutation.context.model_id
        if number:
            retain_sets.get_set(session, model_id, number)
        mutation.require_match(_etag(session, model_id, lock=True))
        in_use = service.activate(session, mutation.principal.owner, model_id, number)
        return MutationResult(in_use, etag=_etag(session, model_id))

    return mutation.run_once(use)


def _active_number(session: Session, model_id: str) -> int | None:
    active = retain_sets.active_set(session, model_id)
    return active.number if active else None


def _etag(session: Session, model_id: str, *, lock: bool = False) -> str:
    """Since when the set in use is in use, in microseconds."""
    chosen = retain_sets.chosen_at(session, model_id, lock=lock)
    return etag(f"u{int(chosen.timestamp() * 1_000_000) if chosen else 0}")
