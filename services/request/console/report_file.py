"""/v1/erasers/{number}/report: the report of a version as one HTML file, alone or against an earlier version.

The file has the templates of the console's pages and its styles, and neither scripts nor addresses. The console gives
the same file at /console/erasers/{number}/report.
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import encode_body
from services.request.api.responses import ResponseModel, TicketId
from services.request.api.schemas import Number
from services.request.auth.principals import Principal
from services.request.console import report_pdf, reports
from services.request.console.language import FOLDER as TRANSLATIONS
from services.request.console.rendering import FOLDER, render
from services.request.console.routing import console_router
from services.request.console.visit import VisitDep
from services.request.context import AppContext
from services.request.documents.language import Language, language
from services.request.documents.signature import signed
from services.request.erasers import endpoints as erasers
from services.request.erasers.responses import AuditResponse, EraserDetailResponse
from shared.core.clock import utc_now
from shared.db.repositories import audits
from shared.db.session import transaction

router = APIRouter(tags=["erasers"])
pages = console_router()
VERSIONS: Final = 12  # that are compared at most, the newest first
MOST_ROWS: Final = 200  # requests that are listed by version
Format = Annotated[Literal["html", "pdf", "json"], Query(description="`html` is one file with everything in it.")]
FileFormat = Literal["html", "pdf"]
Against = Annotated[int | None, Query(ge=0, le=2**31 - 1, description="An earlier version to compare with.")]


class VersionPoint(ResponseModel):
    """The worst figures of one version."""

    version: int = Field(examples=[7])
    verdict: str | None = Field(examples=["passed"])
    told: float = Field(description="Told after, the higher of both sets about the forgotten.", examples=[0.0])
    same: float = Field(description="Same answer, the lowest set about all others.", examples=[0.99])


class EraserReport(ResponseModel):
    """The report of a version, alone or against an earlier one."""

    audit: AuditResponse
    against: AuditResponse | None
    came: list[TicketId] = Field(description="Tickets that the earlier version does not cover.")
    went: list[TicketId] = Field(description="Tickets that the earlier version covers alone.")
    versions: list[VersionPoint] = Field(description="Of the last versions up to this one, the newest first.")
    tickets: dict[str, list[bool | None]] = Field(
        description="Whether each ticket passed, in the order of `columns`; null where a version does not cover it.",
        examples=[{"T-QZF9ZWQQ": [True, None]}],
    )
    columns: list[int] = Field(description="The numbers of the versions.", examples=[[7, 6]])


DESCRIBED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": EraserReport, "content": {"text/html": {}, "application/pdf": {}}, "description": "The report"}
}


@router.get("/v1/erasers/{number}/report", response_class=Response, responses=DESCRIBED)
def eraser_report(
    number: Number,
    context: ContextDep,
    principal: PrincipalDep,
    request: Request,
    against: Against = None,
    format: Format = "html",
    language_code: Annotated[Literal["en", "de"], Query(alias="language")] = "en",
) -> Response:
    """The report of a version: verdict, figures, intervals, requests, attacks, what was not run; as one HTML file."""
    facts = _facts(context, principal, number, against)
    if format != "json":
        return _file(request, context, facts, language(language_code, TRANSLATIONS), format)
    points = [VersionPoint(**asdict(point)) for point in facts.points]
    report = EraserReport(
        audit=facts.audit,
        against=facts.first,
        came=facts.came,
        went=facts.went,
        versions=points,
        tickets=dict(facts.strip),
        columns=facts.columns,
    )
    return JSONResponse(encode_body(report))


@pages.get("/console/erasers/{number}/report")
def download(number: Number, visit: VisitDep, against: Against = None, format: FileFormat = "html") -> Response:
    """The same file in the language of the console."""
    visit.permit(eraser_report)
    facts = _facts(visit.context, visit.principal, number, against)
    return _file(visit.request, visit.context, facts, visit.language, format)


@dataclass(frozen=True)
class _Facts:
    """What the file shows. `first` is the earlier version's audit, where there is one to compare with."""

    version: EraserDetailResponse
    audit: AuditResponse
    first: AuditResponse | None
    came: list[str]
    went: list[str]
    points: list[reports.Point]
    columns: list[int]
    strip: list[tuple[str, list[bool | None]]]


def _facts(context: AppContext, principal: Principal, number: int, against: int | None) -> _Facts:
    """Raises NotFound for a version that there is not, or that has no audit."""
    version = erasers.show_eraser(number, context, principal, Response())
    audit = erasers.show_audit(number, context, principal)
    first, before = None, set(version.tickets)
    if against is not None:
        first = erasers.show_audit(against, context, principal)
        before = set(erasers.show_eraser(against, context, principal, Response()).tickets)
    with transaction(context.database) as session:
        results = audits.results_of_versions(session, context.model_id, number, VERSIONS)
    return _Facts(
        version,
        audit,
        first,
        came=sorted(set(version.tickets) - before),
        went=sorted(before - set(version.tickets)),
        points=[point for each in results if (point := reports.point(each)) is not None],
        columns=[each.version for each in results],
        strip=reports.strip(results),
    )


def _file(request: Request, context: AppContext, facts: _Facts, spoken: Language, format: FileFormat) -> Response:
    before, after = (facts.first.report if facts.first else None) or {}, facts.audit.report or {}
    rows = reports.compared(before, after) if facts.first else []
    name = f"version-{facts.version.number}" + (f"-against-{facts.first.number}" if facts.first else "")
    headers = {"Content-Disposition": f'attachment; filename="{name}.{format}"'}
    if format == "pdf":
        made = report_pdf.as_pdf(facts.version, facts.audit, facts.first, spoken)
        content = signed(made, request.app.state.pdf_signer)
        return Response(content, media_type="application/pdf", headers=headers)
    page = render(
        spoken,
        context.zone,
        "report.html",
        in_file=True,
        reports=reports,
        version=facts.version,
        audit=facts.audit,
        report=facts.audit.report,
        first=facts.first,
        rows=rows,
        matrix=reports.matrix(before, after) if facts.first else [],
        came=facts.came,
        went=facts.went,
        points=facts.points,
        strip_versions=facts.columns,
        strip_rows=facts.strip[:MOST_ROWS],
        strip_left_out=max(0, len(facts.strip) - MOST_ROWS),
        style=(FOLDER / "static" / "console.css").read_text(),
        now=utc_now(),
    )
    page.headers.update(headers)
    return page
