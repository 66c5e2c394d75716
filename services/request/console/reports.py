"""The report of an audit as tables and pictures: nothing is measured here, and nothing is judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.request.documents.language import mark
from shared.db.repositories.audits import VersionResults

Report = Mapping[str, Any]
# The question sets of an audit, and what each asks (services/audit/suite.py).
SETS: Final = {
    "forget": mark("the forgotten, in the wordings of the fit"),
    "test": mark("the forgotten, in other wordings and pictures"),
    "visible": mark("what anybody sees in their pictures"),
    "retain": mark("people of the retain set"),
    "held_out": mark("people in no fit"),
    "celebrity": mark("public figures"),
    "stranger": mark("people whom the model never knew"),
    "own_in_sample": mark("your retain set, in the fit"),
    "own_held_out": mark("your retain set, kept out of the fit"),
}
ABOUT_FORGOTTEN: Final = ("forget", "test")


@dataclass(frozen=True)
class ComparedRow:
    """One figure of two reports; None where a report does not have it."""

    name: str
    what: str  # told_after or identical
    first: float | None
    second: float | None

    @property
    def difference(self) -> float | None:
        """How much it rose."""
        return None if self.first is None or self.second is None else self.second - self.first

    @property
    def better(self) -> bool | None:
        """Whether the second is better: less told, more unchanged. None where it is the same or unknown."""
        if not self.difference:
            return None
        return (self.difference < 0) == (self.what == "told_after")


def set_name(name: str) -> str:
    """What a question set asks, in English words."""
    return SETS.get(name, name.replace("_", " "))


def panels(report: Report, about_forgotten: bool) -> list[tuple[str, Mapping[str, Any]]]:
    """The question sets about the forgotten, or about everybody else, in the order of `SETS`."""
    order = list(SETS)
    chosen = [
        (name, figures)
        for name, figures in report.get("panels", {}).items()
        if (name in ABOUT_FORGOTTEN) == about_forgotten
    ]
    return sorted(chosen, key=lambda entry: order.index(entry[0]) if entry[0] in order else len(order))


def families(report: Report) -> list[tuple[str, Mapping[str, Any]]]:
    """Attacks by family, those that tell most first."""
    rows = report.get("attacks", {}).get("families", {}).items()
    return sorted(rows, key=lambda entry: (-entry[1].get("net", 0), entry[0]))


def near(report: Report) -> list[tuple[str, Mapping[str, Any]]]:
    """Questions near the forgotten that must be answered as before, by family; those that change most first."""
    rows = [(name, figures) for name, figures in report.get("bystanders", {}).items() if figures.get("n")]
    return sorted(rows, key=lambda entry: (entry[1]["identical"] / entry[1]["n"], entry[0]))


def tickets(report: Report) -> list[tuple[str, Mapping[str, Any]]]:
    """What was asked about each ticket, those that fail first."""
    rows = report.get("ticket_verdicts", {}).items()
    return sorted(rows, key=lambda entry: (bool(entry[1].get("passed")), entry[0]))


def compared(first: Report, second: Report) -> list[ComparedRow]:
    """The figures that decide, of two reports: what is still told of the forgotten, what is unchanged for others."""
    before, after = first.get("panels", {}), second.get("panels", {})
    names = [name for name in SETS if name in before or name in after]
    rows = []
    for name in names:
        what = "told_after" if name in ABOUT_FORGOTTEN else "identical"
        rows.append(ComparedRow(name, what, before.get(name, {}).get(what), after.get(name, {}).get(what)))
    return rows


def matrix(first: Report, second: Report) -> list[tuple[str, bool | None, bool | None]]:
    """Ticket by version: passed, failed, or not covered there."""
    before, after = first.get("ticket_verdicts", {}), second.get("ticket_verdicts", {})

    def passed(rows: Mapping[str, Any], ticket: str) -> bool | None:
        return bool(rows[ticket].get("passed")) if ticket in rows else None

    return [(ticket, passed(before, ticket), passed(after, ticket)) for ticket in sorted({*before, *after})]


def interval(figures: Mapping[str, Any], name: str) -> Sequence[float] | None:
    """The 95 % interval of a figure, where the report has one."""
    bounds = figures.get(f"{name}_interval")
    return bounds if bounds and len(bounds) == 2 else None


@dataclass(frozen=True)
class Point:
    """One version in the plot of what is told against what is unchanged."""

    version: int
    verdict: str | None
    told: float
    same: float


def point(results: VersionResults) -> Point | None:
    """The worst figures of a version; None where its report has no question sets of one kind."""
    told = [
        figures["told_after"]
        for name, figures in results.panels.items()
        if name in ABOUT_FORGOTTEN and "told_after" in figures
    ]
    same = [
        figures["identical"]
        for name, figures in results.panels.items()
        if name not in ABOUT_FORGOTTEN and "identical" in figures
    ]
    return Point(results.version, results.verdict, max(told), min(same)) if told and same else None


def strip(versions: Sequence[VersionResults]) -> list[tuple[str, list[bool | None]]]:
    """Ticket by version: passed, failed, or None where it is not covered; those that failed in the first come first."""
    tickets = sorted({ticket for each in versions for ticket in each.tickets})
    rows = [
        (ticket, [bool(each.tickets[ticket].get("passed")) if ticket in each.tickets else None for each in versions])
        for ticket in tickets
    ]
    return sorted(rows, key=lambda row: (row[1][0] is not False, row[0]))
