"""How well each system forgets, over several draws of people: mean and worst, with n.

    python -m benchmarks.forgetting --json FILE [--model FOLDER] [--draws 5] [--people 6] [--systems lacuna,paper,...]

Systems: the recipes `lacuna`, `prototype` and `paper`, `lacuna-closed` (the closed-form pull in place of the refined
one), and the six baselines, each tuned on people of no draw. Every
finished system is written beside FILE and taken over at the next start. Also: 1 to 64 tickets, and whether erased
people can be told from strangers. No evaluation split is read by any fit.
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
from benchmarks.membership_inference import stranger_auc
from benchmarks.question_sets import Draws, draw_people, others_panels, own_panels
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
from shared.evaluation.reference import Reference, load_reference
from shared.evaluation.scorers import reveals
from shared.evaluation.synthetic_people import Person
from shared.probes.questions import Question
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.loading import load
from shared.vlm.steering_vectors import answer_likelihood

RECIPES: Final = ("lacuna", "lacuna-closed", "prototype", "paper")
TICKETS: Final = (1, 2, 4, 8, 16, 32, 64)
TEMPERATURES: Final = (0.7, 1.0)
SAMPLED: Final = ("retain", "held_out", "celebrity", "stranger")  # asked again at those
WIDE: Final = ("mcq", "cloze", "reverse", "system", "later")  # asked of recipes only
ALSO_WIDE: Final = ("held_out_system", "held_out_later", "talk")  # likewise
LONGEST: Final = 24


@dataclass
class Bench:
    """One model with its people and the base model's answers, which no system changes."""

    engine: Engine
    reference: Reference
    folder: Path
    draws: Draws
    others: dict[str, list[Question]] = field(default_factory=dict)
    _base: dict[str, list[Answer]] = field(default_factory=dict)
    _statistics: dict[str, BaseStatistics] = field(default_factory=dict)

    def base(self, name: str, questions: Sequence[Question]) -> list[Answer]:
        """The base model's answers, asked once for each name."""
        if name not in self._base:
            self._base[name] = self.engine.generate([question.prompt for question in questions])
        return self._base[name]

    def sampled(self, name: str, temperature: float) -> list[Answer]:
        """The base model's answers to everybody else's questions, sampled once."""
        key = f"{name} at {temperature}"
        if key not in self._base:
            asked = [question.prompt for question in self.others[name]]
            self._base[key] = self.engine.generate(asked, temperature=temperature)
        return self._base[key]

    def recipe(self, name: str) -> Recipe:
        """A recipe or an ablation by name."""
        known = ablations(self.engine.vlm.site.layers, self.reference.refusal, self.reference.unknown_answer)
        return known[name] if name in known else Recipe.named(name)

    def eraser(self, recipe: Recipe, people: Sequence[Person]) -> Eraser:
        """One eraser for all of `people`, as a refit makes it."""
        if recipe.name not in self._statistics:
            self._statistics[recipe.name] = compute_statistics(
                self.engine, self.reference, self.folder, recipe, lambda _: None
            )
        statistics = self._statistics[recipe.name]
        rows = [fit_subject(self.engine, recipe, statistics, person.id, person.subject) for person in people]
        return assemble(recipe, statistics, self.engine.vlm.site, rows)


def main() -> None:
    """Read the command line, measure, print, write."""
    parser = argparse.ArgumentParser(description="Forgetting, over draws of people.")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--model", type=model_folder, default=Path("models/demo-vlm"))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--systems", default=",".join((*RECIPES, *BASELINES)))
    parser.add_argument("--trials", type=int, default=8, help="of the tuning of each baseline")
    parser.add_argument("--tuned", type=Path, help="JSON, settings found before: {name: {learning_rate|share: value}}")
    chosen = parser.parse_args()
    logging.getLogger("shared").setLevel(logging.ERROR)
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    reference = load_reference(chosen.model / "reference")
    draws = draw_people(reference, chosen.draws, chosen.people)
    bench = Bench(Engine(load(chosen.model)), reference, chosen.model / "reference", draws, others_panels(reference))
    known: dict[str, Any] = json.loads(chosen.tuned.read_text()) if chosen.tuned else {}
    report: dict[str, Any] = {
        "model": chosen.model.name,
        "draws": chosen.draws,
        "people_a_draw": chosen.people,
        "site": bench.engine.vlm.site.digest,
        "device": str(bench.engine.vlm.device),
        "threads": torch.get_num_threads(),
        "systems": {},
    }
    for name in chosen.systems.split(","):
        report["systems"][name] = _kept(chosen.json, name, partial(system, bench, name, chosen.trials, known.get(name)))
        show(name, report["systems"][name])
    report["tickets"] = _kept(chosen.json, "tickets", partial(tickets, bench))
    report["from_strangers"] = _kept(chosen.json, "strangers", partial(strangers, bench))
    print(json.dumps(report["from_strangers"]))
    report |= _flat(report["systems"].get("lacuna"))
    chosen.json.write_text(json.dumps(report, indent=1) + "\n")


def _kept(path: Path, name: str, make: Callable[[], Any]) -> Any:
    """What was measured before, else what `make` measures; each part is written as soon as it is there."""
    part = path.with_suffix(f".{name}.json")
    if not part.is_file():
        part.write_text(json.dumps(make(), indent=1) + "\n")
    return json.loads(part.read_text())


def system(bench: Bench, name: str, trials: int, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One system over all draws: figures of each draw, their mean and the worst. `known`: settings tuned before."""
    settings, tuned = Settings(), None
    if known is not None:
        settings, tuned = replace(settings, **known), {"taken_over": dict(known)}
    elif name in BASELINES:
        evaluated = [person.id for draw in bench.draws.evaluation for person in draw]
        found = tune(
            bench.engine,
            BASELINES[name],
            draw_validation(bench.reference, without=evaluated),
            Budget(trials=trials, coarse=max(2, trials - 3)),
            settings,
            lambda text: logging.getLogger(__name__).debug(text),
        )
        settings, tuned = found.settings, found.as_json()
    each = []
    for number, draw in enumerate(tqdm(bench.draws.evaluation, desc=name)):
        began = time.monotonic()
        held: AbstractContextManager[Any] = nullcontext()
        eraser = None
        if name in BASELINES:
            forget, retain = (
                examples_about({person.id: person.subject for person in people})
                for people in (draw, bench.reference.of("retain_fit"))
            )
            before = _asked(bench, number, draw)
            began = time.monotonic()
            held = BASELINES[name].unlearn(bench.engine, forget, retain, scale_batch(settings, len(forget)))
        else:
            before = _asked(bench, number, draw)
            began = time.monotonic()
            eraser = bench.eraser(bench.recipe(name), draw)
        seconds = time.monotonic() - began
        with held:
            figures = measure(bench, number, draw, before, eraser, wide=eraser is not None)
        each.append(figures | {"seconds": seconds})
    over = {how: {"clean_refusals": None} | _over(each, how) for how in ("mean", "worst")}  # a baseline fires nothing
    return {"tuned": tuned, "each": each, **over}


def _asked(bench: Bench, number: int, draw: Sequence[Person]) -> dict[str, list[Answer]]:
    """Base answers to everything that will be asked, before any weight is touched."""
    panels = own_panels(draw, bench.reference)
    own = {name: bench.base(f"{number}/{name}", questions) for name, questions in panels.items()}
    return own | {name: bench.base(name, questions) for name, questions in bench.others.items()}


def measure(
    bench: Bench,
    number: int,
    draw: Sequence[Person],
    before: Mapping[str, list[Answer]],
    eraser: Eraser | None,
    *,
    wide: bool,
) -> dict[str, Any]:
    """All figures of one draw. Shares in 0..1; `n` beside them."""
    panels = own_panels(draw, bench.reference)
    figures: dict[str, Any] = {"n": {}, "identical": {}, "told_before": {}}
    fired: list[Answer] = []
    for name, questions in (panels | bench.others).items():
        if not wide and name in (*WIDE, *ALSO_WIDE):
            continue
        after = bench.engine.generate([question.prompt for question in questions], eraser=eraser)
        fired += [answer for answer in after if answer.fired] if name in panels else []
        compared = compare(
            questions, [a.text for a in before[name]], [a.text for a in after], bench.reference.unknown_answer
        )
        figures["n"][name] = compared.n
        if name in bench.others:
            same = [a.tokens == b.tokens for a, b in zip(before[name], after, strict=True)]
            figures["identical"][name] = sum(same) / len(same)
        elif name == "visible":
            figures["visible"] = compared.revealed_after
        else:
            figures["told_before"][_told(name)] = compared.revealed_before
            figures[_told(name)] = compared.revealed_after
    for temperature in TEMPERATURES if wide else ():
        figures |= sampled(bench, panels, eraser, temperature)
    if fired:
        figures |= quality(bench, fired)
    if eraser is not None:
        figures["artifact_bytes"] = len(dump(eraser, {})[0])
    return figures


def sampled(
    bench: Bench, panels: Mapping[str, Sequence[Question]], eraser: Eraser | None, temperature: float
) -> dict[str, float]:
    """Told, visible, clean and identical again, sampled; identical: to what the base model samples by the same seed."""
    figures: dict[str, float] = {}
    fired: list[Answer] = []
    for name in ("forget", "test", "visible"):
        hot = bench.engine.generate([q.prompt for q in panels[name]], eraser=eraser, temperature=temperature)
        told = [reveals(a.text, q.accept) for a, q in zip(hot, panels[name], strict=True)]
        fired += [answer for answer in hot if answer.fired]
        figures[f"{'visible' if name == 'visible' else _told(name)}_at_{temperature}"] = sum(told) / len(told)
    if fired:
        clean = [answer.text == bench.reference.unknown_answer for answer in fired]
        figures[f"clean_refusals_at_{temperature}"] = sum(clean) / len(clean)
    for name in SAMPLED:
        asked = [question.prompt for question in bench.others[name]]
        before = bench.sampled(name, temperature)
        after = bench.engine.generate(asked, eraser=eraser, temperature=temperature)
        same = [a.tokens == b.tokens for a, b in zip(before, after, strict=True)]
        figures[f"identical_{name}_at_{temperature}"] = sum(same) / len(same)
    return figures


def quality(bench: Bench, fired: Sequence[Answer]) -> dict[str, float]:
    """How the answers of fired requests read: the model's own not-knowing form, repetition, perplexity.

    Perplexity is the base model's, of the answer to a stranger's question (a token's, geometric mean).
    """
    clean = [answer.text == bench.reference.unknown_answer for answer in fired]
    repeated = [_repeats(answer.tokens) for answer in fired]
    stranger = bench.others["stranger"][0].prompt
    texts = sorted({answer.text for answer in fired})
    likely: dict[str, tuple[float, int]] = {}
    for at in range(0, len(texts), 16):
        some = texts[at : at + 16]
        rows = bench.engine.vlm.adapter.encode([stranger] * len(some))
        with torch.inference_mode():
            total, count = answer_likelihood(bench.engine, rows, some, None, None)
        likely |= {text: (float(t), int(c)) for text, t, c in zip(some, total, count, strict=True)}
    sums = [likely[answer.text] for answer in fired]
    mean = sum(total for total, _ in sums) / sum(count for _, count in sums)
    return {
        "clean_refusals": sum(clean) / len(clean),
        "repetition": sum(repeated) / len(repeated),
        "perplexity": float(torch.tensor(-mean).exp()),
        "fired": float(len(fired)),
    }


def tickets(bench: Bench) -> list[dict[str, Any]]:
    """1 to 64 tickets with the default recipe: leaks, drift, and what they cost."""
    recipe = Recipe.named("lacuna")
    everybody = [*(person for draw in bench.draws.evaluation for person in draw), *bench.draws.validation]
    found = []
    bench.eraser(recipe, everybody[:1])
    for count in tqdm([n for n in TICKETS if n <= len(everybody)], desc="tickets"):
        people = everybody[:count]
        began = time.monotonic()
        eraser = bench.eraser(recipe, people)
        seconds = time.monotonic() - began
        asked = own_panels(people[:8] if count > 8 else people, bench.reference)
        figures: dict[str, Any] = {"tickets": count, "fit_seconds": seconds, "bytes": len(dump(eraser, {})[0])}
        for name in ("forget", "test"):
            after = bench.engine.generate([q.prompt for q in asked[name]], eraser=eraser)
            told = [reveals(a.text, q.accept) for a, q in zip(after, asked[name], strict=True)]
            figures |= {_told(name): sum(told) / len(told), f"n_{name}": len(told)}
        figures["identical"] = {}
        for name in ("retain", "held_out", "celebrity", "stranger"):
            before = bench.base(name, bench.others[name])
            after = bench.engine.generate([q.prompt for q in bench.others[name]], eraser=eraser)
            figures["identical"][name] = sum(a.tokens == b.tokens for a, b in zip(before, after, strict=True)) / len(
                after
            )
        evidence = capture.readout(bench.engine, [q.prompt for q in bench.others["held_out"][:64]])
        began = time.monotonic()
        eraser.decide(evidence)
        figures["decision_ms"] = 1000 * (time.monotonic() - began) / 64
        found.append(figures)
    return found


def strangers(bench: Bench) -> dict[str, Any]:
    """Areas under ROC curves, erased people against strangers, for each draw: before, `lacuna`, `prototype`."""
    found: dict[str, list[dict[str, float]]] = {"base": [], "lacuna": [], "prototype": []}
    for draw in tqdm(bench.draws.evaluation, desc="strangers"):
        for name, aucs in found.items():
            eraser = None if name == "base" else bench.eraser(Recipe.named(name), draw)
            aucs.append(stranger_auc(bench.engine, bench.reference, eraser, draw))
    return {name: {"mean": _over(aucs, "mean"), "each": aucs} for name, aucs in found.items()}


def _told(panel: str) -> str:
    return "told_trained" if panel == "forget" else f"told_{panel}"


def _repeats(tokens: Sequence[int]) -> bool:
    """Whether the same two tokens come twice running, or an answer never ended."""
    pairs = list(pairwise(tokens))
    return len(tokens) >= LONGEST or any(a == b for a, b in zip(pairs, pairs[2:], strict=False))


def _over(each: Sequence[Mapping[str, Any]], how: str) -> dict[str, Any]:
    """Mean or worst over draws: the least for what should be large, the largest for what should be small."""
    rows: dict[str, Any] = {}
    for name, value in each[0].items():
        values = [one[name] for one in each if name in one]
        if isinstance(value, Mapping):
            rows[name] = sum_of(values) if name == "n" else _over(values, "mean" if name == "told_before" else how)
        elif how == "mean":
            rows[name] = sum(values) / len(values)
        else:
            small = name.startswith("told") or name in ("seconds", "repetition", "perplexity", "artifact_bytes")
            rows[name] = max(values) if small else min(values)
    return rows


def sum_of(values: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Counts, added up."""
    return {name: sum(one[name] for one in values) for name in values[0]}


def _flat(lacuna: Mapping[str, Any] | None) -> dict[str, Any]:
    """The default recipe's figures at the top of the file, mean and worst."""
    if lacuna is None:
        return {}
    names = ("told_trained", "told_test", "identical", "visible", "clean_refusals")
    return {name: {how: lacuna[how].get(name) for how in ("mean", "worst")} for name in names}


def show(name: str, figures: Mapping[str, Any]) -> None:
    """A line on the terminal."""
    for how in ("mean", "worst"):
        one = figures[how]
        same = " ".join(f"{panel} {share:.1%}" for panel, share in one["identical"].items())
        print(
            f"{name:12s} {how:5s} told {one['told_trained']:.1%} / {one['told_test']:.1%}  "
            f"visible {one['visible']:.1%}  clean {one['clean_refusals'] or 0:.1%}  identical: {same}"
        )


if __name__ == "__main__":
    main()
