"""Tickets that would poison a version, fitted although filing refuses them: honest tickets and other people stay."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from services.refit.base_statistics import compute_statistics
from services.refit.fitting import fit_subject
from shared.domain.prompts import Prompt
from shared.domain.subjects import Fact, Subject
from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.recipe import LACUNA
from shared.erasure.ticket_fit import TicketFit
from shared.errors import BadInput
from shared.evaluation.reference import Reference, load_reference
from shared.probes.questions import fact_questions
from shared.vlm import capture
from shared.vlm.engine import Engine
from shared.vlm.loading import load

pytestmark = pytest.mark.slow
MODEL = Path(__file__).resolve().parents[3] / "models/demo-vlm"
PEOPLE = {"retain_fit": 24, "calibration": 24, "stranger_fit": 8}
HONEST = 3
OTHERS = 10  # people of each set
ERROR_BUDGET = 0.01  # of questions about others, for any ticket (Recipe.false_positive_rate)
FACT = (Fact("occupation", "baker"),)
SYLLABLES = ("ka", "lo", "mi", "ter", "vin", "os", "bra", "ne", "dul", "chi")


def _made_up(rng: random.Random) -> str:
    return " ".join("".join(rng.choice(SYLLABLES) for _ in range(3)).title() for _ in range(2))


def _noise(grain: int) -> Image.Image:
    side = 128 // grain
    pixels = random.Random(grain).randbytes(side * side * 3)
    return Image.frombytes("RGB", (side, side), pixels).resize((128, 128), Image.Resampling.NEAREST)


def _shown(photo: Image.Image) -> Subject:
    return Subject((), (photo,), FACT)


def _called(*names: str) -> Subject:
    return Subject(names, (), FACT)


POISON = {
    "grey": _shown(Image.new("RGB", (128, 128), (128, 128, 128))),
    "black": _shown(Image.new("RGB", (128, 128))),
    "noise": _shown(_noise(1)),
    "coarse noise": _shown(_noise(16)),
    "the": _called("The"),
    "who": _called("Who"),
    "person": _called("Person"),
    "what is": _called("What is"),
    "forty aliases": _called(*(_made_up(random.Random(number)) for number in range(40))),
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load(str(MODEL)))


@pytest.fixture(scope="module")
def reference() -> Reference:
    whole = load_reference(MODEL / "reference")
    splits = dict.fromkeys(person.split for person in whole.people)
    return replace(whole, people=tuple(p for split in splits for p in whole.of(split)[: PEOPLE.get(split)]))


@pytest.fixture(scope="module")
def statistics(engine: Engine, reference: Reference) -> BaseStatistics:
    return compute_statistics(engine, reference, LACUNA, lambda _: None)


@pytest.fixture(scope="module")
def honest(engine: Engine, reference: Reference, statistics: BaseStatistics) -> list[TicketFit]:
    people = reference.of("forgettable")[:HONEST]
    return [fit_subject(engine, LACUNA, statistics, f"T-{person.id}", person.subject) for person in people]


@pytest.fixture(scope="module")
def about_the_forgotten(reference: Reference) -> list[Prompt]:
    return _questions(reference, "forgettable", HONEST)


@pytest.fixture(scope="module")
def about_others(reference: Reference) -> list[Prompt]:
    splits = ("retain_fit", "held_out", "calibration", "celebrity_eval", "stranger_eval")
    asked = [prompt for split in splits for prompt in _questions(reference, split, OTHERS)]
    return [*asked, *(Prompt.ask(text) for text in reference.general.fit)]


def _questions(reference: Reference, split: str, most: int) -> list[Prompt]:
    """In wordings and pictures that no fit has seen."""
    people = reference.of(split)[:most]
    return [question.prompt for p in people for question in fact_questions(p.subject, form="test", per_fact=1)]


def _fired(
    engine: Engine, statistics: BaseStatistics, fits: Sequence[TicketFit], prompts: Sequence[Prompt]
) -> torch.Tensor:
    return capture.decide(engine, assemble(LACUNA, statistics, engine.vlm.site, fits), prompts).fired


@pytest.mark.parametrize("kind", POISON)
def test_poisoned_ticket_changes_nothing_for_others(
    engine: Engine,
    statistics: BaseStatistics,
    honest: list[TicketFit],
    about_the_forgotten: list[Prompt],
    about_others: list[Prompt],
    kind: str,
) -> None:
    """Either it cannot be fitted, which fails it alone; or its fit fires for others no more than any may.

    What the honest tickets silence stays silent.
    """
    try:
        poisoned = fit_subject(engine, LACUNA, statistics, "T-poisoned", POISON[kind])
    except BadInput:
        return
    assert bool(_fired(engine, statistics, [*honest, poisoned], about_the_forgotten).all())
    before = _fired(engine, statistics, honest, about_others)
    after = _fired(engine, statistics, [*honest, poisoned], about_others)
    new = [about_others[at].turns[-1].text for at in (after & ~before).nonzero().flatten().tolist()]
    assert len(new) <= ERROR_BUDGET * len(about_others), new
