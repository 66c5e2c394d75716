"""The status of the installation."""

from collections.abc import Mapping
from typing import Any

from services.cli.render.refits import stage_of
from services.cli.render.tables import console, print_table, short_time, words


def print_status(status: Mapping[str, Any]) -> None:
    """What is served, alarms, tickets by state, replicas, refits."""
    promoted = "no version yet" if status["promoted"] is None else f"version {status['promoted']}"
    console.print(f"[bold]{status['model']}[/] serves {promoted} (generation {status['generation']})")
    if status.get("stale"):
        console.print(status["stale"], style="red", markup=False)
    for alarm in status.get("alarms", ()):
        console.print(f"[red]alarm: {alarm['name']}[/] ", end="")
        console.print(alarm["sentence"], markup=False)
    if status["uncovered"]:
        console.print(f"[red]not covered by the promoted version: {', '.join(status['uncovered'])}[/]")
    counts = ", ".join(f"{count} {words(state)}" for state, count in status["tickets"].items())
    console.print(f"tickets: {counts or 'none'}")
    print_table(
        ("replica", "version", "state", "error"),
        ((r["id"], r["version"], r["state"], r["error"]) for r in status["replicas"]),
    )
    print_table(
        ("refit", "status", "stage", "started at", "error"),
        ((r["kind"], r["status"], stage_of(r), short_time(r["started_at"]), r["error"]) for r in status["refits"]),
    )
