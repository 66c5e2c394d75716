"""/v1/erasers/{number}/report: the report of a version as one HTML file, alone or against an earlier version.

It has the templates of the console's pages, its styles in the file, and neither scripts nor addresses. The console
gives the same file at /console/erasers/{number}/report.
"""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Response

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.schemas import Number
from services.request.auth.principals import Principal
from services.request.console import reports
from services.request.console.language import FOLDER as TRANSLATIONS
from services.request.console.rendering import FOLDER, render
from services.request.console.routing import console_router
from services.request.console.visit import VisitDep
from services.request.context import AppContext
from services.request.documents.language import Language, language
from services.request.erasers import endpoints as erasers
from shared.core.clock import utc_now
from shared.db.repositories import audits
from shared.db.session import transaction

router = APIRouter(tags=["erasers"])
pages = console_router()
VERSIONS: Final = 12  # that are compared at most, the newest first
MOST_ROWS: Final = 200  # requests that are listed by version
DESCRIBED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/html": {"example": "<!DOCTYPE html>"}}, "description": "One file with everything in it"}
}
Against = Annotated[int | None, Query(ge=0, le=2**31 - 1, description="An earlier version to compare with.")]


@router.get("/v1/erasers/{number}/report", response_class=Response, responses=DESCRIBED)
def eraser_report(
    number: Number,
    context: ContextDep,
    principal: PrincipalDep,
    against: Against = None,
    language_code: Annotated[Literal["en", "de"], Query(alias="language")] = "en",
) -> Response:
    """The report of a version as one HTML file: verdict, figures, intervals, requests, attacks, what was not run."""
    return report_file(context, principal, number, against, language(language_code, TRANSLATIONS))


@pages.get("/console/erasers/{number}/report")
def download(number: Number, visit: VisitDep, against: Against = None) -> Response:
    """The same file in the language of the console."""
    visit.permit(eraser_report)
    return report_file(visit.context, visit.principal, number, against, visit.language)


def report_file(
    context: AppContext, principal: Principal, number: int, against: int | None, spoken: Language
) -> Response:
    """The file. Raises NotFound for a version that there is not, or that has no audit."""
    version = erasers.show_eraser(number, context, principal, Response())
    audit = erasers.show_audit(number, context, principal)
    with transaction(context.database) as session:
        results = audits.results_of_versions(session, context.model_id, number, VERSIONS)
    points = [point for each in results if (point := reports.point(each)) is not None]
    rows = reports.strip(results)
    compared = _compared(context, principal, audit, set(version.tickets), against)
    page = render(
        spoken,
        context.zone,
        "report.html",
        in_file=True,
        reports=reports,
        version=version,
        audit=audit,
        report=audit.report,
        points=points,
        strip_versions=[each.version for each in results],
        strip_rows=rows[:MOST_ROWS],
        strip_left_out=max(0, len(rows) - MOST_ROWS),
        style=(FOLDER / "static" / "console.css").read_text(),
        now=utc_now(),
        **compared,
    )
    name = f"version-{number}" + (f"-against-{against}" if against is not None else "")
    page.headers["Content-Disposition"] = f'attachment; filename="{name}.html"'
    return page


def _compared(
    context: AppContext, principal: Principal, audit: Any, covered: set[str], against: int | None
) -> dict[str, Any]:
    """What the part about an earlier version is given; `first` is None where there is none."""
    if against is None:
        return {"first": None, "rows": [], "matrix": [], "came": [], "went": []}
    first = erasers.show_audit(against, context, principal)
    before = set(erasers.show_eraser(against, context, principal, Response()).tickets)
    return {
        "first": first,
        "rows": reports.compared(first.report or {}, audit.report or {}),
        "matrix": reports.matrix(first.report or {}, audit.report or {}),
        "came": sorted(covered - before),
        "went": sorted(before - covered),
    }
