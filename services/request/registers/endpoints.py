"""/v1/registers: the register of requests and its key figures, as JSON or CSV. No personal data, tickets by id only."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime
from starlette.responses import JSONResponse

from services.request.api import pagination
from services.request.api.csv import write_csv
from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import encode_body
from services.request.registers.responses import KeyFigures, RegisterEntryResponse, RegisterPage, register_entry
from shared.core.clock import utc_now
from shared.db.repositories import registers
from shared.db.session import transaction

router = APIRouter(tags=["registers"])
Since = Annotated[AwareDatetime | None, Query(description="Filed at this time or later.")]
Until = Annotated[AwareDatetime | None, Query(description="Filed before this time.")]
Format = Annotated[Literal["json", "csv"], Query(description="Cells of the CSV are escaped against formulas.")]
NEXT: Final = "Lacuna-Next"


def _json_or_csv(model: type[Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "content": {"text/csv": {}}}}


@router.get("/v1/registers/requests", response_class=Response, responses=_json_or_csv(RegisterPage))
def register_requests(
    context: ContextDep,
    principal: PrincipalDep,
    since: Since = None,
    until: Until = None,
    format: Format = "json",
    cursor: Annotated[str | None, Query(min_length=1, max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
) -> Response:
    """Every request of the period, oldest first; the next page's cursor is `next`, or the header Lacuna-Next."""
    secret, query = context.keys.secret("cursor"), ["register", principal.tenant_id, since, until]
    after = None
    if cursor is not None:
        submitted_at, ticket_id = pagination.decode_cursor(secret, query, cursor, 2)
        after = (datetime.fromisoformat(submitted_at), ticket_id)
    with transaction(context.database) as session:
        rows = registers.list_requests(session, principal.tenant_id, since, until, after, limit + 1, utc_now())
        entries = [register_entry(row) for row in rows[:limit]]
    following = None
    if len(rows) > limit:
        last = entries[-1]
        following = pagination.encode_cursor(secret, query, [last.submitted_at.isoformat(), last.id])
    headers = {NEXT: following} if following else {}
    if format == "csv":
        columns = list(RegisterEntryResponse.model_fields)
        cells = ([getattr(entry, column) for column in columns] for entry in entries)
        return _csv("requests", columns, cells, headers)
    return JSONResponse(encode_body(RegisterPage(items=entries, next=following)), headers=headers)


@router.get("/v1/registers/kpis", response_class=Response, responses=_json_or_csv(KeyFigures))
def register_kpis(
    context: ContextDep, principal: PrincipalDep, since: Since = None, until: Until = None, format: Format = "json"
) -> Response:
    """Received, granted, refused and why, median days, in time and late by law: of the requests filed in the period."""
    with transaction(context.database) as session:
        counts = registers.key_figures(session, principal.tenant_id, since, until, utc_now())
    figures = KeyFigures(**counts, since=since, until=until)
    if format == "json":
        return JSONResponse(encode_body(figures))
    rows = figures.model_dump(exclude={"refused_by_code", "by_regime", "since", "until"})
    for law, counted in sorted(figures.by_regime.items()):
        rows |= {f"{law}_{figure}": count for figure, count in counted.model_dump().items()}
    rows |= {f"refused_{code}": count for code, count in sorted(figures.refused_by_code.items())}
    return _csv("kpis", ["figure", "value"], rows.items(), {})


def _csv(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], headers: dict[str, str]) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'} | headers
    return Response(write_csv(columns, rows), headers=headers, media_type="text/csv")
