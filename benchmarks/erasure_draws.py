"""Both recipes over several draws of people: what is still told, what stayed the same, with n and intervals.

    python -m benchmarks.erasure_draws [--model FOLDER] [--draws 5] [--people 4] [--json FILE]

The draws come from the forgettable people, the statistics are those of a refit, and no evaluation split is fitted.
Strangers' answers are scored against the forgotten person's facts: how often a fact is told by chance.
"""

import argparse
import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from services.refit.fitting import fit_subject
from services.refit.preparation import compute_statistics
from shared.bench.measure import bystander_panels, compare, forget_panels, sample, visible_panel
from shared.bench.reference import Person, Reference, load_reference
from shared.bench.scorers import tells
from shared.erasure.eraser import Eraser, assemble
from shared.erasure.recipe import Recipe
from shared.erasure.statistics import BaseStatistics
from shared.probes.expand import Question
from shared.vlm.engine import Answer, Engine
from shared.vlm.loading import load

EACH_SET = 200


def main() -> None:
    """Read the command line, measure, print, write."""
    parser = argparse.ArgumentParser(description="Both recipes over several draws of people.")
    parser.add_argument("--model", default="models/demo-vlm")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--recipes", default="lacuna,paper")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    engine = Engine(load(chosen.model))
    reference = load_reference(Path(chosen.model) / "reference")
    people = list(reference.of("forgettable"))
    random.Random(0).shuffle(people)
    draws = [people[at * chosen.people : (at + 1) * chosen.people] for at in range(chosen.draws)]
    bystanders = {name: sample(found, EACH_SET) for name, found in bystander_panels(reference).items()}
    base = {name: engine.generate([q.prompt for q in asked]) for name, asked in bystanders.items()}
    report = {
        name: measure(engine, reference, Path(chosen.model) / "reference", Recipe.named(name), draws, bystanders, base)
        for name in chosen.recipes.split(",")
    }
    for name, figures in report.items():
        show(name, figures)
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(report, indent=1) + "\n")


def measure(
    engine: Engine,
    reference: Reference,
    folder: Path,
    recipe: Recipe,
    draws: list[list[Person]],
    bystanders: Mapping[str, list[Question]],
    base: Mapping[str, list[Answer]],
) -> dict[str, Any]:
    """All draws with one recipe, pooled: one comparison a panel."""
    began = time.monotonic()
    statistics = compute_statistics(engine, reference, folder, recipe, lambda _: None)
    prepared = time.monotonic() - began
    asked: dict[str, list[Question]] = {}
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    fired: dict[str, list[bool]] = {}
    chance: list[bool] = []
    fitting = 0.0
    for draw in tqdm(draws, desc=recipe.name):
        began = time.monotonic()
        eraser = fitted(engine, recipe, statistics, draw)
        fitting += time.monotonic() - began
        own = forget_panels({p.id: p.subject for p in draw}, per_fact=2, seed=1) | {"visible": visible_panel(draw)}
        for name, questions in (own | dict(bystanders)).items():
            first = base[name] if name in base else engine.generate([q.prompt for q in questions])
            second = engine.generate([q.prompt for q in questions], eraser=eraser)
            asked.setdefault(name, []).extend(questions)
            before.setdefault(name, []).extend(a.text for a in first)
            after.setdefault(name, []).extend(a.text for a in second)
            fired.setdefault(name, []).extend(a.fired for a in second)
        facts = {f.attribute: f.accept for p in draw for f in p.subject.facts}
        strangers = zip(bystanders["stranger"], base["stranger"], strict=True)
        chance += [tells(answer.text, facts[question.attribute]) for question, answer in strangers]
    panels = {
        name: compare(questions, before[name], after[name], reference.unknown_answer).as_json()
        | {"fired": sum(fired[name]) / len(fired[name])}
        for name, questions in asked.items()
    }
    return {
        "recipe": recipe.as_json(),
        "draws": len(draws),
        "people_a_draw": len(draws[0]),
        "panels": panels,
        "chance": sum(chance) / len(chance),
        "seconds": {"statistics": round(prepared, 1), "fit_a_draw": round(fitting / len(draws), 2)},
    }


def fitted(engine: Engine, recipe: Recipe, statistics: BaseStatistics, people: list[Person]) -> Eraser:
    """One eraser for all of `people`, as a refit makes it."""
    rows = [fit_subject(engine, recipe, statistics, person.id, person.subject) for person in people]
    return assemble(recipe, statistics, engine.vlm.site, rows)


def show(name: str, figures: Mapping[str, Any]) -> None:
    """A table on the terminal."""
    print(f"\nrecipe {name}: {figures['draws']} draws of {figures['people_a_draw']} people; {figures['seconds']}")
    print(f"{'set':10s} {'n':>5s} {'told before':>12s} {'told after':>24s} {'identical':>24s} {'not known':>10s}")
    for panel, one in figures["panels"].items():
        told, same = one["told_after_interval"], one["identical_interval"]
        print(
            f"{panel:10s} {one['n']:5d} {one['told_before']:12.1%} "
            f"{one['told_after']:8.1%} [{told[0]:6.1%}, {told[1]:6.1%}] "
            f"{one['identical']:8.1%} [{same[0]:6.1%}, {same[1]:6.1%}] {one['unknown_after']:10.1%}"
        )
    print(f"a stranger's answer holds such a fact by chance in {figures['chance']:.2%}")


if __name__ == "__main__":
    main()
