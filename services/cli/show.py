"""Answers as tables and sentences, or as JSON. Knows the shape of the answers and nothing else."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

out = Console(highlight=False)


def as_json(value: Any) -> None:
    """JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def rows(columns: Iterable[str], lines: Iterable[Iterable[Any]]) -> None:
    """A table."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for line in lines:
        table.add_row(*(_cell(value) for value in line))
    out.print(table)


def tickets(answer: Mapping[str, Any]) -> None:
    """A list of tickets."""
    if not answer["items"]:
        out.print("There is no ticket.")
        return
    rows(
        ("ticket", "state", "urgent", "facts", "photos", "filed by", "filed at", "decided by"),
        (
            (t["id"], t["state"], t["urgent"], t["facts"], t["photos"], t["submitted_by"], t["submitted_at"][:19],
             t["decided_by"])
            for t in answer["items"]
        ),
    )  # fmt: skip


def ticket(one: Mapping[str, Any]) -> None:
    """One ticket with its history."""
    why = f" ({one['review_reason'].replace('_', ' ')})" if one["review_reason"] else ""
    out.print(f"[bold]{one['id']}[/]  {one['state'].replace('_', ' ')}{why}")
    out.print(f"{one['facts']} facts, {one['photos']} photos, filed by {one['submitted_by']} from {one['source']}")
    if one["ground"]:
        out.print(f"approved by {one['decided_by']}: {one['ground'].replace('_', ' ')}")
    if one["decision_code"]:
        out.print(f"rejected by {one['decided_by']}: {one['decision_code'].replace('_', ' ')}: {one['decision_note']}")
    rows(("at", "state", "by", "note"), ((e["at"][:19], e["state"], e["actor"], e["note"]) for e in one["events"]))


def erasers(answer: Mapping[str, Any]) -> None:
    """A list of versions."""
    rows(
        ("version", "tickets", "audit", "promoted", "recipe", "kB", "made at"),
        (
            (v["number"], len(v["tickets"]), v["audit"], v["promoted"], v["recipe"], v["size_bytes"] // 1000,
             v["created_at"][:19])
            for v in answer["items"]
        ),
    )  # fmt: skip


def eraser(one: Mapping[str, Any]) -> None:
    """One version."""
    promoted = ", [bold]promoted[/]" if one["promoted"] else ""
    out.print(f"[bold]Version {one['number']}[/] of {one['model']}: audit {one['audit']}{promoted}")
    out.print(f"recipe {one['recipe']}, {one['size_bytes'] / 1000:.0f} kB, sha256 {one['sha256']}")
    out.print(f"covers {', '.join(one['tickets']) or 'nobody'}")


def audit(one: Mapping[str, Any]) -> None:
    """One audit report: verdict, reasons, panels."""
    colour = "green" if one["verdict"] == "passed" else "red"
    out.print(f"[bold]Version {one['number']}[/]: [{colour}]{one['verdict'] or one['status']}[/]")
    for reason in one["reasons"]:
        out.print(f"  - {reason}")
    report = one["report"]
    if not report:
        return
    rows(
        ("set", "questions", "people", "told before", "told after", "identical"),
        (
            (name, p["n"], p["people"], _share(p["told_before"]), _share(p["told_after"]), _share(p["identical"]))
            for name, p in report["panels"].items()
        ),
    )
    out.print("integrity: " + ", ".join(f"{k} {'yes' if v else 'NO'}" for k, v in report["integrity"].items()))
    out.print(f"not run: {', '.join(report['not_run'])}", style="dim")
    out.print(report["claim"], style="dim")


def status(one: Mapping[str, Any]) -> None:
    """The installation at a glance."""
    promoted = "nothing" if one["promoted"] is None else f"version {one['promoted']}"
    out.print(f"[bold]{one['model']}[/] serves {promoted} (generation {one['generation']})")
    if one["uncovered"]:
        out.print(f"[red]not covered: {', '.join(one['uncovered'])}[/]")
    out.print("tickets: " + (", ".join(f"{n} {s.replace('_', ' ')}" for s, n in one["tickets"].items()) or "none"))
    rows(
        ("replica", "version", "state", "error"),
        ((r["id"], r["version"], r["state"], r["error"]) for r in one["replicas"]),
    )
    rows(
        ("refit", "status", "stage", "started at", "error"),
        ((r["kind"], r["status"], r["stage"], r["started_at"][:19], r["error"]) for r in one["refits"]),
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    return str(value)


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"
