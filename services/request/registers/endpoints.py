"""The register of requests and its key figures over HTTP, as JSON or CSV. No personal data: tickets by their ids."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.encoders import jsonable_encoder
from pydantic import AwareDatetime
from starlette.responses import JSONResponse

from services.request.api import pagination
from services.request.api.csv import escape_cell
from services.request.api.dependencies import ContextDep, PrincipalDep
from shared.core.clock import utc_now
from shared.db.models.tickets import Ticket
from shared.db.models.transparency import Certificate
from shared.db.repositories import registers
from shared.db.session import transaction

router = APIRouter(tags=["registers"])
Since = Annotated[AwareDatetime | None, Query(description="Filed at this time or later.")]
Until = Annotated[AwareDatetime | None, Query(description="Filed before this time.")]
Format = Annotated[Literal["json", "csv"], Query(description="Cells of the CSV are escaped against formulas.")]
BOTH: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {}, "text/csv": {}}}}
NEXT = "Lacuna-Next"


@router.get("/v1/registers/requests", response_class=Response, responses=BOTH)
def register_requests(
    context: ContextDep,
    principal: PrincipalDep,
    since: Since = None,
    until: Until = None,
    format: Format = "json",
    cursor_: Annotated[str | None, Query(alias="cursor", min_length=1, max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
) -> Response:
    """Every request of the period, oldest first; the next page's cursor is `next`, or the header Lacuna-Next."""
    secret, query = context.keys.secret("cursor"), ["register", principal.tenant_id, since, until]
    after = None
    if cursor_ is not None:
        at, last = pagination.decode_cursor(secret, query, cursor_, 2)
        after = (datetime.fromisoformat(at), last)
    with transaction(context.database) as session:
        found = registers.list_requests(session, principal.tenant_id, since, until, after, limit + 1)
        items = [_row(entry.ticket, entry.certificate) for entry in found[:limit]]
    following = None
    if len(found) > limit:
        ticket = found[limit - 1].ticket
        following = pagination.encode_cursor(secret, query, [ticket.submitted_at.isoformat(), ticket.id])
    if format == "csv":
        return _csv("requests", list(_COLUMNS), items, following)
    head = {NEXT: following} if following else {}
    return JSONResponse(jsonable_encoder({"items": items, "next": following}), headers=head)


@router.get("/v1/registers/kpis", response_class=Response, responses=BOTH)
def register_kpis(
    context: ContextDep, principal: PrincipalDep, since: Since = None, until: Until = None, format: Format = "json"
) -> Response:
    """Received, granted, refused and why, median days, overdue: of the requests filed in the period."""
    with transaction(context.database) as session:
        figures = registers.key_figures(session, principal.tenant_id, since, until, utc_now())
    if format == "json":
        return JSONResponse(jsonable_encoder(figures | {"since": since, "until": until}))
    why = figures.pop("refused_by_code")
    flat = figures | {f"refused_{code}": count for code, count in sorted(why.items())}
    return _csv("kpis", ["figure", "value"], [{"figure": name, "value": value} for name, value in flat.items()], None)


_COLUMNS = (
    "id", "submitted_at", "source", "external_ref", "state", "decided_at", "decided_by", "ground", "decision_code",
    "required_since", "regime", "due_at", "certificate", "certificate_status",
)  # fmt: skip


def _row(ticket: Ticket, certificate: Certificate | None) -> dict[str, Any]:
    held = {"certificate": certificate.number, "certificate_status": certificate.status} if certificate else {}
    return {name: getattr(ticket, name, None) for name in _COLUMNS} | held


def _csv(name: str, columns: list[str], rows: Sequence[Mapping[str, Any]], following: str | None) -> Response:
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\r\n")
    out.writerow(columns)
    for row in rows:
        values = [row.get(column) for column in columns]
        out.writerow([escape_cell(value.isoformat() if isinstance(value, datetime) else value) for value in values])
    head = {"Content-Disposition": f'attachment; filename="{name}.csv"'} | ({NEXT: following} if following else {})
    return Response(text.getvalue(), headers=head, media_type="text/csv")
