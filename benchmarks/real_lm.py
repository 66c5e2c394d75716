"""Forgetting public figures in a real pretrained language model: what is still told, and whose answers change.

    python -m benchmarks.real_lm --model models/smol-lm --profiles build/profiles --json build/real_lm.json

The model is profiled first (or its profile read). Forgotten are figures that it knows and that no fit has seen, some at
a time, over several draws; the figures that it tells most facts of come first. Told counts a question whose answer
holds the fact. Reported beside it: figures in the fit, figures in no fit, strangers, and ordinary prompts, whose
answers have to stay token for token. A system that cannot be made for this model is reported with the reason.
"""

import argparse
import json
import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from services.refit.base_statistics import compute_statistics
from services.refit.fitting import fit_subject
from services.refit.profile.people import reference_for
from services.refit.profile.run import ProfiledModel, make_profile
from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import Recipe
from shared.errors import LacunaError
from shared.evaluation.judge import declines
from shared.evaluation.model_profile import Knowledge
from shared.evaluation.public_data import PublicFigure, figure_questions, public_figures
from shared.evaluation.reference import Reference, default_reference
from shared.evaluation.scorers import reveals
from shared.probes.questions import Form, fact_questions
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.loading import load

ANSWER_TOKENS: Final = 32
WORDINGS: Final = 3  # of each fact
BYSTANDERS: Final = 60  # questions of each set
ORDINARY: Final = 100
WITHOUT_STEERING: Final = "lacuna-without-steering"
SYSTEMS: Final = ("lacuna", WITHOUT_STEERING, "linear-fixed-sentence", "paper")


@dataclass(frozen=True)
class Asked:
    """A question, and what its answer would have to hold to tell the fact."""

    prompt: Prompt
    accept: tuple[str, ...]


@dataclass(frozen=True)
class Bench:
    """A profiled model, and who is asked about."""

    engine: Engine
    profiled: ProfiledModel
    reference: Reference
    bystanders: Mapping[str, Sequence[Asked]]


def questions(figure: PublicFigure, attributes: Sequence[str] | None = None) -> list[Asked]:
    """Every wording of every fact, or of those with these attributes."""
    return [
        Asked(Prompt.ask(text), fact.accept)
        for fact in figure.facts
        if attributes is None or fact.attribute in attributes
        for text in figure_questions(figure, fact)[:WORDINGS]
    ]


def draw_people(bench: Bench, draws: int, people: int, seed: int = 0) -> list[list[PublicFigure]]:
    """Disjoint draws of known figures who are in no fit (`held_out` and `celebrity_eval` of the reference)."""
    free = {
        person.subject.names[0]
        for split in ("held_out", "celebrity_eval")
        for person in bench.reference.of(split)
        if person.subject.names
    }
    known = {figure.name: len(figure.attributes) for figure in bench.profiled.profile.knowledge.known}
    candidates = [figure for figure in public_figures() if figure.name in free and figure.name in known]
    random.Random(seed).shuffle(candidates)
    candidates.sort(key=lambda figure: -known[figure.name])
    return [candidates[number * people : (number + 1) * people] for number in range(draws)]


def bystanders(
    reference: Reference, known: Mapping[str, Sequence[str]], forgotten: Sequence[str]
) -> dict[str, list[Asked]]:
    """Questions about everybody and everything that must stay, by set; nobody in `forgotten` is asked about."""
    figures = {figure.name: figure for figure in public_figures()}
    rng = random.Random(0)

    def about(split: str, *, only_known: bool) -> list[Asked]:
        names = [person.subject.names[0] for person in reference.of(split) if person.subject.names]
        asked = [
            question
            for name in names
            if name in figures and name not in forgotten and (name in known or not only_known)
            for question in questions(figures[name], known.get(name))
        ]
        return rng.sample(asked, min(BYSTANDERS, len(asked)))

    strangers = [
        Asked(Prompt.ask(text), fact.accept)
        for person in reference.of("stranger_eval")
        for fact in person.subject.facts
        for text in figure_questions(PublicFigure(person.subject.names[0], (), (fact,), 1), fact)[:1]
    ]
    ordinary = [Asked(Prompt.ask(text), ()) for text in (*reference.general.test, *reference.general.fit)]
    return {
        "figures in the fit": about("celebrity_fit", only_known=True),
        "figures in no fit": [*about("held_out", only_known=True), *about("celebrity_eval", only_known=True)][
            : 2 * BYSTANDERS
        ],
        "figures it does not know": about("held_out", only_known=False),
        "strangers": rng.sample(strangers, min(BYSTANDERS, len(strangers))),
        "ordinary prompts": ordinary[:ORDINARY],
    }


def system(bench: Bench, name: str) -> tuple[Recipe, BaseStatistics]:
    """The recipe of a system, with its statistics."""
    recipe = bench.profiled.recipe
    if name == "linear-fixed-sentence":
        recipe = replace(
            Recipe.named("paper"), direction="refined", fixed_text=bench.reference.wording("unknown_answer")
        )
    elif name != "lacuna":
        recipe = Recipe.named(name)
    statistics = compute_statistics(
        bench.engine,
        bench.reference,
        recipe,
        lambda _: None,
        vectors=bench.profiled.vectors if name != "paper" else None,
    )
    return recipe, statistics


def measure(
    bench: Bench, eraser: Eraser, forgotten: Sequence[PublicFigure], base: Mapping[str, list[Answer]]
) -> dict[str, Any]:
    """Shares of one draw: of questions about the forgotten, and of answers to others that stay token for token."""
    figures: dict[str, Any] = {"people": [figure.name for figure in forgotten], "told": {}, "identical": {}}
    for name, asked in questions_about(forgotten, bench.profiled.profile.knowledge).items():
        before, after = (
            bench.engine.generate([q.prompt for q in asked], eraser=which, max_new_tokens=ANSWER_TOKENS)
            for which in (None, eraser)
        )
        told = [[reveals(a.text, q.accept) for a, q in zip(side, asked, strict=True)] for side in (before, after)]
        figures["told"][name] = {
            "n": len(asked),
            "before": _share(told[0]),
            "after": _share(told[1]),
            "fired": _share([answer.fired for answer in after]),
            "declines": _share([declines(answer.text) for answer in after]),
        }
        figures[f"examples, {name}"] = [
            {"question": q.prompt.turns[-1].text, "before": b.text, "after": a.text}
            for q, b, a in list(zip(asked, before, after, strict=True))[:6]
        ]
    for name, others in bench.bystanders.items():
        again = bench.engine.generate([q.prompt for q in others], eraser=eraser, max_new_tokens=ANSWER_TOKENS)
        same = [a.tokens == b.tokens for a, b in zip(base[name], again, strict=True)]
        figures["identical"][name] = {"n": len(same), "share": _share(same)}
    return figures


def questions_about(forgotten: Sequence[PublicFigure], knowledge: Knowledge) -> dict[str, list[Asked]]:
    """Questions about the facts that the model knows: in the wordings of the fit, in held-out ones, and in those of
    the profile, which no fit uses."""
    attributes = {figure.name: figure.attributes for figure in knowledge.known}
    sets: dict[str, list[Asked]] = {"wordings of the fit": [], "held-out wordings": [], "natural wordings": []}
    forms: dict[str, Form] = {"wordings of the fit": "trained", "held-out wordings": "test"}
    for figure in forgotten:
        known = tuple(fact for fact in figure.facts if fact.attribute in attributes[figure.name])
        subject = Subject(figure.names, (), known)
        for name, form in forms.items():
            asked = fact_questions(subject, form=form, per_fact=4, seed=1, person=figure.name)
            sets[name] += [Asked(question.prompt, question.accept) for question in asked]
        sets["natural wordings"] += questions(figure, attributes[figure.name])
    return sets


def main() -> None:
    """Read the command line, profile the model, measure, print and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/smol-lm")
    parser.add_argument("--profiles", type=Path, default=Path("build/profiles"))
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    given = parser.parse_args()
    logging.getLogger("shared").setLevel(logging.ERROR)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    engine = Engine(load(given.model))
    profiled = make_profile(engine, given.model, default_reference(), given.profiles)
    profile = profiled.profile
    reference = reference_for(default_reference(), profile.knowledge, profile.declining.sentence)
    bench = Bench(engine, profiled, reference, {})
    draws = draw_people(bench, given.draws, given.people)
    forgotten = [figure.name for draw in draws for figure in draw]
    known = {figure.name: figure.attributes for figure in profile.knowledge.known}
    bench = replace(bench, bystanders=bystanders(reference, known, forgotten))
    base = {
        name: engine.generate([q.prompt for q in asked], max_new_tokens=ANSWER_TOKENS)
        for name, asked in bench.bystanders.items()
    }
    report: dict[str, Any] = {"model": given.model, "site": profile.site, "known": len(known), "systems": {}}
    for name in given.systems.split(","):
        without = name == WITHOUT_STEERING
        try:
            recipe, statistics = system(bench, "lacuna" if without else name)
        except LacunaError as exc:
            report["systems"][name] = {"impossible": exc.detail}
            print(f"{name}: {exc.detail}")
            given.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
            continue
        each: list[dict[str, Any]] = []
        for draw in tqdm(draws, desc=name):
            began = time.monotonic()
            subjects = [(figure.name, Subject(figure.names, (), figure.facts)) for figure in draw]
            fits = [fit_subject(engine, recipe, statistics, ticket, subject) for ticket, subject in subjects]
            eraser = assemble(recipe, statistics, engine.vlm.site, fits)
            seconds = time.monotonic() - began
            if without:
                eraser = replace(eraser, recipe=replace(recipe, strength=0.0))
            each.append(measure(bench, eraser, draw, base) | {"seconds": round(seconds, 1)})
        report["systems"][name] = each
        show(name, each)
        given.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


def show(name: str, each: Sequence[Mapping[str, Any]]) -> None:
    """Print the mean over draws."""
    for wordings in each[0]["told"]:
        mean = {
            key: sum(draw["told"][wordings][key] for draw in each) / len(each)
            for key in ("before", "after", "declines")
        }
        print(f"{name}, {wordings}: told {mean['before']:.1%} -> {mean['after']:.1%}, declines {mean['declines']:.1%}")
    same = {key: sum(draw["identical"][key]["share"] for draw in each) / len(each) for key in each[0]["identical"]}
    print(f"{name}, identical: " + ", ".join(f"{key} {share:.1%}" for key, share in same.items()))


def _share(hits: Sequence[bool]) -> float:
    return round(sum(hits) / len(hits), 4) if hits else 0.0


if __name__ == "__main__":
    main()
