"""Bulk import over HTTP: send a file, follow the job, read the report of each row. The clerk does the work."""

import uuid
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api import pagination
from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.imports import parsing
from services.request.imports.parsing import Format
from shared.core.clock import utc_now
from shared.db.models.imports import ImportJob, ImportRow
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import NotFound, UnsupportedMedia
from shared.storage.object_keys import import_key

router = APIRouter(tags=["imports"])
KINDS: Final[dict[str, Format]] = {"text/csv": "csv", "application/x-ndjson": "ndjson"}
EXAMPLE: Final = "names,fact.employer,external_ref\nMara Lindqvist|Mara L.,Marble & Finch,case-1042\n"
BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "examples": [EXAMPLE]}} for kind in KINDS},
    }
}


async def _file(request: Request) -> tuple[Format, bytes]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in KINDS:
        raise UnsupportedMedia(f"A file of tickets is {' or '.join(KINDS)}.")
    return KINDS[kind], await request.body()


@router.post("/v1/imports", status_code=202, openapi_extra=BODY)
def create_import(
    mutation: MutationDep, file: Annotated[tuple[Format, bytes], Depends(_file)], dry_run: bool = False
) -> JSONResponse:
    """File many tickets. Answers at once with the job; with `dry_run` every row is checked and none is filed."""
    kind, raw = file
    text = parsing.decoded(raw)
    number = parsing.count_rows(text, kind)

    def work(session: Session) -> MutationResult:
        job_id = uuid.uuid4()
        key = import_key(mutation.principal.tenant_id, str(job_id))
        sealed = mutation.context.keys.seal(text.encode(), key)
        mutation.context.store.put(key, sealed.blob)
        job = ImportJob(
            id=job_id,
            tenant_id=mutation.principal.tenant_id,
            owner=mutation.principal.owner,
            format=kind,
            dry_run=dry_run,
            status="waiting",
            object_key=key,
            wrapped_key=sealed.wrapped_key,
            rows=number,
            done=0,
            accepted=0,
            refused=0,
            created_at=utc_now(),
        )
        session.add(job)
        audit_log.append_leaf(
            session, mutation.principal.owner, "import.ordered", str(job_id), {"rows": number, "dry_run": dry_run}
        )
        return MutationResult(_view(job), 202, location=f"/v1/imports/{job_id}")

    return mutation.run_once(work)


@router.get("/v1/imports/{job_id}")
def show_import(job_id: uuid.UUID, context: ContextDep, principal: PrincipalDep) -> dict[str, Any]:
    """How far it is."""
    with transaction(context.database) as session:
        return _view(_get(session, principal.tenant_id, job_id))


@router.get("/v1/imports/{job_id}/rows")
def list_import_rows(
    job_id: uuid.UUID,
    context: ContextDep,
    principal: PrincipalDep,
    refused: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    after: Annotated[str | None, Query(alias="cursor", min_length=1, max_length=500)] = None,
) -> dict[str, Any]:
    """What became of each row, in order; with `refused` only those that have a problem."""
    secret, query = context.keys.secret("cursor"), [principal.tenant_id, "rows", str(job_id), refused]
    start = int(pagination.decode_cursor(secret, query, after, 1)[0]) if after else 0
    with transaction(context.database) as session:
        _get(session, principal.tenant_id, job_id)
        asked = select(ImportRow).where(ImportRow.job_id == job_id, ImportRow.number > start)
        if refused:
            asked = asked.where(ImportRow.problem.is_not(None))
        found = list(session.scalars(asked.order_by(ImportRow.number).limit(limit + 1)))
    shown = found[:limit]
    following = pagination.encode_cursor(secret, query, [str(shown[-1].number)]) if len(found) > limit else None
    items = [{"row": one.number, "ticket": one.ticket_id, "problem": one.problem} for one in shown]
    return {"items": items, "next": following}


def _get(session: Session, tenant: str, job_id: uuid.UUID) -> ImportJob:
    found = session.scalar(select(ImportJob).where(ImportJob.tenant_id == tenant, ImportJob.id == job_id))
    if found is None:
        raise NotFound("There is no such import.")
    return found


def _view(job: ImportJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "status": job.status,
        "dry_run": job.dry_run,
        "rows": job.rows,
        "done": job.done,
        "accepted": job.accepted,
        "refused": job.refused,
        "error": job.error,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    }
