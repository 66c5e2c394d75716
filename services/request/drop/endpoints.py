"""/v1/drop-lists: give a download of California's DROP, see whom it matched, get the files that answer it.

The control loop does the matching, with the operator's register.
"""

import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import MutationDep, MutationResult
from services.request.drop import lists, service
from services.request.drop.lists import Download
from services.request.drop.responses import (
    DropListList,
    DropListResponse,
    DropMatchList,
    DropMatchResponse,
    DropReportResponse,
    DropResponseFile,
)
from shared.db.session import transaction
from shared.errors import UnsupportedMedia

router = APIRouter(tags=["California's DROP"])
MEDIA_TYPES: Final = ("application/zip", "text/csv")
EXAMPLE: Final = "ID,Hash\nA7kP2xQ9Lm4R,KA18MT/ph6IHYjzT9zwETySDQyvSh87YuoSBpOQtkhE=\n"
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/zip": {"schema": {"type": "string", "format": "binary"}},
            "text/csv": {"schema": {"type": "string", "examples": [EXAMPLE]}},
        },
    }
}
Name = Annotated[
    str,
    Query(max_length=100, description="The name of the file, as the platform gave it; needed for a CSV file."),
]


@dataclass(frozen=True)
class SentDownload:
    """A file as it was sent."""

    raw: bytes
    name: str

    def read(self) -> Download:
        """What it holds. Raises BadInput or TooLarge."""
        return lists.read_download(self.raw, self.name)


async def _sent(request: Request, name: Name = "") -> SentDownload:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise UnsupportedMedia(f"A download of DROP is {' or '.join(MEDIA_TYPES)}.")
    return SentDownload(await request.body(), name)


SentDep = Annotated[SentDownload, Depends(_sent)]


@router.post("/v1/drop-lists", status_code=202, openapi_extra=BODY, response_model=DropListResponse)
def create_drop_list(mutation: MutationDep, sent: SentDep) -> JSONResponse:
    """Match a download of DROP with the operator's register. Answers at once; each match becomes a ticket."""
    download = sent.read()

    def create(session: Session) -> MutationResult:
        principal = mutation.principal
        row = service.take_in(session, mutation.context, principal.tenant_id, principal.owner, download, fetched=False)
        return MutationResult(DropListResponse.model_validate(row), 202, location=f"/v1/drop-lists/{row.id}")

    return mutation.run_once(create)


@router.get("/v1/drop-lists")
def list_drop_lists(
    context: ContextDep, principal: PrincipalDep, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> DropListList:
    """The newest downloads, the newest first."""
    with transaction(context.database) as session:
        rows = service.list_newest(session, principal.tenant_id, limit)
        return DropListList(items=[DropListResponse.model_validate(row) for row in rows])


@router.get("/v1/drop-lists/{list_id}")
def show_drop_list(list_id: uuid.UUID, context: ContextDep, principal: PrincipalDep) -> DropListResponse:
    """How far the matching is."""
    with transaction(context.database) as session:
        return DropListResponse.model_validate(service.get_list(session, principal.tenant_id, list_id))


@router.get("/v1/drop-lists/{list_id}/matches")
def list_drop_matches(list_id: uuid.UUID, context: ContextDep, principal: PrincipalDep) -> DropMatchList:
    """The work items that matched, each with its ticket and its status."""
    with transaction(context.database) as session:
        service.get_list(session, principal.tenant_id, list_id)
        matches = service.matches_of(session, principal.tenant_id, list_id)
        known = service.statuses(session, principal.tenant_id, {match.item_id for match in matches})
        return DropMatchList(
            items=[
                DropMatchResponse(
                    item=match.item_id,
                    ticket=match.ticket_id,
                    problem=match.problem,
                    removed=match.removed_at is not None,
                    status=known[match.item_id],
                    reported=match.reported,
                )
                for match in matches
            ]
        )


@router.post("/v1/drop-lists/report", openapi_extra=BODY)
def report_drop_list(
    context: ContextDep,
    principal: PrincipalDep,
    sent: SentDep,
    suffix: Annotated[str, Query(max_length=10, description="Of the names of the files, for another part.")] = "",
) -> DropReportResponse:
    """The files that answer a download which was matched; it is read again, because nothing of it was kept."""
    lists.check_suffix(suffix)
    download = sent.read()
    with transaction(context.database) as session:
        files = service.report(session, principal.tenant_id, download, suffix)
        return DropReportResponse(
            items=[
                DropResponseFile(name=each.name, content=each.content, rows=each.rows, undecided=each.undecided)
                for each in files
            ]
        )
