"""Chooses margin, strength, blocks and placement of the recipe `lacuna` on validation people; keeps the whole curve.

    python -m benchmarks.hyperparameter_search [--model models/demo-vlm] [--people 8] [--groups 2]

Forgotten: groups of validation people (forgettable, in no draw of the benchmark). Bystanders: the other validation
people and the calibration people. No held-out, celebrity or stranger evaluation person is read. Objective: the least
leakage (facts told, answers that are no clean refusal) among the points whose drift stays within the budget; of equal
ones all blocks and the largest margin, which lies farthest from people who look alike. Blocks are those that the gate
reads, or those that the pull steers (trained anew for each choice, as for each placement). The refit writes the curve
into every manifest made with the recipe that it belongs to.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from benchmarks.folders import model_folder
from benchmarks.forgetting import Bench
from benchmarks.question_sets import ASKED_SEED, draw_people, own_panels
from services.refit.steering_vectors import hyperparameter_choice_path
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import LACUNA, Recipe
from shared.evaluation.comparison import sample
from shared.evaluation.reference import load_reference
from shared.evaluation.scorers import reveals
from shared.evaluation.synthetic_people import Person
from shared.probes.questions import fact_questions
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.loading import load

MARGINS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
STRENGTHS: Final = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
DRIFT_BUDGET: Final = 0.002
ASKED: Final = ("forget", "test", "system", "later")
EACH: Final = 160


def main() -> None:
    """Measure every point, choose, print, write."""
    parser = argparse.ArgumentParser(description="Choose the default recipe's settings on validation people.")
    parser.add_argument("--model", type=model_folder, default=Path("models/demo-vlm"))
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--groups", type=int, default=2)
    chosen = parser.parse_args()
    reference = load_reference(chosen.model / "reference")
    draws = draw_people(reference, 5, 6)
    bench = Bench(Engine(load(chosen.model)), reference, chosen.model / "reference", draws)
    groups = [draws.validation[at * chosen.people : (at + 1) * chosen.people] for at in range(chosen.groups)]
    points: list[dict[str, Any]] = []
    for recipe, curve in tqdm(variants(bench.engine.vlm.site.layers), desc="variants"):
        erasers = [bench.eraser(recipe, group) for group in groups]
        for margin, strength in curve:
            each = [point(bench, group, made, margin, strength) for group, made in zip(groups, erasers, strict=True)]
            figures = {name: _mean([one[name] for one in each]) for name in each[0]}
            points.append({"variant": recipe.name, "margin": margin, "strength": strength} | figures)
    best = min(
        (one for one in points if one["drift"] <= DRIFT_BUDGET),
        key=lambda one: (one["leakage"], one["variant"] != LACUNA.name, -one["margin"], abs(one["strength"] - 1)),
    )
    report = {
        "recipe": LACUNA.digest,
        "site": bench.engine.vlm.site.digest,
        "people": [len(group) for group in groups],
        "drift_budget": DRIFT_BUDGET,
        "points": points,
        "best": best,
        "in_use": {"margin": LACUNA.margin, "strength": LACUNA.strength},
    }
    hyperparameter_choice_path(chosen.model / "reference").write_text(json.dumps(report, indent=1) + "\n")
    for one in points:
        print({key: round(value, 4) if isinstance(value, float) else value for key, value in one.items()})
    print("best:", best)


def variants(layers: Sequence[int]) -> list[tuple[Recipe, list[tuple[float, float]]]]:
    """Recipes with the (margin, strength) at which each is measured: the whole curve for `lacuna` itself."""
    half = len(layers) // 2
    halves = {"early": tuple(layers[:half]), "late": tuple(layers[half:])}
    here = [(LACUNA.margin, LACUNA.strength)]
    curve = [(margin, 1.0) for margin in MARGINS]
    curve += [(LACUNA.margin, strength) for strength in STRENGTHS if strength != 1.0]
    return [
        (LACUNA, curve),
        *((replace(LACUNA, name=f"gate-{name}", gate_layers=some), here) for name, some in halves.items()),
        *((replace(LACUNA, name=f"pull-{name}", layers=some), here) for name, some in halves.items()),
        (replace(LACUNA, name="pull-last", placement="last"), here),
    ]


def point(bench: Bench, group: Sequence[Person], made: Eraser, margin: float, strength: float) -> dict[str, float]:
    """Figures of one setting for one group of forgotten people, of whom `made` is the eraser."""
    eraser = replace(made.with_margin(margin), recipe=replace(made.recipe, margin=margin, strength=strength))
    panels = own_panels(group, bench.reference)
    questions = sample([question for name in ASKED for question in panels[name]], EACH, ASKED_SEED)
    after = bench.engine.generate([question.prompt for question in questions], eraser=eraser)
    told = _mean([float(reveals(a.text, q.accept)) for a, q in zip(after, questions, strict=True)])
    fired = [answer for answer in after if answer.fired]
    unclean = _mean([float(answer.text != bench.reference.unknown_answer) for answer in fired])
    others = [person for person in bench.draws.validation if person not in group]
    around = sample(
        [
            question
            for person in (*others, *bench.reference.of("calibration"))
            for question in fact_questions(person.subject, form="test", per_fact=1, seed=ASKED_SEED, person=person.id)
        ],
        2 * EACH,
        ASKED_SEED,
    )
    evidence = capture.readout(bench.engine, [question.prompt for question in around])
    drift = float(eraser.decide(evidence).fired.float().mean())
    return {"told": told, "unclean": unclean, "leakage": told + unclean, "drift": drift}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


if __name__ == "__main__":
    main()
