"""Refits."""

from collections.abc import Mapping
from typing import Any

from services.cli.render.console import bold
from services.cli.render.tables import console, print_table, short_time, words


def print_refits(answer: Mapping[str, Any]) -> None:
    """A page of refits."""
    print_table(
        ("refit", "kind", "status", "stage", "started at", "notes", "error"),
        (
            (r["id"][:8], r["kind"], r["status"], stage_of(r), short_time(r["started_at"]), len(r["notes"]) or None,
             r["error"])
            for r in answer["items"]
        ),
    )  # fmt: skip


def print_refit(refit: Mapping[str, Any]) -> None:
    """One refit."""
    console.print(
        bold(f"Refit {refit['id']}"), f" ({refit['kind']}): {words(refit['status'])}, {stage_of(refit)}", sep=""
    )
    if refit["error"]:
        console.print(refit["error"], style="red")
    for note in refit["notes"]:
        console.print(f"  - {note}")
    if refit["seconds"]:
        print_table(("stage", "seconds"), refit["seconds"].items())


def stage_of(run: Mapping[str, Any]) -> str:
    """The stage of a refit or an audit, and how far it is in that stage while it runs."""
    progress = run.get("progress")
    if run["status"] != "running" or not progress:
        return run["stage"] or ""
    share = 100 * progress["done"] / max(progress["total"], 1)
    return f"{run['stage']}: {progress['done']} of {progress['total']} {progress['what']} ({share:.0f} %)"
