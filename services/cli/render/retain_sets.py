"""Retain sets and their reports."""

from collections.abc import Mapping
from typing import Any

from services.cli.render.tables import console, rows

SPLITS = ("fit", "calibration", "held_out")  # of a retain set, as they are shown


def retain_sets(answer: Mapping[str, Any]) -> None:
    """A list of retain sets."""
    if not answer["items"]:
        console.print("There is no retain set of your own: the reference people beside the model are used alone.")
        return
    rows(
        ("set", "in use", "fit", "calibration", "held out", "added by", "added at"),
        (
            (s["number"], s["in_use"], *(_identities(s["counts"][split]) for split in SPLITS), s["added_by"],
             s["added_at"][:19])
            for s in answer["items"]
        ),
    )  # fmt: skip
    if answer["waits_for_refit"]:
        console.print("The newest version was made with another set: `lacuna refit` makes one with this.", style="dim")


def retain_set(one: Mapping[str, Any]) -> None:
    """One retain set; who is in it is never shown."""
    console.print(f"[bold]Retain set {one['number']}[/]{', in use' if one.get('in_use') else ''}")
    _split_table(one["counts"])
    console.print(f"added by {one['added_by']}, split by seed {one['seed']}, digest {one['digest'][:16]}")
    if one.get("waits_for_refit"):
        console.print("The next refit uses it; `lacuna refit` orders one now.", style="dim")


def retain_report(report: Mapping[str, Any], *, usable: bool) -> None:
    """What was seen in a file, row by row where something is wrong."""
    _split_table(report["counts"])
    bad = [row for row in report["rows"] if row["problems"] or row["forgotten"]]
    said = [
        (row["row"], "; ".join([*row["problems"], *(f"is the person of {f['ticket']} by {f['by']}" for f in
         row["forgotten"])]))
        for row in bad
    ]  # fmt: skip
    if said:
        rows(("row", "what is wrong"), said)
    for problem in report["problems"]:
        console.print(problem, style="red")
    if report["tickets_without_pictures_to_compare"]:
        console.print(f"{report['tickets_without_pictures_to_compare']} tickets have no pictures left to compare with.")
    console.print("It can be added." if usable else "It cannot be added as it is.")


def _split_table(counts: Mapping[str, Any]) -> None:
    rows(
        ("split", "identities", "people", "prompts"),
        (
            (split.replace("_", " "), c["identities"], c["people"], c["prompts"])
            for split in SPLITS
            for c in [counts[split]]
        ),
    )


def _identities(counts: Mapping[str, int]) -> str:
    return f"{counts['identities']} ({counts['people']} people, {counts['prompts']} prompts)"
