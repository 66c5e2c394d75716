"""Refits."""

from collections.abc import Mapping
from typing import Any

from services.cli.render.tables import console, rows


def refits(answer: Mapping[str, Any]) -> None:
    """A list of refits."""
    rows(
        ("refit", "kind", "status", "stage", "started at", "notes", "error"),
        (
            (r["id"][:8], r["kind"], r["status"], _stage(r), r["started_at"][:19], len(r["notes"]) or None, r["error"])
            for r in answer["items"]
        ),
    )


def refit(one: Mapping[str, Any]) -> None:
    """One refit."""
    console.print(f"[bold]Refit {one['id']}[/] ({one['kind']}): {one['status'].replace('_', ' ')}, {_stage(one)}")
    if one["error"]:
        console.print(one["error"], style="red", markup=False)
    for note in one["notes"]:
        console.print(f"  - {note}", markup=False)
    if one["seconds"]:
        rows(("stage", "seconds"), one["seconds"].items())


def _stage(run: Mapping[str, Any]) -> str:
    progress = run.get("progress")
    if run["status"] != "running" or not progress:
        return run["stage"] or ""
    share = 100 * progress["done"] / max(progress["total"], 1)
    return f"{run['stage']}: {progress['done']} of {progress['total']} {progress['what']} ({share:.0f} %)"
