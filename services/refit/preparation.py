"""What a refit computes once per base model, reference people and recipe: statistics of the retain side, directions.

Says which prompts stand for "everybody else" (retain), which ones set the threshold (calibration) and which ones make
the pull. The evaluation splits of the reference (`held_out`, `*_eval`, the test prompts) are never read here. Knows
nothing of tickets, rows or queues.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from torch import Tensor

from shared.bench.reference import Person, Reference
from shared.erasure.recipe import Recipe
from shared.erasure.statistics import BaseStatistics, prepare_streamed
from shared.probes.expand import Form, fact_questions, visible_questions
from shared.prompt import Prompt
from shared.vlm.directions import closed_form_direction, refined_direction
from shared.vlm.engine import WINDOW, Engine

Progress = Callable[[str], None]
DIRECTION_PAIRS: Final = 32


def statistics_digest(engine: Engine, reference_folder: Path, recipe: Recipe) -> str:
    """sha256 (hex) of everything the statistics depend on: the site, the recipe, every byte of the reference."""
    digest = hashlib.sha256(f"{engine.vlm.site.digest}/{recipe.digest}".encode())
    for path in sorted(reference_folder.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(reference_folder)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def compute_statistics(engine: Engine, reference: Reference, recipe: Recipe, progress: Progress) -> BaseStatistics:
    """Retain moments, whitener, calibration and directions of `recipe` (method.md, sections 4, 5 and 7)."""
    kept = retain_prompts(reference)

    def retain() -> Iterator[Tensor]:
        """The retain set's activations, one window of prompts at a time: they are never all in memory."""
        progress("reading the retain set")
        for start in range(0, len(kept), WINDOW):
            yield engine.activations(kept[start : start + WINDOW])

    progress("reading the calibration set")
    calibration, identities = calibration_prompts(reference)
    calibrated = engine.activations(calibration)
    progress("finding the pull")
    directions = (_closed if recipe.direction == "closed" else _refined)(engine, reference, recipe)
    return prepare_streamed(
        recipe, engine.vlm.site, retain=retain, calibration=calibrated, identities=identities, directions=directions
    )


def _closed(engine: Engine, reference: Reference, recipe: Recipe) -> Tensor:
    """The paper's pairs: a harmful request with a clean picture, and under a jailbreak with an attacked one."""
    photos = [person.subject.photos[0] for person in reference.of("stranger_fit")]
    wrappings = reference.harmful.jailbreaks
    requests = reference.harmful.fit[:: max(1, len(reference.harmful.fit) // DIRECTION_PAIRS)][:DIRECTION_PAIRS]
    refused = [Prompt.ask(text, photos[i % len(photos)]) for i, text in enumerate(requests)]
    jailbroken = [
        Prompt.ask(wrappings[i % len(wrappings)].format(request=text), photos[i % len(photos)])
        for i, text in enumerate(requests)
    ]
    return closed_form_direction(
        engine, refused, jailbroken, recipe, refusal=reference.refusal, compliance=reference.compliance
    )


def _refined(engine: Engine, reference: Reference, recipe: Recipe) -> Tensor:
    """From known people towards strangers, of whom the model says that it does not know them."""
    known = _about(reference.of("retain_fit"), "trained", per_fact=1)
    unknown = _about(reference.of("stranger_fit"), "trained", per_fact=1)
    return refined_direction(engine, known, unknown, reference.unknown_answer, recipe)


def retain_prompts(reference: Reference) -> list[Prompt]:
    """Prompts whose answers must stay: known people, public figures, half of the strangers, pictures, small talk."""
    people = (*reference.of("retain_fit"), *reference.of("celebrity_fit"), *reference.of("stranger_fit")[::2])
    return [*_about(people, "trained", per_fact=2), *_visible(people), *(Prompt.ask(t) for t in reference.general.fit)]


def calibration_prompts(reference: Reference) -> tuple[list[Prompt], list[str]]:
    """Prompts of which a stated share may fire, with the identity each speaks of; disjoint from the retain set."""
    people = (*reference.of("calibration"), *reference.of("stranger_fit")[1::2])
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


def _about(people: Sequence[Person], form: Form, *, per_fact: int) -> list[Prompt]:
    return [
        question.prompt
        for person in people
        for question in fact_questions(person.subject, form=form, per_fact=per_fact, person=person.id)
    ]


def _visible(people: Sequence[Person]) -> list[Prompt]:
    return [
        question.prompt
        for person in people
        for question in visible_questions(person.subject.photos[0], person.visible, person=person.id)
    ]
