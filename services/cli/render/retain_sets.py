"""Retain sets, and what is wrong with a file of one. Who is in a retain set is never printed."""

from collections.abc import Mapping
from typing import Any, Final

from services.cli.render.console import bold
from services.cli.render.tables import console, print_table, short_time, words

SPLITS: Final = ("fit", "calibration", "held_out")


def print_retain_sets(answer: Mapping[str, Any]) -> None:
    """A page of retain sets."""
    if not answer["items"]:
        console.print("There is no retain set of your own: the model's reference people are used alone.")
        return
    print_table(
        ("set", "in use", "fit", "calibration", "held out", "added by", "added at"),
        (
            (s["number"], s["in_use"], *(_counts(s["counts"][split]) for split in SPLITS), s["added_by"],
             short_time(s["added_at"]))
            for s in answer["items"]
        ),
    )  # fmt: skip
    if answer["waits_for_refit"]:
        console.print(
            "The newest version was made with another set. `lacuna refit` makes a version with this one.", style="dim"
        )


def print_retain_set(retain_set: Mapping[str, Any]) -> None:
    """One retain set."""
    console.print(bold(f"Retain set {retain_set['number']}"), ", in use" if retain_set.get("in_use") else "", sep="")
    _print_splits(retain_set["counts"])
    console.print(
        f"added by {retain_set['added_by']}, split by seed {retain_set['seed']}, digest {retain_set['digest'][:16]}"
    )
    if retain_set.get("waits_for_refit"):
        console.print("The next refit uses it. `lacuna refit` orders one now.", style="dim")


def print_retain_report(report: Mapping[str, Any], *, usable: bool) -> None:
    """What the service found in a file, with every row that cannot be used."""
    _print_splits(report["counts"])
    faults = [
        (
            row["row"],
            "; ".join(
                [
                    *row["problems"],
                    *(f"is the person of {match['ticket']} by {match['by']}" for match in row["forgotten"]),
                ]
            ),
        )
        for row in report["rows"]
        if row["problems"] or row["forgotten"]
    ]
    if faults:
        print_table(("row", "what is wrong"), faults)
    for problem in report["problems"]:
        console.print(problem, style="red")
    if count := report["tickets_without_pictures_to_compare"]:
        console.print(f"{count} tickets have no pictures left to compare the rows with.")
    console.print("The file can be added." if usable else "The file cannot be added as it is.")


def _print_splits(counts: Mapping[str, Any]) -> None:
    print_table(
        ("split", "identities", "people", "prompts"),
        (
            (words(split), counts[split]["identities"], counts[split]["people"], counts[split]["prompts"])
            for split in SPLITS
        ),
    )


def _counts(counts: Mapping[str, int]) -> str:
    return f"{counts['identities']} ({counts['people']} people, {counts['prompts']} prompts)"
