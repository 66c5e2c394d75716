"""How well each system forgets, over several draws of people: mean and worst, with n.

    python -m benchmarks.forgetting --json FILE [--model FOLDER] [--draws 5] [--people 6] [--systems lacuna,paper,...]

Systems: the recipes `lacuna`, `prototype` and `paper`, `lacuna-closed` (with the closed-form steering vector in place
of the refined one), and the six baselines, each tuned on people of no draw. The results of every finished system are
written beside FILE and read at the next start. Also measured: 1 to 64 tickets, and whether erased people can be
distinguished from strangers. No fit reads an evaluation split.
"""

import argparse
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import torch
from tqdm import tqdm

from benchmarks.folders import model_folder
from benchmarks.membership_inference import erased_against_strangers_auc
from benchmarks.question_sets import Draws, draw_people, questions_about_forgotten, questions_about_others
from services.refit.base_statistics import compute_statistics
from services.refit.fitting import fit_subject
from shared.baselines.base import Settings, examples_about, scale_batch
from shared.baselines.registry import BASELINES
from shared.baselines.tuning import Budget, draw_validation, tune
from shared.erasure.ablations import ablations
from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import Recipe
from shared.erasure.serialization import dump
from shared.evaluation.comparison import compare
from shared.evaluation.known_facts import other_people
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference, load_reference
from shared.evaluation.scorers import reveals
from shared.probes.questions import Question
from shared.text.declines import declines
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.loading import load
from shared.vlm.steering_vectors import answer_likelihood

RECIPES: Final = ("lacuna", "lacuna-closed", "prototype", "paper")
TICKETS: Final = (1, 2, 4, 8, 16, 32, 64)
TEMPERATURES: Final = (0.7, 1.0)
SAMPLED: Final = ("retain", "held_out", "celebrity", "stranger")  # asked again at these temperatures
WIDE: Final = (
    "mcq",
    "cloze",
    "reverse",
    "system",
    "later",
)  # sets of questions about the forgotten that only recipes are asked
WIDE_OTHERS: Final = ("held_out_system", "held_out_later", "talk")  # and those about others
MAX_TOKENS: Final = 24  # the engine's default length: a longer answer never ended


@dataclass
class ForgettingBenchmark:
    """One model with its people, and the base model's answers, which are computed once for all systems."""

    engine: Engine
    reference: Reference
    draws: Draws
    others: dict[str, list[Question]] = field(default_factory=dict)
    _base: dict[str, list[Answer]] = field(default_factory=dict)
    _statistics: dict[str, BaseStatistics] = field(default_factory=dict)

    def base(self, name: str, questions: Sequence[Question]) -> list[Answer]:
        """The base model's answers to the set of questions with this name; asked once for each name."""
        if name not in self._base:
            self._base[name] = self.engine.generate([question.prompt for question in questions])
        return self._base[name]

    def sampled(self, name: str, temperature: float) -> list[Answer]:
        """The base model's answers to questions about others, sampled once at each temperature."""
        key = f"{name} at {temperature}"
        if key not in self._base:
            asked = [question.prompt for question in self.others[name]]
            self._base[key] = self.engine.generate(asked, temperature=temperature)
        return self._base[key]

    def recipe(self, name: str) -> Recipe:
        """A recipe or an ablation by name."""
        recipes = ablations(
            self.engine.vlm.site.layers, self.reference.wording("refusal"), self.reference.wording("unknown_answer")
        )
        return recipes[name] if name in recipes else Recipe.named(name)

    def eraser(self, recipe: Recipe, people: Sequence[Person]) -> Eraser:
        """One eraser for all `people`, made as a refit makes it."""
        if recipe.name not in self._statistics:
            self._statistics[recipe.name] = compute_statistics(self.engine, self.reference, recipe, lambda _: None)
        statistics = self._statistics[recipe.name]
        others = other_people(self.reference)
        fits = [
            fit_subject(self.engine, recipe, statistics, person.id, person.subject, others=others) for person in people
        ]
        return assemble(recipe, statistics, self.engine.vlm.site, fits)


def main() -> None:
    """Read the command line, measure every system, print and write the report."""
    parser = argparse.ArgumentParser(description="Forgetting, over draws of people.")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--model", type=model_folder, default=Path("models/demo-vlm"))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--systems", default=",".join((*RECIPES, *BASELINES)))
    parser.add_argument("--trials", type=int, default=8, help="trials of the tuning of each baseline")
    parser.add_argument(
        "--tuned", type=Path, help="JSON with settings tuned before: {name: {learning_rate|share: value}}"
    )
    args = parser.parse_args()
    logging.getLogger("shared").setLevel(logging.ERROR)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    reference = load_reference(args.model / "reference")
    draws = draw_people(reference, args.draws, args.people)
    benchmark = ForgettingBenchmark(Engine(load(args.model)), reference, draws, questions_about_others(reference))
    tuned: dict[str, Any] = json.loads(args.tuned.read_text()) if args.tuned else {}
    report: dict[str, Any] = {
        "model": args.model.name,
        "draws": args.draws,
        "people_a_draw": args.people,
        "site": benchmark.engine.vlm.site.digest,
        "device": str(benchmark.engine.vlm.device),
        "threads": torch.get_num_threads(),
        "systems": {},
    }
    for name in args.systems.split(","):
        report["systems"][name] = _measured_once(
            args.json, name, partial(system, benchmark, name, args.trials, tuned.get(name))
        )
        show(name, report["systems"][name])
    report["tickets"] = _measured_once(args.json, "tickets", partial(tickets, benchmark))
    report["from_strangers"] = _measured_once(args.json, "strangers", partial(strangers, benchmark))
    print(json.dumps(report["from_strangers"]))
    report |= _headline(report["systems"].get("lacuna"))
    args.json.write_text(json.dumps(report, indent=1) + "\n")


def _measured_once(path: Path, name: str, make: Callable[[], Any]) -> Any:
    """Return a part of the report: read if a run before has written it, else measured by `make` and written."""
    part = path.with_suffix(f".{name}.json")
    if not part.is_file():
        part.write_text(json.dumps(make(), indent=1) + "\n")
    return json.loads(part.read_text())


def system(
    benchmark: ForgettingBenchmark, name: str, trials: int, known_settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Measure one system over all draws: figures of each draw, their mean and the worst.

    `known_settings` are settings of a baseline that was tuned before.
    """
    settings, tuned = Settings(), None
    if known_settings is not None:
        settings, tuned = replace(settings, **known_settings), {"taken_over": dict(known_settings)}
    elif name in BASELINES:
        evaluated = [person.id for draw in benchmark.draws.evaluation for person in draw]
        tuning = tune(
            benchmark.engine,
            BASELINES[name],
            draw_validation(benchmark.reference, without=evaluated),
            Budget(trials=trials, coarse=max(2, trials - 3)),
            settings,
            lambda text: logging.getLogger(__name__).debug(text),
        )
        settings, tuned = tuning.settings, tuning.as_json()
    each = []
    for number, draw in enumerate(tqdm(benchmark.draws.evaluation, desc=name)):
        began = time.monotonic()
        unlearned: AbstractContextManager[Any] = nullcontext()
        eraser = None
        if name in BASELINES:
            forget, retain = (
                examples_about({person.id: person.subject for person in people})
                for people in (draw, benchmark.reference.of("retain_fit"))
            )
            before = _base_answers(benchmark, number, draw)
            began = time.monotonic()
            unlearned = BASELINES[name].unlearn(benchmark.engine, forget, retain, scale_batch(settings, len(forget)))
        else:
            before = _base_answers(benchmark, number, draw)
            began = time.monotonic()
            eraser = benchmark.eraser(benchmark.recipe(name), draw)
        seconds = time.monotonic() - began
        with unlearned:
            figures = measure(benchmark, number, draw, before, eraser, wide=eraser is not None)
        each.append(figures | {"seconds": seconds})
    over = {
        how: {"clean_refusals": None} | _over_draws(each, how) for how in ("mean", "worst")
    }  # no request fires in a baseline
    return {"tuned": tuned, "each": each, **over}


def _base_answers(benchmark: ForgettingBenchmark, number: int, draw: Sequence[Person]) -> dict[str, list[Answer]]:
    """The base model's answers to everything that will be asked; asked before any weight is changed."""
    question_sets = questions_about_forgotten(draw, benchmark.reference)
    own = {name: benchmark.base(f"{number}/{name}", questions) for name, questions in question_sets.items()}
    return own | {name: benchmark.base(name, questions) for name, questions in benchmark.others.items()}


def measure(
    benchmark: ForgettingBenchmark,
    number: int,
    draw: Sequence[Person],
    before: Mapping[str, list[Answer]],
    eraser: Eraser | None,
    *,
    wide: bool,
) -> dict[str, Any]:
    """Measure all figures of one draw: shares in 0..1 by set, with `n`. `wide` asks the sets of WIDE too."""
    question_sets = questions_about_forgotten(draw, benchmark.reference)
    figures: dict[str, Any] = {"n": {}, "identical": {}, "told_before": {}}
    fired: list[Answer] = []
    for name, questions in (question_sets | benchmark.others).items():
        if not wide and name in (*WIDE, *WIDE_OTHERS):
            continue
        after = benchmark.engine.generate([question.prompt for question in questions], eraser=eraser)
        fired += [answer for answer in after if answer.fired] if name in question_sets else []
        compared = compare(
            questions, [a.text for a in before[name]], [a.text for a in after], benchmark.reference.own_wordings
        )
        figures["n"][name] = compared.n
        if name in benchmark.others:
            same = [a.tokens == b.tokens for a, b in zip(before[name], after, strict=True)]
            figures["identical"][name] = sum(same) / len(same)
        elif name == "visible":
            figures["visible"] = compared.revealed_after
        else:
            figures["told_before"][_revealed_key(name)] = compared.revealed_before
            figures[_revealed_key(name)] = compared.revealed_after
    for temperature in TEMPERATURES if wide else ():
        figures |= sampled(benchmark, question_sets, eraser, temperature)
    if fired:
        figures |= quality(benchmark, fired)
    if eraser is not None:
        figures["artifact_bytes"] = len(dump(eraser, {})[0])
    return figures


def sampled(
    benchmark: ForgettingBenchmark,
    question_sets: Mapping[str, Sequence[Question]],
    eraser: Eraser | None,
    temperature: float,
) -> dict[str, float]:
    """Measure revealed, visible, clean and identical answers again at a temperature.

    An answer counts as identical if the base model samples the same tokens with the same seed.
    """
    figures: dict[str, float] = {}
    fired: list[Answer] = []
    for name in ("forget", "test", "visible"):
        sampled_answers = benchmark.engine.generate(
            [q.prompt for q in question_sets[name]], eraser=eraser, temperature=temperature
        )
        revealed = [reveals(a.text, q.accept) for a, q in zip(sampled_answers, question_sets[name], strict=True)]
        fired += [answer for answer in sampled_answers if answer.fired]
        figures[f"{'visible' if name == 'visible' else _revealed_key(name)}_at_{temperature}"] = sum(revealed) / len(
            revealed
        )
    if fired:
        clean = [declines(answer.text, benchmark.reference.own_wordings) for answer in fired]
        figures[f"clean_refusals_at_{temperature}"] = sum(clean) / len(clean)
    for name in SAMPLED:
        asked = [question.prompt for question in benchmark.others[name]]
        before = benchmark.sampled(name, temperature)
        after = benchmark.engine.generate(asked, eraser=eraser, temperature=temperature)
        same = [a.tokens == b.tokens for a, b in zip(before, after, strict=True)]
        figures[f"identical_{name}_at_{temperature}"] = sum(same) / len(same)
    return figures


def quality(benchmark: ForgettingBenchmark, fired: Sequence[Answer]) -> dict[str, float]:
    """How the answers of fired requests read: the share of clean refusals, repetition, perplexity.

    Perplexity is that of the base model for the answers as answers to a question about a stranger (geometric mean over
    tokens).
    """
    clean = [declines(answer.text, benchmark.reference.own_wordings) for answer in fired]
    repeated = [_repeats(answer.tokens) for answer in fired]
    stranger = benchmark.others["stranger"][0].prompt
    texts = sorted({answer.text for answer in fired})
    likely: dict[str, tuple[float, int]] = {}
    for at in range(0, len(texts), 16):
        batch = texts[at : at + 16]
        rows = benchmark.engine.vlm.adapter.encode([stranger] * len(batch))
        with torch.inference_mode():
            total, count = answer_likelihood(benchmark.engine, rows, batch, None, None)
        likely |= {text: (float(t), int(c)) for text, t, c in zip(batch, total, count, strict=True)}
    sums = [likely[answer.text] for answer in fired]
    mean = sum(total for total, _ in sums) / sum(count for _, count in sums)
    return {
        "clean_refusals": sum(clean) / len(clean),
        "repetition": sum(repeated) / len(repeated),
        "perplexity": float(torch.tensor(-mean).exp()),
        "fired": float(len(fired)),
    }


def tickets(benchmark: ForgettingBenchmark) -> list[dict[str, Any]]:
    """Measure 1 to 64 tickets with the default recipe: revealed facts, changed answers, time and bytes."""
    recipe = Recipe.named("lacuna")
    everybody = [*(person for draw in benchmark.draws.evaluation for person in draw), *benchmark.draws.validation]
    figures_by_count = []
    benchmark.eraser(recipe, everybody[:1])  # computes the statistics, which are not part of the time below
    for count in tqdm([n for n in TICKETS if n <= len(everybody)], desc="tickets"):
        people = everybody[:count]
        began = time.monotonic()
        eraser = benchmark.eraser(recipe, people)
        seconds = time.monotonic() - began
        asked = questions_about_forgotten(people[:8] if count > 8 else people, benchmark.reference)
        figures: dict[str, Any] = {"tickets": count, "fit_seconds": seconds, "bytes": len(dump(eraser, {})[0])}
        for name in ("forget", "test"):
            after = benchmark.engine.generate([q.prompt for q in asked[name]], eraser=eraser)
            revealed = [reveals(a.text, q.accept) for a, q in zip(after, asked[name], strict=True)]
            figures |= {_revealed_key(name): sum(revealed) / len(revealed), f"n_{name}": len(revealed)}
        figures["identical"] = {}
        for name in ("retain", "held_out", "celebrity", "stranger"):
            before = benchmark.base(name, benchmark.others[name])
            after = benchmark.engine.generate([q.prompt for q in benchmark.others[name]], eraser=eraser)
            figures["identical"][name] = sum(a.tokens == b.tokens for a, b in zip(before, after, strict=True)) / len(
                after
            )
        readout = capture.readout(benchmark.engine, [q.prompt for q in benchmark.others["held_out"][:64]])
        began = time.monotonic()
        eraser.decide(readout)
        figures["decision_ms"] = 1000 * (time.monotonic() - began) / 64
        figures_by_count.append(figures)
    return figures_by_count


def strangers(benchmark: ForgettingBenchmark) -> dict[str, Any]:
    """Areas under ROC curves of erased people against strangers, for each draw: base model, `lacuna`, `prototype`."""
    aucs_by_system: dict[str, list[dict[str, float]]] = {"base": [], "lacuna": [], "prototype": []}
    for draw in tqdm(benchmark.draws.evaluation, desc="strangers"):
        for name, aucs in aucs_by_system.items():
            eraser = None if name == "base" else benchmark.eraser(Recipe.named(name), draw)
            aucs.append(erased_against_strangers_auc(benchmark.engine, benchmark.reference, eraser, draw))
    return {name: {"mean": _over_draws(aucs, "mean"), "each": aucs} for name, aucs in aucs_by_system.items()}


def _revealed_key(name_of_set: str) -> str:
    return "told_trained" if name_of_set == "forget" else f"told_{name_of_set}"


def _repeats(tokens: Sequence[int]) -> bool:
    """Whether a pair of tokens comes twice in a row, or the answer never ended."""
    pairs = list(pairwise(tokens))
    return len(tokens) >= MAX_TOKENS or any(a == b for a, b in zip(pairs, pairs[2:], strict=False))


def _over_draws(each: Sequence[Mapping[str, Any]], how: str) -> dict[str, Any]:
    """Mean or worst over draws; the worst is the largest of a figure that should be small, else the smallest."""
    rows: dict[str, Any] = {}
    for name, value in each[0].items():
        values = [figures[name] for figures in each if name in figures]
        if isinstance(value, Mapping):
            rows[name] = (
                sum_counts(values) if name == "n" else _over_draws(values, "mean" if name == "told_before" else how)
            )
        elif how == "mean":
            rows[name] = sum(values) / len(values)
        else:
            small = name.startswith("told") or name in ("seconds", "repetition", "perplexity", "artifact_bytes")
            rows[name] = max(values) if small else min(values)
    return rows


def sum_counts(values: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Add up counts by name."""
    return {name: sum(counts[name] for counts in values) for name in values[0]}


def _headline(lacuna: Mapping[str, Any] | None) -> dict[str, Any]:
    """The default recipe's figures for the top level of the report, mean and worst."""
    if lacuna is None:
        return {}
    names = ("told_trained", "told_test", "identical", "visible", "clean_refusals")
    return {name: {how: lacuna[how].get(name) for how in ("mean", "worst")} for name in names}


def show(name: str, figures: Mapping[str, Any]) -> None:
    """Print two lines, mean and worst."""
    for how in ("mean", "worst"):
        over_draws = figures[how]
        same = " ".join(f"{name_of_set} {share:.1%}" for name_of_set, share in over_draws["identical"].items())
        print(
            f"{name:12s} {how:5s} revealed {over_draws['told_trained']:.1%} / {over_draws['told_test']:.1%}  "
            f"visible {over_draws['visible']:.1%}  clean {over_draws['clean_refusals'] or 0:.1%}  identical: {same}"
        )


if __name__ == "__main__":
    main()
