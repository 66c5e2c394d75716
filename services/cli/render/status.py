"""Status."""

from collections.abc import Mapping
from typing import Any

from services.cli.render.refits import _stage
from services.cli.render.tables import console, rows


def status(one: Mapping[str, Any]) -> None:
    """The installation at a glance."""
    promoted = "nothing" if one["promoted"] is None else f"version {one['promoted']}"
    console.print(f"[bold]{one['model']}[/] serves {promoted} (generation {one['generation']})")
    if one.get("stale"):
        console.print(f"[red]{one['stale']}[/]")
    for alarm in one.get("alarms", ()):
        console.print(f"[red]alarm: {alarm['name']}[/] ", end="")
        console.print(alarm["sentence"], markup=False)
    if one["uncovered"]:
        console.print(f"[red]not covered: {', '.join(one['uncovered'])}[/]")
    console.print("tickets: " + (", ".join(f"{n} {s.replace('_', ' ')}" for s, n in one["tickets"].items()) or "none"))
    rows(
        ("replica", "version", "state", "error"),
        ((r["id"], r["version"], r["state"], r["error"]) for r in one["replicas"]),
    )
    rows(
        ("refit", "status", "stage", "started at", "error"),
        ((r["kind"], r["status"], _stage(r), r["started_at"][:19], r["error"]) for r in one["refits"]),
    )
