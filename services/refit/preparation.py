"""What a refit computes once per base model, reference people and recipe: statistics of the retain side, directions.

Says which prompts stand for "everybody else" (retain), which ones set the threshold (calibration) and which ones make
the pull. The evaluation splits of the reference (`held_out`, `*_eval`, the test prompts) are never read here. Knows
nothing of tickets, rows or queues.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from services.refit.fitting import PICTURES
from services.refit.pulls import folder_digest, pulls
from shared.bench.reference import Person, Reference
from shared.erasure.recipe import Recipe
from shared.erasure.statistics import BaseStatistics, Seen, prepare_identity, prepare_streamed
from shared.probes.expand import (
    Form,
    fact_questions,
    mention_questions,
    picture_prompts,
    visible_questions,
)
from shared.prompt import Prompt
from shared.vlm.engine import WINDOW, Engine

Progress = Callable[[str], None]
CALIBRATION_PICTURES: Final = 6  # of each form
FORMS: Final[tuple[Form, ...]] = ("trained", "test")


def statistics_digest(engine: Engine, reference_folder: Path, recipe: Recipe) -> str:
    """sha256 (hex) of everything the statistics depend on: the site, the recipe, every byte of the reference."""
    words = f"{engine.vlm.site.digest}/{recipe.digest}/{folder_digest(reference_folder)}"
    return hashlib.sha256(words.encode()).hexdigest()


def compute_statistics(
    engine: Engine, reference: Reference, reference_folder: Path, recipe: Recipe, progress: Progress
) -> BaseStatistics:
    """What the gate of `recipe` compares with, and the pulls (method.md, sections 4, 5 and 7)."""
    progress("finding the pull")
    directions, held = pulls(engine, reference, recipe, reference_folder)
    if recipe.gate == "identity":
        progress("reading the retain set")
        seen = what_is_seen(engine, reference)
        return prepare_identity(recipe, engine.vlm.site, seen, directions=directions, held=held)
    kept = retain_prompts(reference)

    def retain() -> Iterator[Tensor]:
        """The retain set's activations, one window of prompts at a time: they are never all in memory."""
        progress("reading the retain set")
        for start in range(0, len(kept), WINDOW):
            yield engine.activations(kept[start : start + WINDOW])

    progress("reading the calibration set")
    calibration, identities = calibration_prompts(reference)
    return prepare_streamed(
        recipe,
        engine.vlm.site,
        retain=retain,
        calibration=engine.activations(calibration),
        identities=identities,
        directions=directions,
        held=held,
    )


def what_is_seen(engine: Engine, reference: Reference) -> Seen:
    """Pictures, names and questions of retained people, for the identity gate; calibration people apart from them."""
    people = _retained(reference)
    calibration = _calibrating(reference)
    faces = [
        engine.evidence(picture_prompts(person.subject.photos[0], PICTURES, seed=place)).pictures.rows
        for place, person in enumerate(people)
    ]
    names = []
    for name in (person.subject.names[0] for person in people):
        asked = mention_questions(name)
        names.append(torch.stack([said[-1] for said in engine.mentions(asked, [name] * len(asked))]))
    shown = [
        prompt
        for place, person in enumerate(calibration)
        for form in FORMS
        for prompt in picture_prompts(person.subject.photos[0], CALIBRATION_PICTURES, form=form, seed=place)
    ]
    written = [
        question.prompt
        for person in calibration
        for form in FORMS
        for question in fact_questions(person.subject, form=form, per_fact=1, person=person.id)
        if question.by == "name"
    ]
    talk = [Prompt.ask(text) for text in reference.general.calibration]
    return Seen(
        faces=faces,
        names=names,
        pictures=engine.evidence(shown).pictures.rows,
        words=engine.evidence([*written, *talk]).words,
        people=len(calibration),
        facts=engine.activations([prompt for prompt in _about(people, "trained", per_fact=2) if prompt.images]),
        harmless=engine.activations([prompt for seed in range(3) for prompt in _visible(people, seed)]),
    )


def retain_prompts(reference: Reference) -> list[Prompt]:
    """Prompts whose answers must stay: known people, public figures, half of the strangers, pictures, small talk."""
    people = _retained(reference)
    return [*_about(people, "trained", per_fact=2), *_visible(people), *(Prompt.ask(t) for t in reference.general.fit)]


def calibration_prompts(reference: Reference) -> tuple[list[Prompt], list[str]]:
    """Prompts of which a stated share may fire, with the identity each speaks of; disjoint from the retain set."""
    people = _calibrating(reference)
    prompts: list[Prompt] = []
    identities: list[str] = []
    for person in people:
        for form in ("trained", "test"):
            own = [q.prompt for q in fact_questions(person.subject, form=form, per_fact=1, person=person.id)]
            prompts += own
            identities += [person.id] * len(own)
        seen = _visible((person,))
        prompts += seen
        identities += [person.id] * len(seen)
    for number, text in enumerate(reference.general.calibration):
        prompts.append(Prompt.ask(text))
        identities.append(f"general-{number}")
    return prompts, identities


def _retained(reference: Reference) -> tuple[Person, ...]:
    return (*reference.of("retain_fit"), *reference.of("celebrity_fit"), *reference.of("stranger_fit")[::2])


def _calibrating(reference: Reference) -> tuple[Person, ...]:
    return (*reference.of("calibration"), *reference.of("stranger_fit")[1::2])


def _about(people: Sequence[Person], form: Form, *, per_fact: int) -> list[Prompt]:
    return [
        question.prompt
        for person in people
        for question in fact_questions(person.subject, form=form, per_fact=per_fact, person=person.id)
    ]


def _visible(people: Sequence[Person], seed: int = 0) -> list[Prompt]:
    return [
        question.prompt
        for person in people
        for question in visible_questions(person.subject.photos[0], person.visible, person=person.id, seed=seed)
    ]
