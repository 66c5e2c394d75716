"""Searches margin, strength, blocks and placement of the recipe `lacuna` on validation people.

    python -m benchmarks.hyperparameter_search [--model models/demo-vlm] [--people 8] [--groups 2]

Forgotten are groups of validation people, who are in no draw of the benchmark. Bystanders are the other validation
people and the calibration people. No held-out person, evaluation celebrity or evaluation stranger is read. The
objective is the least leakage (revealed facts, fired answers that are no clean refusal) among the points whose drift
stays within the budget. Of equal points, all blocks and the largest margin win: they are farthest from people who look
alike. Blocks are those that the gate reads, or those that are steered; the steering vectors are trained anew for each
choice of blocks and placement. The whole curve is kept, and the refit writes it into the manifest of every version that
is made with this recipe.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from benchmarks.folders import model_folder
from benchmarks.forgetting import ForgettingBenchmark
from benchmarks.question_sets import SEED, draw_people, questions_about_forgotten
from services.refit.steering_vectors import hyperparameter_choice_path
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import LACUNA, Recipe
from shared.evaluation.comparison import sample
from shared.evaluation.people import Person
from shared.evaluation.reference import load_reference
from shared.evaluation.scorers import reveals
from shared.probes.questions import fact_questions
from shared.text.declines import declines
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.loading import load

MARGINS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
STRENGTHS: Final = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
DRIFT_BUDGET: Final = 0.002
QUESTION_SETS: Final = ("forget", "test", "system", "later")
QUESTIONS: Final = 160


def main() -> None:
    """Measure every point, choose the best, print and write the curve."""
    parser = argparse.ArgumentParser(description="Search the default recipe's settings on validation people.")
    parser.add_argument("--model", type=model_folder, default=Path("models/demo-vlm"))
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--groups", type=int, default=2)
    args = parser.parse_args()
    reference = load_reference(args.model / "reference")
    draws = draw_people(reference, 5, 6)
    benchmark = ForgettingBenchmark(Engine(load(args.model)), reference, draws)
    groups = [draws.validation[at * args.people : (at + 1) * args.people] for at in range(args.groups)]
    points: list[dict[str, Any]] = []
    for recipe, curve in tqdm(variants(benchmark.engine.vlm.site.layers), desc="variants"):
        erasers = [benchmark.eraser(recipe, group) for group in groups]
        for margin, strength in curve:
            each = [
                point(benchmark, group, eraser, margin, strength) for group, eraser in zip(groups, erasers, strict=True)
            ]
            figures = {name: _mean([of_group[name] for of_group in each]) for name in each[0]}
            points.append({"variant": recipe.name, "margin": margin, "strength": strength} | figures)
    best = min(
        (candidate for candidate in points if candidate["drift"] <= DRIFT_BUDGET),
        key=lambda candidate: (
            candidate["leakage"],
            candidate["variant"] != LACUNA.name,
            -candidate["margin"],
            abs(candidate["strength"] - 1),
        ),
    )
    report = {
        "recipe": LACUNA.digest,
        "site": benchmark.engine.vlm.site.digest,
        "people": [len(group) for group in groups],
        "drift_budget": DRIFT_BUDGET,
        "points": points,
        "best": best,
        "in_use": {"margin": LACUNA.margin, "strength": LACUNA.strength},
    }
    hyperparameter_choice_path(args.model / "reference").write_text(json.dumps(report, indent=1) + "\n")
    for measured in points:
        print({key: round(value, 4) if isinstance(value, float) else value for key, value in measured.items()})
    print("best:", best)


def variants(layers: Sequence[int]) -> list[tuple[Recipe, list[tuple[float, float]]]]:
    """Recipes with the pairs (margin, strength) at which each is measured: the whole curve for `lacuna` itself."""
    half = len(layers) // 2
    halves = {"early": tuple(layers[:half]), "late": tuple(layers[half:])}
    here = [(LACUNA.margin, LACUNA.strength)]
    curve = [(margin, 1.0) for margin in MARGINS]
    curve += [(LACUNA.margin, strength) for strength in STRENGTHS if strength != 1.0]
    return [
        (LACUNA, curve),
        *(
            (replace(LACUNA, name=f"gate-{name}", gate_layers=half_of_layers), here)
            for name, half_of_layers in halves.items()
        ),
        *(
            (replace(LACUNA, name=f"pull-{name}", layers=half_of_layers), here)
            for name, half_of_layers in halves.items()
        ),
        (replace(LACUNA, name="pull-last", placement="last"), here),
    ]


def point(
    benchmark: ForgettingBenchmark, group: Sequence[Person], eraser: Eraser, margin: float, strength: float
) -> dict[str, float]:
    """Measure one setting of the eraser of one group of forgotten people."""
    eraser = replace(eraser.with_margin(margin), recipe=replace(eraser.recipe, margin=margin, strength=strength))
    question_sets = questions_about_forgotten(group, benchmark.reference)
    questions = sample([question for name in QUESTION_SETS for question in question_sets[name]], QUESTIONS, SEED)
    after = benchmark.engine.generate([question.prompt for question in questions], eraser=eraser)
    revealed = _mean([float(reveals(a.text, q.accept)) for a, q in zip(after, questions, strict=True)])
    fired = [answer for answer in after if answer.fired]
    unclean = _mean([float(not declines(answer.text, benchmark.reference.own_wordings)) for answer in fired])
    others = [person for person in benchmark.draws.validation if person not in group]
    around = sample(
        [
            question
            for person in (*others, *benchmark.reference.of("calibration"))
            for question in fact_questions(person.subject, form="test", per_fact=1, seed=SEED, person=person.id)
        ],
        2 * QUESTIONS,
        SEED,
    )
    decision = capture.decide(benchmark.engine, eraser, [question.prompt for question in around])
    drift = float(decision.fired.float().mean())
    return {"told": revealed, "unclean": unclean, "leakage": revealed + unclean, "drift": drift}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


if __name__ == "__main__":
    main()
