"""What a refit computes once per base model, reference people and recipe: base statistics and steering vectors.

This module says which prompts stand for everybody else (the retain set) and which set the threshold (calibration).
The evaluation splits of the reference (`held_out`, `*_eval`, the test prompts) are never read here. It knows nothing of
tickets, database rows or queues.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, NamedTuple

import torch
from torch import Tensor

from services.refit.activation_checks import ActivationCheck, check_activations, check_directions
from services.refit.fitting import PICTURES
from services.refit.steering_vectors import SteeringVectors, load_or_compute_steering_vectors
from shared.artifacts.retain_sets import RetainRow, rows_in_split
from shared.domain.prompts import Prompt
from shared.domain.splits import Split
from shared.domain.subjects import Subject
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.prepare import IdentityTrainingSet, prepare_identity, prepare_streamed
from shared.erasure.recipe import Recipe
from shared.erasure.schema_versions import ROWS_SCHEMA_VERSION
from shared.evaluation.paper_tasks import by_letter
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference
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

EnterStage = Callable[[str], None]
Count = Callable[[int, int], None]  # done, all

CALIBRATION_PICTURES: Final = 6  # of each form
CALIBRATING_SHARE: Final = 4  # one in so many retained people calibrates a channel where no other person can
FORMS: Final[tuple[Form, ...]] = ("trained", "test")


def statistics_digest(engine: Engine, reference: Reference, recipe: Recipe, retain_key: str = "") -> str:
    """sha256 (hex) of all that the statistics depend on: site, recipe, `Reference.digest`, `RetainSide.key`."""
    text = f"{ROWS_SCHEMA_VERSION}/{engine.vlm.site.digest}/{recipe.digest}/{reference.digest}"
    text += f"/{retain_key}" if retain_key else ""
    return hashlib.sha256(text.encode()).hexdigest()


def compute_statistics(
    engine: Engine,
    reference: Reference,
    recipe: Recipe,
    enter_stage: EnterStage,
    *,
    operator_rows: Sequence[RetainRow] = (),
    count: Count | None = None,
    vectors: SteeringVectors | None = None,
) -> BaseStatistics:
    """What the gate of `recipe` compares with, and the steering vectors (method.md, sections 4, 5 and 7).

    `operator_rows` are the rows of an operator's own retain set. The steering vectors belong to the model and do not
    depend on them; pass `vectors` where they are known already. Raises BadInput, saying what is wrong, where the model
    gives NaN, does not vary, or refuses nothing.
    """
    reference, operator_rows = _readable(engine, reference, operator_rows)
    if vectors is None:
        enter_stage("finding the steering vectors")
        vectors = load_or_compute_steering_vectors(engine, reference, recipe, count)
    check_directions(vectors.last_token)
    if recipe.gate == "identity":
        enter_stage("reading the retain set")
        training_set = identity_training_set(engine, reference, operator_rows, count)
        return prepare_identity(
            recipe, engine.vlm.site, training_set, directions=vectors.last_token, decode_directions=vectors.decode_time
        )
    prompts = retain_prompts(reference, operator_rows)

    def retain() -> Iterator[Tensor]:
        """The retain set's activations, one window of prompts at a time: they are never all in memory."""
        enter_stage("reading the retain set")
        check = ActivationCheck("retain")
        for start in range(0, len(prompts), WINDOW):
            yield check.take(capture.activations(engine, prompts[start : start + WINDOW]))
            if count is not None:
                count(min(start + WINDOW, len(prompts)), len(prompts))
        check.end()

    enter_stage("reading the calibration set")
    calibration = calibration_prompts(reference, operator_rows)
    activations = capture.activations(engine, calibration.prompts, count)
    check_activations("calibration", activations)
    return prepare_streamed(
        recipe,
        engine.vlm.site,
        retain=retain,
        calibration=activations,
        identities=calibration.identities,
        directions=vectors.last_token,
        decode_directions=vectors.decode_time,
    )


def identity_training_set(
    engine: Engine, reference: Reference, operator_rows: Sequence[RetainRow] = (), count: Count | None = None
) -> IdentityTrainingSet:
    """Pictures, names and questions of retained people, for the identity gate; calibration people apart from them.

    Prompts of an operator's own set do not say which person is meant: those for calibration are read, those for the
    fit are not.
    """
    reference, operator_rows = _readable(engine, reference, operator_rows)
    retained = [*map(_RetainedPerson.of, _retained(reference)), *_people_in(operator_rows, "fit")]
    calibrating = [*map(_RetainedPerson.of, _calibrating(reference)), *_people_in(operator_rows, "calibration")]
    by_picture = _channel(retained, calibrating, lambda person: bool(person.subject.photos))
    by_name = _channel(retained, calibrating, lambda person: bool(person.subject.names))
    faces: list[Tensor] = []
    names: list[Tensor] = []
    for number, person in enumerate(retained):
        if person in by_picture.fit:
            faces += _face_activations(engine, person, seed=number)
        if person in by_name.fit:
            names += _name_activations(engine, person)
        if count is not None:
            count(number + 1, len(retained))
    operator_prompts = [row.prompt for row in rows_in_split(operator_rows, "calibration") if row.prompt is not None]
    with_pictures = [prompt for prompt in operator_prompts if prompt.images]
    without_pictures = [prompt for prompt in operator_prompts if not prompt.images]
    small_talk = [Prompt.ask(text) for text in (*reference.general.calibration, *reference.harmful.fit[::4])]
    pictures = [*_calibration_pictures(by_picture.calibration), *with_pictures]
    texts = [*_calibration_texts(by_name.calibration), *small_talk, *without_pictures]
    training_set = IdentityTrainingSet(
        faces=faces,
        names=names,
        pictures=capture.readout(engine, pictures).pictures.rows,
        words=capture.readout(engine, texts).words,
        people=len({*by_picture.calibration, *by_name.calibration}),
        facts=capture.activations(engine, _fact_prompts_with_picture(retained, reference), count),
        harmless=capture.activations(engine, _visible_prompts(retained), count),
    )
    _check_training_set(training_set)
    return training_set


def retain_prompts(reference: Reference, operator_rows: Sequence[RetainRow] = ()) -> list[Prompt]:
    """Prompts whose answers must stay: known people, public figures, half of the strangers, pictures, small talk."""
    people = _retained(reference)
    return [
        *(
            question.prompt
            for person in people
            for question in fact_questions(person.subject, form="trained", per_fact=2, person=person.id)
        ),
        *_what_is_visible(people),
        *(Prompt.ask(text) for text in reference.general.fit),
        *(prompt for row in rows_in_split(operator_rows, "fit") for prompt in _of_row(row, ("trained",), per_fact=2)),
    ]


@dataclass(frozen=True)
class CalibrationPrompts:
    """Prompts of which a stated share may fire, and the identity that each of them is about, in the same order."""

    prompts: list[Prompt]
    identities: list[str]


def calibration_prompts(reference: Reference, operator_rows: Sequence[RetainRow] = ()) -> CalibrationPrompts:
    """The calibration set; its identities are disjoint from those of the retain set."""
    pairs: list[tuple[Prompt, str]] = []
    for person in _calibrating(reference):
        for form in FORMS:
            questions = fact_questions(person.subject, form=form, per_fact=1, person=person.id)
            pairs += [(question.prompt, person.id) for question in questions]
        pairs += [(prompt, person.id) for prompt in _what_is_visible((person,))]
    pairs += [(Prompt.ask(text), f"general-{number}") for number, text in enumerate(reference.general.calibration)]
    for row in rows_in_split(operator_rows, "calibration"):
        pairs += [(prompt, f"own {row.identity}") for prompt in _of_row(row, FORMS, per_fact=1)]
    return CalibrationPrompts([prompt for prompt, _ in pairs], [identity for _, identity in pairs])


@dataclass(frozen=True, eq=False)
class _RetainedPerson:
    """A retained person, of the reference or of an operator's own set; equal to nobody else, as photographs are not."""

    id: str
    subject: Subject
    visible: Mapping[str, str]

    @classmethod
    def of(cls, person: Person) -> "_RetainedPerson":
        return cls(person.id, person.subject, person.visible)


def _readable(
    engine: Engine, reference: Reference, operator_rows: Sequence[RetainRow]
) -> tuple[Reference, tuple[RetainRow, ...]]:
    """The same people and prompts without what the model cannot read: pictures, where it is a text-only model."""
    if engine.reads_pictures:
        return reference, tuple(operator_rows)
    people = tuple(replace(person, subject=engine.readable(person.subject)) for person in reference.people)
    return replace(reference, people=people), tuple(
        replace(row, subject=engine.readable(row.subject))
        for row in operator_rows
        if row.prompt is None or not row.prompt.images
    )


class _Channel(NamedTuple):
    """Who takes part in the fit and in the calibration of what is read at pictures, or at names."""

    fit: list[_RetainedPerson]
    calibration: list[_RetainedPerson]


def _channel(
    retained: list[_RetainedPerson],
    calibrating: list[_RetainedPerson],
    has_part: Callable[[_RetainedPerson], bool],
) -> _Channel:
    """Everybody as they are, unless nobody who calibrates `has_part` (a picture, or a name).

    Then one in CALIBRATING_SHARE of the retained people who have it calibrates and takes no part in the fit: a
    threshold that was set on nobody would mean nothing.
    """
    if any(map(has_part, calibrating)):
        return _Channel(retained, calibrating)
    moved = list(filter(has_part, retained))[CALIBRATING_SHARE - 1 :: CALIBRATING_SHARE]
    return _Channel([person for person in retained if person not in moved], [*calibrating, *moved])


def _people_in(operator_rows: Sequence[RetainRow], split: Split) -> list[_RetainedPerson]:
    return [
        _RetainedPerson(row.identity, row.subject, row.visible)
        for row in rows_in_split(operator_rows, split)
        if row.text is None
    ]


def _retained(reference: Reference) -> tuple[Person, ...]:
    return (*reference.of("retain_fit"), *reference.of("celebrity_fit"), *reference.of("stranger_fit")[::2])


def _calibrating(reference: Reference) -> tuple[Person, ...]:
    return (*reference.of("calibration"), *reference.of("stranger_fit")[1::2])


def _face_activations(engine: Engine, person: _RetainedPerson, seed: int) -> list[Tensor]:
    """One group [n, L, d] of the person's first photograph in several changes; none for a person without one."""
    if not person.subject.photos:
        return []
    return [capture.readout(engine, picture_prompts(person.subject.photos[0], PICTURES, seed=seed)).pictures.rows]


def _name_activations(engine: Engine, person: _RetainedPerson) -> list[Tensor]:
    """Two groups [n, L, d] of the name's last token: in questions and in answers; none for a person without one."""
    if not person.subject.names:
        return []
    name = person.subject.names[0]
    return [
        torch.stack([tokens[-1] for tokens in capture.mention_states(engine, prompts, [name] * len(prompts))])
        for prompts in (mention_questions(name), answers_that_name(name))
    ]


def _calibration_pictures(people: Sequence[_RetainedPerson]) -> list[Prompt]:
    return [
        prompt
        for number, person in enumerate(people)
        for form in FORMS
        for photo in person.subject.photos[:1]
        for prompt in picture_prompts(photo, CALIBRATION_PICTURES, form=form, seed=number)
    ]


def _calibration_texts(people: Sequence[_RetainedPerson]) -> list[Prompt]:
    """Questions of fact by name, and every third prompt that merely mentions the name."""
    questions = [
        question.prompt
        for person in people
        for form in FORMS
        for question in fact_questions(person.subject, form=form, per_fact=1, person=person.id)
        if question.by == "name"
    ]
    mentions = [
        prompt
        for person in people
        for name in person.subject.names[:1]
        for prompt in (*mention_questions(name, seed=1)[::3], *answers_that_name(name)[::3])
    ]
    return questions + mentions


def _fact_prompts_with_picture(people: Sequence[_RetainedPerson], reference: Reference) -> list[Prompt]:
    """Questions of fact on a picture; of every fourth person also as a choice, by letter, and as a gap to fill in."""
    open_questions = [
        question.prompt
        for person in people
        for question in fact_questions(person.subject, form="trained", per_fact=2, person=person.id)
        if question.prompt.images
    ]
    closed_questions = [
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
    letters = [by_letter(question.prompt) for question in closed_questions if question.kind == "mcq"]
    return [*open_questions, *(question.prompt for question in closed_questions), *letters]


def _visible_prompts(people: Sequence[_RetainedPerson]) -> list[Prompt]:
    """Harmless questions about what anybody can see in the people's photographs."""
    return [
        question.prompt
        for seed in range(3)
        for person in people
        for photo in person.subject.photos[:1]
        for question in visible_questions(photo, person.visible, person=person.id, seed=seed)
    ]


def _what_is_visible(people: Sequence[Person]) -> list[Prompt]:
    return [
        question.prompt
        for person in people
        for photo in person.subject.photos[:1]
        for question in visible_questions(photo, person.visible, person=person.id, seed=0)
    ]


def _of_row(row: RetainRow, forms: Sequence[Form], *, per_fact: int) -> list[Prompt]:
    """What a row of an operator's set asks: its prompt, or its person's facts and what the photograph shows."""
    if row.prompt is not None:
        return [row.prompt]
    facts = [fact_questions(row.subject, form=form, per_fact=per_fact, person=row.identity) for form in forms]
    visible = [visible_questions(photo, row.visible, person=row.identity) for photo in row.subject.photos[:1]]
    return [question.prompt for question in chain(*facts, *visible)]


def _check_training_set(training_set: IdentityTrainingSet) -> None:
    """Raise BadInput for NaN or infinity anywhere, and for pictures, names or facts that do not vary."""
    varying = {
        "retain": training_set.facts,
        "retain (pictures)": torch.cat(list(training_set.faces)) if training_set.faces else None,
        "calibration": training_set.pictures,
        "retain (names)": torch.cat(list(training_set.names)) if training_set.names else None,
    }
    for name, activations in varying.items():
        if activations is not None and activations.shape[0]:
            check_activations(name, activations)
    ActivationCheck("calibration (words)").take(training_set.words.rows)
    ActivationCheck("harmless").take(training_set.harmless)
