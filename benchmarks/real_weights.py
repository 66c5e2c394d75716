"""Forgetting in models with real pretrained weights: what is still told, and whose answers change.

    python -m benchmarks.real_weights --model models/smol-lm --json docs/results/real_lm.json
    python -m benchmarks.real_weights --model models/smol-vlm-built --people 4 --json docs/results/smol_vlm.json

The model is profiled first (or its profile read); for the paper's systems only what it knows. Forgotten are people
whom it knows and no fit has seen, some at a time, over several draws: of a folder with a reference its forgettable
people, else public figures. Told counts a question whose answer holds the fact. Reported beside it: everybody and
everything else, whose answers have to stay token for token. A system that cannot be made for this model is reported
with the reason.

Every finished cell is written at once, and not measured again at the next start. Statistics and fits are kept in
`--cache`, so that systems which share them read them once.
"""

import argparse
import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.real_questions import (
    BYSTANDERS,
    STRANGERS,
    Draw,
    draws_of_figures,
    draws_of_people,
    retained_subjects,
    tuning_of_figures,
    tuning_of_people,
)
from benchmarks.real_tables import VISIBLE
from services.refit.base_statistics import compute_statistics, statistics_digest
from services.refit.fitting import fit_subject
from services.refit.profile.run import ProfiledModel, make_profile, observe
from shared.baselines.base import Settings, examples_about, scale_batch
from shared.baselines.registry import BASELINES
from shared.baselines.tuning import Budget, tune
from shared.domain.subjects import Subject
from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import Recipe
from shared.erasure.ticket_fit import TicketFit
from shared.errors import LacunaError
from shared.evaluation.known_facts import other_people
from shared.evaluation.model_profile import Knowledge
from shared.evaluation.reference import Reference, default_reference, load_reference
from shared.evaluation.scorers import reveals
from shared.probes.questions import Question
from shared.text.declines import declines
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.loading import load

logger = logging.getLogger(__name__)
ANSWER_TOKENS: Final = 32
PAUSE: Final = 20.0  # seconds between two reports of progress
EXAMPLES: Final = 6  # answers of each set that are written out, those first that are not as they should be
WITHOUT_STEERING: Final = "lacuna-without-steering"
FIXED_SENTENCE: Final = "linear-fixed-sentence"
SYSTEMS: Final = ("lacuna", WITHOUT_STEERING, FIXED_SENTENCE, "paper", *BASELINES)


@dataclass
class RealWeightsBenchmark:
    """A model, its draws, and the base model's answers, each asked for once.

    The paper's method and the baselines need no whole profile.
    """

    engine: Engine
    knowledge: Knowledge
    reference: Reference
    draws: Sequence[Draw]
    cache: Path
    profile: Callable[[], ProfiledModel]
    _base: dict[str, Answer] = field(default_factory=dict)
    _statistics: dict[str, BaseStatistics] = field(default_factory=dict)

    @cached_property
    def profiled(self) -> ProfiledModel:
        """With the second pass that was chosen for this model: read, else made."""
        return self.profile()

    def base(self, questions: Sequence[Question]) -> list[Answer]:
        """The base model's answers, also from an earlier run; to be asked while no weights are changed."""
        path = self.cache / f"{self.engine.vlm.site.digest[:32]}.answers.json"
        if not self._base and path.is_file():
            stored = json.loads(path.read_text())
            self._base = {key: Answer(**{**each, "tokens": tuple(each["tokens"])}) for key, each in stored.items()}
        keys = [_key(question) for question in questions]
        new = {key: question for key, question in zip(keys, questions, strict=True) if key not in self._base}
        if new:
            self._base |= zip(new, self.ask([*new.values()], None), strict=True)
            self.cache.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({key: asdict(answer) for key, answer in self._base.items()}))
        return [self._base[key] for key in keys]

    def ask(self, questions: Sequence[Question], eraser: Eraser | None) -> list[Answer]:
        """Greedy answers."""
        prompts = [question.prompt for question in questions]
        return self.engine.generate(prompts, eraser=eraser, max_new_tokens=ANSWER_TOKENS)

    def recipe(self, name: str) -> Recipe:
        """The recipe of a system. Lacuna's is the one of the profile, with all that the recipe of today reads."""
        if name == "paper":
            return Recipe.named(name)
        if name == FIXED_SENTENCE:
            sentence = self.reference.wording("unknown_answer")
            return replace(Recipe.named("paper"), direction="refined", fixed_text=sentence)
        today = Recipe.named("lacuna")
        return replace(self.profiled.recipe, read_text=today.read_text, counterfactual=today.counterfactual)

    def statistics(self, recipe: Recipe) -> BaseStatistics:
        """Read from the cache, else computed as a refit computes them."""
        digest = statistics_digest(self.engine, self.reference, recipe)
        if digest not in self._statistics:
            vectors = self.profiled.vectors if recipe.direction == "refined" else None
            self._statistics[digest] = BaseStatistics.from_bytes(
                self._kept(
                    f"{digest[:32]}.statistics",
                    lambda: compute_statistics(
                        self.engine, self.reference, recipe, logger.info, vectors=vectors
                    ).to_bytes(),
                )
            )
        return self._statistics[digest]

    def eraser(self, recipe: Recipe, people: Mapping[str, Subject]) -> Eraser:
        """One eraser for all `people`, made as a refit makes it."""
        statistics = self.statistics(recipe)
        digest = statistics_digest(self.engine, self.reference, recipe)
        others = other_people(self.reference, without=[s.names[0] for s in people.values()])
        fits = []
        for person, subject in people.items():
            key = hashlib.sha256(f"{digest}/{person}".encode()).hexdigest()[:32]
            blob = self._kept(
                f"{key}.fit",
                lambda p=person, s=subject: fit_subject(  # type: ignore[misc]
                    self.engine, recipe, statistics, p, s, others=others
                ).to_bytes(),
            )
            fits.append(TicketFit.from_bytes(blob))
        return assemble(recipe, statistics, self.engine.vlm.site, fits)

    def _kept(self, name: str, make: Callable[[], bytes]) -> bytes:
        path = self.cache / name
        if not path.is_file():
            self.cache.mkdir(parents=True, exist_ok=True)
            began = time.monotonic()
            path.write_bytes(make())
            logger.info("%s took %.0f s", name, time.monotonic() - began)
        return path.read_bytes()


def main() -> None:
    """Read the command line, profile the model, measure, print and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--trials", type=int, default=5, help="trials of the tuning of each baseline")
    parser.add_argument(
        "--steps", type=int, default=15, help="steps of each baseline, over 1.5 passes of what it forgets"
    )
    parser.add_argument("--first", type=int, help="measure only so many of the draws now; a later start goes on")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logger.setLevel(logging.INFO)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    benchmark = prepared(given)
    systems = given.systems.split(",")
    report = _started(given.json, benchmark, chosen=not set(systems) <= {"paper", *BASELINES})
    for name in systems:
        try:
            measured = report["systems"].setdefault(name, {"each": []})
            if "impossible" in measured:
                continue
            settings = _tuned(benchmark, name, measured, given)
            for draw in benchmark.draws[len(measured["each"]) : given.first]:
                logger.info("%s, draw %d", name, len(measured["each"]))
                measured["each"].append(measure(benchmark, name, draw, settings))
                _write(given.json, report)
        except LacunaError as exc:
            report["systems"][name] = {"impossible": exc.detail}
        _write(given.json, report)
        show(name, report["systems"][name])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that `prepared` and a report need."""
    parser.add_argument("--model", type=Path, default=Path("models/smol-lm"))
    parser.add_argument("--profiles", type=Path, default=Path("build/real/profiles"))
    parser.add_argument("--cache", type=Path, default=Path("build/real/cache"))
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--skip", type=int, default=0, help="people who are left out: those of an earlier report")
    parser.add_argument("--bystanders", type=int, default=BYSTANDERS, help="questions of each set about others")
    parser.add_argument(
        "--refine-steps", type=int, default=40, help="of the steering vectors, where strangers teach them (recipe: 160)"
    )


def prepared(given: argparse.Namespace) -> RealWeightsBenchmark:
    """The profiled model and its draws, as the arguments say."""
    engine = Engine(load(given.model))
    own = given.model / "reference"
    people = load_reference(own) if own.is_dir() else default_reference()
    recipe = replace(Recipe.named("lacuna"), refine_steps=given.refine_steps)
    report = _progress()
    observed = observe(engine, given.model.name, people, given.profiles, report)
    knowledge, reference = observed.knowledge, observed.reference(people)
    if own.is_dir():
        draws = draws_of_people(reference, given.draws, given.people, given.bystanders, given.skip)
    else:
        draws = draws_of_figures(reference, knowledge, given.draws, given.people, given.bystanders, given.skip)
    profile = partial(make_profile, engine, given.model.name, people, given.profiles, report, recipe=recipe)
    return RealWeightsBenchmark(engine, knowledge, reference, draws, given.cache, profile)


def _progress() -> Callable[[str, int, int], None]:
    """Reports of the profile's steps, at most one in PAUSE seconds."""
    last = 0.0

    def report(step: str, done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > PAUSE or done == total:
            last = time.monotonic()
            logger.info("profile: %s, %d of %d", step, done, total)

    return report


def _started(path: Path, benchmark: RealWeightsBenchmark, chosen: bool) -> dict[str, Any]:
    """The report of an earlier start with the same model and people, else an empty one.

    Where systems are measured with what the profile has `chosen`, the recipe has to be the same too.
    """
    about: dict[str, Any] = {
        "site": benchmark.engine.vlm.site.digest,
        "people": [list(draw.tickets) for draw in benchmark.draws],
    }
    if chosen:
        about["recipe"] = benchmark.recipe("lacuna").as_json()
    if path.is_file():
        stored: dict[str, Any] = json.loads(path.read_text())
        if all(stored.get(name, value) == value for name, value in about.items()):
            return stored | about
    knows = {"known": len(benchmark.knowledge.known), "chance": round(benchmark.knowledge.chance, 4)}
    return about | {"profile": knows, "threads": torch.get_num_threads(), "systems": {}}


def _write(path: Path, report: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


def _tuned(
    benchmark: RealWeightsBenchmark, name: str, measured: dict[str, Any], given: argparse.Namespace
) -> Settings | None:
    """The settings of a baseline, tuned on people of no draw and noted in `measured`; None for other systems."""
    if name not in BASELINES:
        return None
    settings = Settings(steps=given.steps)
    if "tuned" not in measured:
        validation = (
            tuning_of_people(benchmark.reference, benchmark.draws)
            if benchmark.reference.of("forgettable")
            else tuning_of_figures(benchmark.reference, benchmark.knowledge)
        )
        budget = Budget(trials=given.trials, coarse=max(2, given.trials - 1), steps=given.steps)
        tuning = tune(benchmark.engine, BASELINES[name], validation, budget, settings, logger.info)
        measured["tuned"] = {
            "settings": asdict(tuning.settings),
            "trials": [trial.as_json() for trial in tuning.trials],
        }
    return replace(settings, **measured["tuned"]["settings"])


@contextmanager
def _deployed(
    benchmark: RealWeightsBenchmark, name: str, draw: Draw, settings: Settings | None
) -> Iterator[Eraser | None]:
    """The system of this name, which forgets the people of `draw`, until the block ends."""
    if settings is None:
        recipe = benchmark.recipe(name)
        eraser = benchmark.eraser(recipe, draw.tickets)
        yield replace(eraser, recipe=replace(recipe, strength=0.0)) if name == WITHOUT_STEERING else eraser
        return
    retained = retained_subjects(benchmark.reference, benchmark.knowledge)
    forget, retain = examples_about(draw.known), examples_about(retained)
    with BASELINES[name].unlearn(benchmark.engine, forget, retain, scale_batch(settings, len(forget))):
        yield None


def measure(benchmark: RealWeightsBenchmark, name: str, draw: Draw, settings: Settings | None) -> dict[str, Any]:
    """Shares of one draw: of questions about the forgotten, and of answers to others that stay token for token."""
    for questions in (*draw.forgotten.values(), *draw.others.values()):
        benchmark.base(questions)  # before any weight is changed
    began = time.monotonic()
    figures: dict[str, Any] = {"told": {}, "identical": {}}
    with _deployed(benchmark, name, draw, settings) as eraser:
        figures["made_s"] = round(time.monotonic() - began, 1)
        for of, questions in draw.forgotten.items():
            before, after = benchmark.base(questions), benchmark.ask(questions, eraser)
            figures["told"][of] = _told(questions, before, after, draw.others[STRANGERS], benchmark)
            rows = _rows(questions, before, after, benchmark.reference.own_wordings)
            wanted = of == VISIBLE
            figures["told"][of]["examples"] = sorted(
                rows, key=lambda row: (row["told"] is wanted, row["declines"] is not wanted)
            )[:EXAMPLES]
        for of, questions in draw.others.items():
            before, after = benchmark.base(questions), benchmark.ask(questions, eraser)
            if eraser is not None and any(b.tokens != a.tokens for b, a in zip(before, after, strict=True)):
                before = benchmark.ask(questions, None)  # in the same batches, by which a near tie may fall otherwise
            same = [a.tokens == b.tokens for a, b in zip(before, after, strict=True)]
            fired = [answer.fired for answer in after]
            changed = [
                {"question": q.prompt.turns[-1].text, "before": b.text, "after": a.text, "fired": a.fired}
                for q, b, a, equal in zip(questions, before, after, same, strict=True)
                if not equal
            ]
            figures["identical"][of] = {"n": len(same), "share": _share(same), "fired": _share(fired)}
            figures["identical"][of]["changed"] = changed[:EXAMPLES]
    figures["seconds"] = round(time.monotonic() - began, 1)
    return figures


def _told(
    questions: Sequence[Question],
    before: Sequence[Answer],
    after: Sequence[Answer],
    strangers: Sequence[Question],
    benchmark: RealWeightsBenchmark,
) -> dict[str, Any]:
    """The figures of one set. `chance`: of the pairs of a question and a base model's answer about the same attribute
    of a stranger, how many of those answers hold the fact."""
    by_attribute: dict[str, list[str]] = {}
    for question, answer in zip(strangers, benchmark.base(strangers), strict=True):
        by_attribute.setdefault(question.attribute, []).append(answer.text)
    by_chance = [
        reveals(text, question.accept) for question in questions for text in by_attribute.get(question.attribute, ())
    ]
    return {
        "n": len(questions),
        "before": _share([reveals(a.text, q.accept) for a, q in zip(before, questions, strict=True)]),
        "after": _share([reveals(a.text, q.accept) for a, q in zip(after, questions, strict=True)]),
        "chance": _share(by_chance),
        "fired": _share([answer.fired for answer in after]),
        "declines": _share([declines(answer.text, benchmark.reference.own_wordings) for answer in after]),
        "readings": dict(Counter(answer.reading for answer in after)),
    }


def _rows(
    questions: Sequence[Question], before: Sequence[Answer], after: Sequence[Answer], own_wordings: Sequence[str]
) -> list[dict[str, Any]]:
    """Each question with both answers and what the second one does."""
    return [
        {
            "question": q.prompt.turns[-1].text,
            "person": q.person,
            "before": b.text,
            "after": a.text,
            "told": reveals(a.text, q.accept),
            "declines": declines(a.text, own_wordings),
            "reading": a.reading,
            "fired": a.fired,
        }
        for q, b, a in zip(questions, before, after, strict=True)
    ]


def _key(question: Question) -> str:
    """The same for two questions with the same words and pictures."""
    digest = hashlib.sha256()
    for turn in question.prompt.turns:
        digest.update(f"{turn.role}: {turn.text}".encode())
        for image in turn.images:
            digest.update(image.tobytes())
    return digest.hexdigest()


def show(name: str, measured: Mapping[str, Any]) -> None:
    """Print the mean over draws, or why there is none."""
    if "impossible" in measured:
        print(f"{name}: {measured['impossible']}", flush=True)
        return
    each = measured["each"]
    for of in each[0]["told"]:
        mean = {key: sum(draw["told"][of][key] for draw in each) / len(each) for key in ("before", "after", "declines")}
        print(f"{name}, {of}: told {mean['before']:.1%} -> {mean['after']:.1%}, declines {mean['declines']:.1%}")
    same = {of: sum(draw["identical"][of]["share"] for draw in each) / len(each) for of in each[0]["identical"]}
    print(f"{name}, identical: " + ", ".join(f"{of} {share:.1%}" for of, share in same.items()), flush=True)


def _share(hits: Sequence[bool]) -> float:
    return round(sum(hits) / len(hits), 4) if hits else 0.0


if __name__ == "__main__":
    main()
