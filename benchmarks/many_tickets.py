"""Many tickets, one after the other: what is told, who else is touched, and what a decision costs.

    python -m benchmarks.many_tickets --json FILE [--model FOLDER] [--per-person 8]

Every forgettable person becomes a ticket, in a drawn order; each fifth ticket is one by name alone, each fifth one by
photograph alone, and of every ten that are filed one is withdrawn. After each tenth: told in held-out wordings of those
in force (base and now), told of those who have withdrawn, identical answers of others, bytes, and milliseconds for a
decision. At the end, by kind of ticket: how many tell next to nothing (`PASSES`).
"""

import argparse
import json
import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from benchmarks.folders import model_folder
from benchmarks.forgetting import ForgettingBenchmark
from benchmarks.question_sets import Draws, questions_about_others
from services.refit.base_statistics import compute_statistics
from services.refit.fitting import fit_subject
from shared.domain.subjects import Subject
from shared.erasure.assembly import assemble
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import Recipe
from shared.erasure.serialization import dump
from shared.erasure.ticket_fit import TicketFit
from shared.errors import BadInput
from shared.evaluation.comparison import sample
from shared.evaluation.known_facts import other_people
from shared.evaluation.people import Person
from shared.evaluation.reference import load_reference
from shared.evaluation.scorers import reveals
from shared.probes.questions import Question, fact_questions
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.loading import load

logger = logging.getLogger(__name__)
STEP: Final = 10  # tickets
PASSES: Final = 0.05  # of what the base model tells about a person may still be told
OTHERS: Final = ("retain", "held_out", "celebrity", "stranger")
KINDS: Final = ("whole", "whole", "whole", "by name", "by photograph")


def ticket_material(subject: Subject, kind: str) -> Subject:
    """What the ticket holds of a person: everything, or four facts with the name or the photograph alone."""
    if kind == "whole":
        return subject
    facts = tuple(fact for fact in subject.facts if fact.attribute != "name")[:4]
    if kind == "by name":
        return replace(subject, photos=(), facts=facts)
    return replace(subject, names=(), facts=facts)


@dataclass
class ManyTickets:
    """The tickets in force, and what is asked about each person."""

    benchmark: ForgettingBenchmark
    per_person: int
    kinds: dict[str, str] = field(default_factory=dict)
    questions: dict[str, list[Question]] = field(default_factory=dict)
    base: dict[str, list[Answer]] = field(default_factory=dict)
    fits: dict[str, TicketFit] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.recipe = Recipe.named("lacuna")
        self.statistics = compute_statistics(
            self.benchmark.engine, self.benchmark.reference, self.recipe, lambda _: None
        )

    def file(self, person: Person, kind: str) -> float:
        """Fit a ticket; the seconds that it took. A ticket that cannot be fitted is kept with its reason."""
        asked = fact_questions(person.subject, form="test", per_fact=2, person=person.id, seed=1)
        self.questions[person.id] = sample(asked, self.per_person, 1)
        prompts = [question.prompt for question in self.questions[person.id]]
        self.base[person.id] = self.benchmark.engine.generate(prompts)
        self.kinds[person.id] = kind
        began = time.monotonic()
        try:
            self.fits[person.id] = fit_subject(
                self.benchmark.engine,
                self.recipe,
                self.statistics,
                person.id,
                ticket_material(person.subject, kind),
                others=other_people(self.benchmark.reference),
            )
        except BadInput as exc:
            self.refused[person.id] = exc.detail
        return time.monotonic() - began

    def eraser(self) -> Eraser:
        """The eraser of the tickets in force."""
        return assemble(self.recipe, self.statistics, self.benchmark.engine.vlm.site, list(self.fits.values()))

    def told(self, eraser: Eraser, people: Sequence[str]) -> dict[str, dict[str, float]]:
        """By person: questions, told by the base model, and told now."""
        figures: dict[str, dict[str, float]] = {}
        for person in people:
            questions = self.questions[person]
            after = self.benchmark.engine.generate([question.prompt for question in questions], eraser=eraser)
            figures[person] = {
                "n": len(questions),
                "base": _count(questions, self.base[person]),
                "now": _count(questions, after),
            }
        return figures

    def measure(self, withdrawn: Sequence[str]) -> dict[str, Any]:
        """All figures of the tickets that are in force."""
        began = time.monotonic()
        eraser = self.eraser()
        assembled_s = time.monotonic() - began
        in_force = self.told(eraser, list(self.fits))
        gone = self.told(eraser, withdrawn)
        benchmark = self.benchmark
        identical = {}
        for name in OTHERS:
            prompts = [question.prompt for question in benchmark.others[name]]
            before, after = (
                benchmark.base(name, benchmark.others[name]),
                benchmark.engine.generate(prompts, eraser=eraser),
            )
            identical[name] = sum(a.tokens == b.tokens for a, b in zip(before, after, strict=True)) / len(after)
        readout = capture.readout(benchmark.engine, [q.prompt for q in benchmark.others["held_out"][:32]])
        began = time.monotonic()
        eraser.decide(readout)
        return {
            "tickets": len(self.fits),
            "refused": len(self.refused),
            "told_before": _share(in_force, "base"),
            "told": _share(in_force, "now"),
            "n": sum(int(each["n"]) for each in in_force.values()),
            "told_of_withdrawn": _share(gone, "now"),
            "identical": identical,
            "assembled_s": assembled_s,
            "decision_ms": 1000 * (time.monotonic() - began) / readout.count,
            "bytes": len(dump(eraser, {})[0]),
            "by_person": in_force,
        }


def _count(questions: Sequence[Question], answers: Sequence[Answer]) -> int:
    return sum(reveals(answer.text, question.accept) for question, answer in zip(questions, answers, strict=True))


def _share(figures: Mapping[str, Mapping[str, float]], name: str) -> float | None:
    n = sum(each["n"] for each in figures.values())
    return sum(each[name] for each in figures.values()) / n if n else None


def by_kind(tickets: ManyTickets, figures: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, int]]:
    """By kind of ticket: how many there are, and how many tell at most PASSES of what the base model tells."""
    kinds: dict[str, dict[str, int]] = {}
    for person, kind in tickets.kinds.items():
        row = kinds.setdefault(kind, {"tickets": 0, "pass": 0, "refused": 0})
        if person in tickets.refused:
            row["refused"] += 1
        elif person in figures:
            row["tickets"] += 1
            row["pass"] += figures[person]["now"] <= PASSES * figures[person]["base"]
    return kinds


def main() -> None:
    """Read the command line, file and withdraw, print and write the report."""
    parser = argparse.ArgumentParser(description="Many tickets, one after the other.")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--model", type=model_folder, default=Path("models/demo-vlm"))
    parser.add_argument("--per-person", type=int, default=8)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    logging.getLogger("shared").setLevel(logging.ERROR)
    reference = load_reference(args.model / "reference")
    people = list(reference.of("forgettable"))
    draw = random.Random(args.seed)
    draw.shuffle(people)
    benchmark = ForgettingBenchmark(
        Engine(load(args.model)), reference, Draws((), tuple(people)), questions_about_others(reference)
    )
    tickets = ManyTickets(benchmark, args.per_person)
    rows: list[dict[str, Any]] = []
    withdrawn: list[str] = []
    seconds: list[float] = []
    for number, person in enumerate(tqdm(people, desc="tickets"), 1):
        seconds.append(tickets.file(person, KINDS[number % len(KINDS)]))
        if number % STEP == 0 and tickets.fits:
            withdrawn.append(draw.choice(list(tickets.fits)))
            del tickets.fits[withdrawn[-1]]
        if number % STEP == 0 or number == len(people):
            rows.append({"filed": number, **tickets.measure(withdrawn), "fit_s": sum(seconds) / len(seconds)})
            print({name: value for name, value in rows[-1].items() if name != "by_person"}, flush=True)
    report = {
        "model": args.model.name,
        "site": benchmark.engine.vlm.site.digest,
        "rows": rows,
        "kinds": by_kind(tickets, rows[-1]["by_person"]),
        "refused": tickets.refused,
    }
    print(report["kinds"], tickets.refused)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
