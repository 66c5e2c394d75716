"""/v1/imports: send a file of tickets, follow the job, read the report on each row. The control loop carries it out."""

import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request import sealing
from services.request.api import pagination
from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.imports import parsing
from services.request.imports.parsing import Format
from services.request.imports.responses import ImportJobResponse, ImportRowPage, ImportRowResponse
from shared.core.clock import utc_now
from shared.db.models.imports import ImportJob, ImportRow
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import NotFound, UnsupportedMedia
from shared.storage.object_keys import import_key

router = APIRouter(tags=["imports"])
MEDIA_TYPES: Final[dict[str, Format]] = {"text/csv": "csv", "application/x-ndjson": "ndjson"}
EXAMPLE: Final = "names,fact.employer,external_ref\nMara Lindqvist|Mara L.,Marble & Finch,case-1042\n"
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {media_type: {"schema": {"type": "string", "examples": [EXAMPLE]}} for media_type in MEDIA_TYPES},
    }
}


@dataclass(frozen=True)
class TicketFile:
    """A file as it was sent."""

    format: Format
    raw: bytes


async def _ticket_file(request: Request) -> TicketFile:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise UnsupportedMedia(f"A file of tickets is {' or '.join(MEDIA_TYPES)}.")
    return TicketFile(MEDIA_TYPES[media_type], await request.body())


@router.post("/v1/imports", status_code=202, openapi_extra=BODY, response_model=ImportJobResponse)
def create_import(
    mutation: MutationDep, file: Annotated[TicketFile, Depends(_ticket_file)], dry_run: bool = False
) -> JSONResponse:
    """File many tickets. Answers at once with the job; with `dry_run` every row is checked and none is filed."""
    text = parsing.decode_text(file.raw)
    rows = parsing.count_rows(text, file.format)

    def create(session: Session) -> MutationResult:
        job_id = uuid.uuid4()
        key = import_key(mutation.principal.tenant_id, str(job_id))
        tenant = mutation.principal.tenant_id
        sealed = sealing.seal(session, mutation.context, tenant, text.encode(), key, store=True)
        job = ImportJob(
            id=job_id,
            tenant_id=mutation.principal.tenant_id,
            owner=mutation.principal.owner,
            format=file.format,
            dry_run=dry_run,
            status="waiting",
            object_key=key,
            wrapped_key=sealed.wrapped_key,
            rows=rows,
            done=0,
            accepted=0,
            refused=0,
            created_at=utc_now(),
        )
        session.add(job)
        audit_log.append_leaf(
            session, mutation.principal.owner, "import.ordered", str(job_id), {"rows": rows, "dry_run": dry_run}
        )
        return MutationResult(ImportJobResponse.model_validate(job), 202, location=f"/v1/imports/{job_id}")

    return mutation.run_once(create)


@router.get("/v1/imports/{job_id}")
def show_import(job_id: uuid.UUID, context: ContextDep, principal: PrincipalDep) -> ImportJobResponse:
    """How far the job is."""
    with transaction(context.database) as session:
        return ImportJobResponse.model_validate(_get_job(session, principal.tenant_id, job_id))


@router.get("/v1/imports/{job_id}/rows")
def list_import_rows(
    job_id: uuid.UUID,
    context: ContextDep,
    principal: PrincipalDep,
    refused: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    cursor: Annotated[str | None, Query(min_length=1, max_length=500)] = None,
) -> ImportRowPage:
    """What became of each row, in order; with `refused` only those that have a problem."""
    secret, query = context.keys.secret("cursor"), [principal.tenant_id, "rows", str(job_id), refused]
    after = int(pagination.decode_cursor(secret, query, cursor, 1)[0]) if cursor else 0
    with transaction(context.database) as session:
        _get_job(session, principal.tenant_id, job_id)
        wanted = select(ImportRow, Ticket.duplicate_of).outerjoin(Ticket, Ticket.id == ImportRow.ticket_id)
        wanted = wanted.where(ImportRow.job_id == job_id, ImportRow.number > after)
        if refused:
            wanted = wanted.where(ImportRow.problem.is_not(None))
        rows = list(session.execute(wanted.order_by(ImportRow.number).limit(limit + 1)).all())
    page = rows[:limit]
    return ImportRowPage(
        items=[
            ImportRowResponse(row=row.number, ticket=row.ticket_id, duplicate_of=original, problem=row.problem)
            for row, original in page
        ],
        next=pagination.encode_cursor(secret, query, [str(page[-1][0].number)]) if len(rows) > limit else None,
    )


def _get_job(session: Session, tenant: str, job_id: uuid.UUID) -> ImportJob:
    job = session.scalar(select(ImportJob).where(ImportJob.tenant_id == tenant, ImportJob.id == job_id))
    if job is None:
        raise NotFound("There is no such import.")
    return job
