"""What a refit computes once per base model, reference people and recipe: statistics of the retain side, directions.

Says which prompts stand for "everybody else" (retain), which ones set the threshold (calibration) and which ones make
the pull. The evaluation splits of the reference (`held_out`, `*_eval`, the test prompts) are never read here. Knows
nothing of tickets, rows or queues.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from services.refit.activation_checks import ActivationCheck, check_activations, check_directions
from services.refit.fitting import PICTURES
from services.refit.steering_vectors import Pulls, folder_digest, pulls
from shared.artifacts.retain_sets import RetainRow, Split, rows_in_split
from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.prepare import IdentityTrainingSet, prepare_identity, prepare_streamed
from shared.erasure.recipe import Recipe
from shared.erasure.schema_versions import ROWS_SCHEMA_VERSION
from shared.evaluation.paper_tasks import by_letter
from shared.evaluation.reference import Reference
from shared.evaluation.synthetic_people import Person
from shared.probes.questions import (
    answers_that_name,
    fact_questions,
    mention_questions,
    picture_prompts,
    visible_questions,
)
from shared.probes.templates import Form
from shared.vlm import capture
from shared.vlm.batching import WINDOW
from shared.vlm.engine import Engine

Progress = Callable[[str], None]
Count = Callable[[int, int], None]  # done, all

CALIBRATION_PICTURES: Final = 6  # of each form
FORMS: Final[tuple[Form, ...]] = ("trained", "test")


def statistics_digest(engine: Engine, reference_folder: Path, recipe: Recipe, retained: str = "") -> str:
    """sha256 (hex) of all that the statistics depend on: site, recipe, every byte of the reference, `Retained.key`."""
    words = f"{ROWS_SCHEMA_VERSION}/{engine.vlm.site.digest}/{recipe.digest}/{folder_digest(reference_folder)}"
    words += f"/{retained}" if retained else ""
    return hashlib.sha256(words.encode()).hexdigest()


def compute_statistics(
    engine: Engine,
    reference: Reference,
    reference_folder: Path,
    recipe: Recipe,
    progress: Progress,
    *,
    own: Sequence[RetainRow] = (),
    count: Count | None = None,
    found: Pulls | None = None,
) -> BaseStatistics:
    """What the gate of `recipe` compares with, and the pulls (method.md, sections 4, 5 and 7).

    `own` are the rows of an operator's own retain set; the pulls are the model's and do not read them, so they may have
    been `found` before. Raises BadInput, saying what is wrong, where nothing can be made of what the model does: NaN,
    no variation, no refusal.
    """
    if found is None:
        progress("finding the pull")
        found = pulls(engine, reference, recipe, reference_folder, count)
    directions, held = found
    check_directions(directions)
    if recipe.gate == "identity":
        progress("reading the retain set")
        seen = what_is_seen(engine, reference, own, count)
        return prepare_identity(recipe, engine.vlm.site, seen, directions=directions, decode_directions=held)
    kept = retain_prompts(reference, own)

    def retain() -> Iterator[Tensor]:
        """The retain set's activations, one window of prompts at a time: they are never all in memory."""
        progress("reading the retain set")
        sound = ActivationCheck("retain")
        for start in range(0, len(kept), WINDOW):
            yield sound.take(capture.activations(engine, kept[start : start + WINDOW]))
            if count is not None:
                count(min(start + WINDOW, len(kept)), len(kept))
        sound.end()

    progress("reading the calibration set")
    calibration, identities = calibration_prompts(reference, own)
    calibrated = capture.activations(engine, calibration, count)
    check_activations("calibration", calibrated)
    return prepare_streamed(
        recipe,
        engine.vlm.site,
        retain=retain,
        calibration=calibrated,
        identities=identities,
        directions=directions,
        decode_directions=held,
    )


def what_is_seen(
    engine: Engine, reference: Reference, own: Sequence[RetainRow] = (), count: Count | None = None
) -> IdentityTrainingSet:
    """Pictures, names and questions of retained people, for the identity gate; calibration people apart from them.

    Prompts of an operator's own set say nothing of who is meant: those for calibration are read, those for the fit not.
    """
    people = [*(_Kept.of(person) for person in _retained(reference)), *_kept(own, "fit")]
    calibration = [*(_Kept.of(person) for person in _calibrating(reference)), *_kept(own, "calibration")]
    faces, names = [], []
    for place, person in enumerate(people):
        if person.subject.photos:
            asked = picture_prompts(person.subject.photos[0], PICTURES, seed=place)
            faces.append(capture.readout(engine, asked).pictures.rows)
        if person.subject.names:
            name = person.subject.names[0]
            for said in (mention_questions(name), answers_that_name(name)):
                names.append(torch.stack([one[-1] for one in capture.mention_states(engine, said, [name] * len(said))]))
        if count is not None:
            count(place + 1, len(people))
    shown = [
        prompt
        for place, person in enumerate(calibration)
        for form in FORMS
        for photo in person.subject.photos[:1]
        for prompt in picture_prompts(photo, CALIBRATION_PICTURES, form=form, seed=place)
    ]
    written = [
        question.prompt
        for person in calibration
        for form in FORMS
        for question in fact_questions(person.subject, form=form, per_fact=1, person=person.id)
        if question.by == "name"
    ]
    named = [
        prompt
        for person in calibration
        for name in person.subject.names[:1]
        for prompt in (*mention_questions(name, seed=1)[::3], *answers_that_name(name)[::3])
    ]
    talk = [Prompt.ask(text) for text in (*reference.general.calibration, *reference.harmful.fit[::4])]
    prompts = [row.prompt for row in rows_in_split(own, "calibration") if row.prompt is not None]
    about = [
        question.prompt
        for person in people
        for question in fact_questions(person.subject, form="trained", per_fact=2, person=person.id)
        if question.prompt.images
    ] + _choices(people, reference)
    beside = [
        question.prompt
        for seed in range(3)
        for person in people
        for photo in person.subject.photos[:1]
        for question in visible_questions(photo, person.visible, person=person.id, seed=seed)
    ]
    seen = IdentityTrainingSet(
        faces=faces,
        names=names,
        pictures=capture.readout(engine, [*shown, *(one for one in prompts if one.images)]).pictures.rows,
        words=capture.readout(engine, [*written, *named, *talk, *(one for one in prompts if not one.images)]).words,
        people=len(calibration),
        facts=capture.activations(engine, about, count),
        harmless=capture.activations(engine, beside, count),
    )
    for name, rows in (("retain", seen.facts), ("retain (pictures)", torch.cat(faces)), ("calibration", seen.pictures)):
        check_activations(name, rows)
    others = {"retain (names)": torch.cat(names) if names else seen.facts[:0],
              "calibration (words)": seen.words.rows, "harmless": seen.harmless}  # fmt: skip
    for name, rows in others.items():
        ActivationCheck(name).take(rows)
    return seen


def _choices(people: Sequence["_Kept"], reference: Reference) -> list[Prompt]:
    """Questions of fact on a picture that are answered by choosing, by a letter, or by filling in: of every fourth."""
    found = [
        question
        for person in people[::4]
        for question in fact_questions(
            person.subject,
            form="trained",
            kinds=("mcq", "cloze"),
            per_fact=1,
            person=person.id,
            options=reference.wrong_answers(person.subject),
        )
        if question.prompt.images
    ]
    return [q.prompt for q in found] + [by_letter(q.prompt) for q in found if q.kind == "mcq"]


@dataclass(frozen=True)
class _Kept:
    """A retained person, of the reference or of an operator's own set."""

    id: str
    subject: Subject
    visible: Mapping[str, str]

    @classmethod
    def of(cls, person: Person) -> "_Kept":
        return cls(person.id, person.subject, person.visible)


def _kept(own: Sequence[RetainRow], split: Split) -> list[_Kept]:
    return [_Kept(row.identity, row.subject, row.visible) for row in rows_in_split(own, split) if row.text is None]


def retain_prompts(reference: Reference, own: Sequence[RetainRow] = ()) -> list[Prompt]:
    """Prompts whose answers must stay: known people, public figures, half of the strangers, pictures, small talk."""
    people = _retained(reference)
    return [
        *_about(people, "trained", per_fact=2),
        *_visible(people),
        *(Prompt.ask(text) for text in reference.general.fit),
        *(prompt for row in rows_in_split(own, "fit") for prompt in _of_row(row, ("trained",), per_fact=2)),
    ]


def _of_row(row: RetainRow, forms: Sequence[Form], *, per_fact: int) -> list[Prompt]:
    """What an operator's own row asks: its prompt, or its person's facts and what is to be seen."""
    if row.prompt is not None:
        return [row.prompt]
    about = [
        question.prompt
        for form in forms
        for question in fact_questions(row.subject, form=form, per_fact=per_fact, person=row.identity)
    ]
    photos = row.subject.photos[:1]
    return about + [q.prompt for photo in photos for q in visible_questions(photo, row.visible, person=row.identity)]


def calibration_prompts(reference: Reference, own: Sequence[RetainRow] = ()) -> tuple[list[Prompt], list[str]]:
    """Prompts of which a stated share may fire, with the identity each speaks of; disjoint from the retain set."""
    people = _calibrating(reference)
    prompts: list[Prompt] = []
    identities: list[str] = []
    for person in people:
        for form in ("trained", "test"):
            about = [q.prompt for q in fact_questions(person.subject, form=form, per_fact=1, person=person.id)]
            prompts += about
            identities += [person.id] * len(about)
        seen = _visible((person,))
        prompts += seen
        identities += [person.id] * len(seen)
    for number, text in enumerate(reference.general.calibration):
        prompts.append(Prompt.ask(text))
        identities.append(f"general-{number}")
    for row in rows_in_split(own, "calibration"):
        asked = _of_row(row, ("trained", "test"), per_fact=1)
        prompts += asked
        identities += [f"own {row.identity}"] * len(asked)
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
