"""Who was added between two versions: by questions to both, to the later one alone, by others, and by the artifacts.

    python -m benchmarks.between_versions --json FILE [--model FOLDER] [--draws 5] [--people 4]

The earlier version forgets the people of one draw, the later one those of the next draw too. Candidates are those who
were added, those forgotten in both, known people in neither, and strangers. `artifact_opened` is an attacker who has
the bytes of both erasers in clear: how far the later one's decision on questions about a candidate lies above the
earlier one's. Also counted: answers about others that differ between the versions.
"""

import argparse
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.folders import model_folder
from benchmarks.forgetting import ForgettingBenchmark
from benchmarks.question_sets import draw_people, questions_about_others
from shared.erasure.eraser import Eraser
from shared.evaluation.attacks.between_versions import Asked, Candidate, Group, areas, questions_about, scores
from shared.evaluation.reference import load_reference
from shared.vlm.asked_model import AskedModel
from shared.vlm.engine import Engine
from shared.vlm.loading import load

OTHERS = 8  # known people in neither version, and as many strangers, of each draw


@dataclass
class Found:
    """What was found in all draws: the group of each candidate and its scores, and answers about others."""

    groups: list[Group] = field(default_factory=list)
    rows: dict[str, list[float]] = field(default_factory=dict)
    others: int = 0
    others_changed: int = 0

    def as_json(self) -> dict[str, Any]:
        """Areas by kind of attack, and the counts."""
        return {
            "areas": areas(self.groups, self.rows),
            "others": {"n": self.others, "changed": self.others_changed},
        }


def main() -> None:
    """Read the command line, attack every pair of versions, write and print the areas."""
    parser = argparse.ArgumentParser(description="Who was added between two versions of the eraser.")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--model", type=model_folder, default=Path("models/demo-vlm"))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--people", type=int, default=4)
    args = parser.parse_args()
    logging.getLogger("shared").setLevel(logging.ERROR)
    reference = load_reference(args.model / "reference")
    draws = draw_people(reference, args.draws, args.people)
    benchmark = ForgettingBenchmark(Engine(load(args.model)), reference, draws)
    found = Found()
    for number in tqdm(range(args.draws), desc="pairs of versions"):
        attack_pair(benchmark, number, found)
    report = {"model": args.model.name, "draws": args.draws, "people": args.people, **found.as_json()}
    args.json.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))


def attack_pair(benchmark: ForgettingBenchmark, number: int, found: Found) -> None:
    """One pair of versions: the people of draw `number`, and with them those of the draw after it."""
    draws, reference, engine = benchmark.draws.evaluation, benchmark.reference, benchmark.engine
    before, added = draws[number], draws[(number + 1) % len(draws)]
    recipe = benchmark.recipe("lacuna")
    earlier, later = benchmark.eraser(recipe, before), benchmark.eraser(recipe, [*before, *added])
    candidates = [
        *(Candidate(person, "added") for person in added),
        *(Candidate(person, "in_both") for person in before),
        *(Candidate(person, "stays") for person in reference.of("held_out")[:OTHERS]),
        *(Candidate(person, "stranger") for person in reference.of("stranger_eval")[:OTHERS]),
    ]
    asked = questions_about(candidates, seed=number)
    systems = AskedModel(engine, earlier), AskedModel(engine, later)
    rows = scores(*systems, asked, reference.own_wordings) | {"artifact_opened": opened(engine, earlier, later, asked)}
    found.groups += [candidate.group for candidate in candidates]
    for kind, values in rows.items():
        found.rows.setdefault(kind, []).extend(values)
    others = [
        question.prompt
        for name in ("retain", "held_out", "celebrity", "stranger")
        for question in questions_about_others(reference)[name][:60]
    ]
    one, two = (system.answers(others, max_new_tokens=24) for system in systems)
    found.others += len(others)
    found.others_changed += sum(a != b for a, b in zip(one, two, strict=True))


def opened(engine: Engine, earlier: Eraser, later: Eraser, asked: list[Asked]) -> list[float]:
    """Of each candidate the highest score that the later eraser gives a question about them, less the earlier one's."""
    values = []
    for each in asked:
        _, readout = engine.examine(each.prompts, layers=later.gated)
        first, second = (eraser.decide(readout).score for eraser in (earlier, later))
        values.append(float((second - first).max()))
    return values


def table(report: dict[str, Any]) -> str:
    """The areas in Markdown, each with its interval."""
    groups = ("in_both", "stays", "stranger")
    lines = ["| attack | forgotten in both | known, in neither | strangers |", "|---|---:|---:|---:|"]
    for kind, row in report["areas"].items():
        cells = (
            f"{row[group]['auc']:.2f} ({'-'.join(f'{end:.2f}' for end in row[group]['interval'])})" for group in groups
        )
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
