"""Lists which question sets of an audit are empty, and why, for the report; certificates claim nothing about them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.audit.operator_retain_set import HELD_OUT, IN_SAMPLE
from shared.evaluation.attacks.families import FAMILIES
from shared.evaluation.comparison import BYSTANDER_SPLITS
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference
from shared.probes.questions import Question

ATTACKS_NEVER_RUN: Final = ("white-box attacks", "sampling with more than 8 answers to a question")
AT_LEAST: Final = 60  # questions and attacks on a changed ticket
_OWN: Final = {IN_SAMPLE: "fit", HELD_OUT: "held_out"}
_WAYS: Final = {"vqa": "by portrait", "qa": "by name"}


def left_out_panels(question_sets: Mapping[str, Sequence[Question]], reference: Reference) -> dict[str, str]:
    """The sets without a question, each with the reason."""
    return {name: _why(name, reference) for name, questions in question_sets.items() if not questions}


def left_out_tasks(table: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, str]:
    """The cells that the table of the paper's tasks lacks, by `set/column/task`, each with the reason."""
    return {
        f"{name}/{column}/{task}": (
            f"nothing can be asked {_WAYS[column]}"
            if not cells
            else "no fact of these people can be asked in this form: a choice needs three wrong answers"
        )
        for name, columns in table.items()
        for column, cells in columns.items()
        for task in tasks
        if task not in cells
    }


def sentences(left_out: Mapping[str, str]) -> list[str]:
    """One part of a sentence for each set that was not asked."""
    return [f"questions of the set {name} ({reason})" for name, reason in left_out.items()]


def not_run(report: Mapping[str, Any], panels: Mapping[str, str]) -> list[str]:
    """What an audit did not ask, one part of a sentence each, from its report and the sets that were left out."""
    families = report["attacks"]["families"]
    if not families:
        attacks = ["black-box attacks"]
    else:
        attacks = [f"attacks of the family {name}" for name in FAMILIES if name not in families]
        rows = report["ticket_verdicts"].values()
        light = sum(row["depth"] == "unchanged" for row in rows)
        if light:
            attacks.append(f"all families of attacks on each of {light} unchanged tickets (some on each)")
        short = [row["asked"] for row in rows if row["depth"] != "unchanged" and row["asked"] < AT_LEAST]
        if short:
            attacks.append(
                f"{AT_LEAST} questions about each changed ticket ({len(short)} share the total: {min(short)} or more)"
            )
    return [*attacks, *ATTACKS_NEVER_RUN, *sentences(panels)]


def _why(name: str, reference: Reference) -> str:
    if name in _OWN:
        return f"the operator's set has nobody in the split {_OWN[name]} about whom anything can be asked"
    if name in BYSTANDER_SPLITS:
        return _of_people(reference.people_of(*BYSTANDER_SPLITS[name]), " or ".join(BYSTANDER_SPLITS[name]))
    if name == "visible":
        return "no ticket has a photograph that the model can see"
    return "no ticket has a fact that can be asked about"


def _of_people(people: Sequence[Person], splits: str) -> str:
    if not people:
        return f"nobody of the reference is in the split {splits}"
    if not any(person.subject.facts for person in people):
        return f"nobody in the split {splits} has a fact"
    return f"nobody in the split {splits} has a name, or a photograph that the model can see"
