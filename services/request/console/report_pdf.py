"""The report of a version as PDF: the tables of the file, with its sentences, and without its plot."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from services.request.console import reports, words
from services.request.documents.language import Language
from services.request.documents.page import INK, PALE, WIDTH, DocumentPage
from services.request.erasers.responses import AuditResponse, EraserDetailResponse

MOST_ROWS: Final = 200  # requests
Column = tuple[str, float]  # its heading, and its share of the width; all but the first are aligned to the right


def as_pdf(version: EraserDetailResponse, audit: AuditResponse, first: AuditResponse | None, spoken: Language) -> bytes:
    """The report on as many pages of A4 as it needs; `first` is the audit of an earlier version to compare with."""
    _, report = spoken.gettext, audit.report or {}
    title = _("Report of version %(n)d") % {"n": version.number}
    page = _Page(title, spoken.code, _texts([report, audit.reasons, version.model]), title)
    page.ink(20, INK, "B")
    page.say(title, "H1", 9)
    page.ink(9.5, PALE)
    page.say(f"{version.model}, {version.recipe}, {spoken.moment(version.created_at, 'UTC')}")
    page.ink(11, INK, "B")
    page.say(_(words.label(audit.verdict or audit.status)))
    page.sentences("", [*audit.reasons, report.get("claim", "")])
    if first is not None:
        compared = reports.compared(first.report or {}, report)
        numbers = [_("version %(n)d") % {"n": number} for number in (first.number, version.number)]
        columns = [(_("Questions about"), 0.5), (_("Figure"), 0.22), (numbers[0], 0.14), (numbers[1], 0.14)]
        page.rows_under(_("What changed"), columns, [
            (_(reports.set_name(row.name)), _("told after") if row.what == "told_after" else _("same answer"),
             _share(row.first, spoken), _share(row.second, spoken)) for row in compared
        ])  # fmt: skip
    for about_forgotten, heading, figure, label in (
        (True, _("What is still told of the forgotten"), "told_after", _("told after")),
        (False, _("What stays the same for everybody else"), "identical", _("same answer")),
    ):
        columns = [(_("Questions about"), 0.5), (_("Questions"), 0.12), (_("People"), 0.1), (label, 0.28)]
        page.rows_under(heading, columns, [
            (_(reports.set_name(name)), str(f.get("n", 0)), str(f.get("people", 0)), _bounded(f, figure, spoken))
            for name, f in reports.panels(report, about_forgotten)
        ])  # fmt: skip
    columns = [(_("Request"), 0.22), (_("Result"), 0.16), (_("asked"), 0.1), (_("told before"), 0.22),
               (_("told after"), 0.3)]  # fmt: skip
    page.rows_under(_("Request by request"), columns, [
        (name, _(words.label("passed" if row.get("passed") else "failed")), str(row.get("asked", 0)),
         _share(row.get("told_before"), spoken), _bounded(row, "told_after", spoken))
        for name, row in reports.tickets(report)[:MOST_ROWS]
    ])  # fmt: skip
    columns = [(_("Family"), 0.4), (_("Attacks"), 0.15), (_("tell before"), 0.15), (_("tell after"), 0.15),
               (_("net"), 0.15)]  # fmt: skip
    page.rows_under(_("Attacks by family"), columns, [
        (name.replace("_", " "), str(f.get("n", 0)), str(f.get("told_before", 0)), str(f.get("told_after", 0)),
         _share(f.get("net"), spoken))
        for name, f in reports.families(report)
    ])  # fmt: skip
    page.sentences(_("Integrity, and what was not asked"), [
        *(f"{name.replace('_', ' ')}: {_(words.label('passed' if holds else 'failed'))}"
          for name, holds in report.get("integrity", {}).items()),
        *report.get("not_run", []),
    ])  # fmt: skip
    return bytes(page.output())


class _Page(DocumentPage):
    def sentences(self, heading: str, texts: Iterable[str]) -> None:
        """A heading, and a paragraph for each text that is not empty."""
        given = [text for text in texts if text]
        if heading and given:
            self._heading(heading)
        self.ink(9, INK)
        for text in given:
            self.say(text, height=4.8)

    def rows_under(self, heading: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """A table with a heading; nothing where it has no rows."""
        if not rows:
            return
        self._heading(heading)
        self.ink(8.5, PALE)
        self._row(columns, [name for name, _share in columns])
        self.rule(0.4)
        self.ink(9, INK)
        for row in rows:
            self._row(columns, row)

    def _row(self, columns: Sequence[Column], cells: Sequence[str]) -> None:
        with self.tag("P"):
            for place, ((_name, share), text) in enumerate(zip(columns, cells, strict=True)):
                self.cell(WIDTH * share, 5.2, text, align="R" if place else "L")
        self.ln(5.2)

    def _heading(self, text: str) -> None:
        self.ln(3)
        self.ink(11, INK, "B")
        self.say(text, "H2", 6)


def _share(value: float | None, spoken: Language) -> str:
    return "–" if value is None else spoken.percent(value)


def _bounded(figures: Mapping[str, Any], name: str, spoken: Language) -> str:
    """A share with its interval, where the report has one."""
    bounds = reports.interval(figures, name)
    between = f" [{' – '.join(spoken.percent(bound) for bound in bounds)}]" if bounds else ""
    return _share(figures.get(name), spoken) + between


def _texts(value: Any) -> list[str]:
    """Every text in a report, its keys too."""
    if isinstance(value, Mapping):
        return [text for key, inner in value.items() for text in (str(key), *_texts(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []
