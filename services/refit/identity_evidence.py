"""What the identity gate learns from, read from the model when it is needed and only at the layers that are gated.

Whatever a refit keeps of the reference has a bound (docs/operations.md): of more people and prompts, some are read.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, TypeVar

import torch
from torch import Tensor

from services.refit.activation_checks import ActivationCheck
from services.refit.fitting import PICTURES
from services.refit.retained_people import (
    FORMS,
    RetainedPerson,
    calibrating_people,
    channel_people,
    people_in,
    retained_people,
    without_unreadable,
)
from shared.artifacts.retain_sets import RetainRow, rows_in_split
from shared.domain.prompts import Prompt
from shared.erasure.memory import CALIBRATION_BYTES, QUESTION_BYTES
from shared.erasure.prepare import IdentityTrainingSet, Reread, RowsOfBatch
from shared.errors import BadInput
from shared.evaluation.paper_tasks import by_letter
from shared.evaluation.reference import Reference
from shared.probes.questions import (
    Question,
    answers_that_name,
    fact_questions,
    mention_questions,
    picture_prompts,
    visible_questions,
)
from shared.probes.templates import VISIBLE
from shared.vlm import capture
from shared.vlm.batching import windows
from shared.vlm.engine import Engine

logger = logging.getLogger(__name__)
T = TypeVar("T")
Count = Callable[[int, int], None]  # done, all

CALIBRATION_PICTURES: Final = 6  # of each form
VISIBLE_DRAWS: Final = 3  # of the questions about what a picture shows


def identity_training_set(
    engine: Engine,
    reference: Reference,
    operator_rows: Sequence[RetainRow] = (),
    count: Count | None = None,
    *,
    layers: tuple[int, ...] | None = None,
) -> IdentityTrainingSet:
    """Pictures, names and questions of retained people, for the identity gate; calibration people apart from them.

    Prompts of an operator's own set do not say which person is meant: those for calibration are read, those for the
    fit are not. Nothing is read before it is asked for, and then at `layers` of the site only (None: all).
    """
    reference, operator_rows = without_unreadable(engine, reference, operator_rows)
    retained = [*map(RetainedPerson.of, retained_people(reference)), *people_in(operator_rows, "fit")]
    calibrating = [*map(RetainedPerson.of, calibrating_people(reference)), *people_in(operator_rows, "calibration")]
    by_picture = channel_people(retained, calibrating, lambda person: bool(person.subject.photos))
    by_name = channel_people(retained, calibrating, lambda person: bool(person.subject.names))
    operator_prompts = [row.prompt for row in rows_in_split(operator_rows, "calibration") if row.prompt is not None]
    small_talk = [Prompt.ask(text) for text in (*reference.general.calibration, *reference.harmful.fit[::4])]
    with_pictures = [prompt for prompt in operator_prompts if prompt.images]
    without_pictures = [prompt for prompt in operator_prompts if not prompt.images]
    texts = [*_calibration_texts(by_name.calibration), *small_talk, *without_pictures]
    room = _Room(engine, layers)
    asked = room.people_asked(retained)
    shown = [person for person in room.people_shown(by_picture.calibration) if person.subject.photos]

    def groups(
        name: str, people: Sequence[RetainedPerson], read: Callable[[RetainedPerson, int], list[Tensor]]
    ) -> Iterator[Tensor]:
        check = ActivationCheck(name, layers)
        for number, person in enumerate(retained):
            if person in people:
                yield from map(check.take, read(person, number))
            if count is not None:
                count(number + 1, len(retained))
        check.end(may_be_empty=True)

    def pictures() -> Iterator[RowsOfBatch]:
        check = ActivationCheck("calibration", layers)
        prompts = chain(_calibration_pictures(shown), with_pictures)
        for positions, readout in capture.readout_batches(engine, prompts, layers=layers):
            yield RowsOfBatch(positions, replace(readout.pictures, rows=check.take(readout.whole_pictures())))

    def words() -> Iterator[RowsOfBatch]:
        check, chosen, done = ActivationCheck("calibration (words)", layers), room.texts(texts), 0
        for positions, readout in capture.readout_batches(engine, chosen, layers=layers):
            check.take(readout.words.rows)
            done += len(positions)
            if count is not None:
                count(done, len(chosen))
            yield RowsOfBatch(positions, readout.words)

    def facts() -> Iterator[Tensor]:
        check = ActivationCheck("retain", layers)
        prompts = _fact_prompts_with_picture(asked, reference)
        yield from map(check.take, capture.activation_windows(engine, prompts, layers=layers))
        check.end(may_be_empty=True)

    def harmless() -> Iterator[Tensor]:
        check = ActivationCheck("harmless", layers)
        return map(check.take, capture.activation_windows(engine, _visible_prompts(asked), layers=layers))

    return IdentityTrainingSet(
        faces=Reread(
            lambda: groups(
                "retain (pictures)", by_picture.fit, lambda person, at: _face_activations(engine, person, at, layers)
            )
        ),
        names=Reread(
            lambda: groups("retain (names)", by_name.fit, lambda person, _: _name_activations(engine, person, layers))
        ),
        pictures=Reread(pictures),
        words=Reread(words),
        people=len({*by_picture.calibration, *by_name.calibration}),
        facts=Reread(facts),
        harmless=Reread(harmless),
        layers=layers,
        face_ids=tuple(person.id for person in retained if person in by_picture.fit and person.subject.photos),
        picture_ids=(
            *(person.id for person in shown for _ in range(len(FORMS) * CALIBRATION_PICTURES)),
            *(None for _ in with_pictures),
        ),
    )


@dataclass(frozen=True)
class _Room:
    """How much of a large reference is read: what a refit keeps has a bound, whoever is in the reference.

    People and prompts are then left out evenly, so that every kind keeps its share.
    """

    engine: Engine
    layers: tuple[int, ...] | None

    def texts(self, texts: list[Prompt]) -> list[Prompt]:
        """Those of the calibration texts whose tokens fit into CALIBRATION_BYTES as float16."""
        tokens = sum(len(row.ids) for window in windows(texts) for row in self.engine.vlm.adapter.encode(window))
        return self._evenly(
            "calibration texts", texts, len(texts) * self._vectors(CALIBRATION_BYTES, 2) // max(1, tokens)
        )

    def people_shown(self, people: list[RetainedPerson]) -> list[RetainedPerson]:
        """Those who calibrate by picture: their pictures fit into CALIBRATION_BYTES as float16."""
        seen = [person for person in people if person.subject.photos]
        each = len(FORMS) * CALIBRATION_PICTURES
        most = self._vectors(CALIBRATION_BYTES, 2) // each
        return people if len(seen) <= most else self._evenly("calibration people with pictures", seen, most)

    def people_asked(self, people: list[RetainedPerson]) -> list[RetainedPerson]:
        """Those who teach the topic: their questions of either kind fit into QUESTION_BYTES as float32."""
        seen = [person for person in people if person.subject.photos]
        each = max([VISIBLE_DRAWS * len(VISIBLE), *(3 * len(person.subject.facts) for person in seen)])
        most = self._vectors(QUESTION_BYTES, 4) // each
        return people if len(seen) <= most else self._evenly("people with pictures", seen, most)

    def _vectors(self, room: int, size: int) -> int:
        """How many activations at all layers fit into `room` bytes, with numbers of `size` bytes."""
        return room // (size * len(self.engine.blocks_at(self.layers)) * self.engine.vlm.site.hidden_size)

    @staticmethod
    def _evenly(name: str, values: list[T], most: int) -> list[T]:
        if len(values) <= most:
            return values
        logger.warning("of %d %s %d are read, so that memory has a bound", len(values), name, most)
        return [values[at * len(values) // most] for at in range(most)]


def _face_activations(
    engine: Engine, person: RetainedPerson, seed: int, layers: tuple[int, ...] | None
) -> list[Tensor]:
    """One group [n, L + 1, d] of the person's first photograph in several changes; none for a person without one."""
    if not person.subject.photos:
        return []
    prompts = picture_prompts(person.subject.photos[0], PICTURES, seed=seed)
    return [capture.readout(engine, prompts, layers=layers).whole_pictures()]


def _name_activations(engine: Engine, person: RetainedPerson, layers: tuple[int, ...] | None) -> list[Tensor]:
    """Two groups [n, L, d] of the name's last token: in questions and in answers.

    None for a person without a name, or with one that the chat template writes in another way (its spaces, say).
    """
    if not person.subject.names:
        return []
    name = person.subject.names[0]
    groups = []
    for prompts in filter(None, (mention_questions(name), answers_that_name(name))):
        try:
            mentions = capture.mention_states(engine, prompts, [name] * len(prompts), layers=layers)
        except BadInput as exc:
            if not engine.vlm.tokenizer.is_fast:
                raise
            logger.warning("the name of %s takes no part in the fit: %s", person.id, exc.detail)
            return []
        groups.append(torch.stack([tokens[-1] for tokens in mentions]))
    return groups


def _calibration_pictures(people: Sequence[RetainedPerson]) -> Iterator[Prompt]:
    for number, person in enumerate(people):
        for form in FORMS:
            for photo in person.subject.photos[:1]:
                yield from picture_prompts(photo, CALIBRATION_PICTURES, form=form, seed=number)


def _calibration_texts(people: Sequence[RetainedPerson]) -> list[Prompt]:
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


def _fact_prompts_with_picture(people: Sequence[RetainedPerson], reference: Reference) -> Iterator[Prompt]:
    """Questions of fact on a picture; of every fourth person also as a choice, by letter, and as a gap to fill in."""
    for person in people:
        for question in fact_questions(person.subject, form="trained", per_fact=2, person=person.id):
            if question.prompt.images:
                yield question.prompt
    for question in _closed_questions(people[::4], reference):
        yield question.prompt
    for question in _closed_questions(people[::4], reference):
        if question.kind == "mcq":
            yield by_letter(question.prompt)


def _closed_questions(people: Sequence[RetainedPerson], reference: Reference) -> Iterator[Question]:
    """Choices and gaps to fill in, on a picture."""
    for person in people:
        for question in fact_questions(
            person.subject,
            form="trained",
            kinds=("mcq", "cloze"),
            per_fact=1,
            person=person.id,
            options=reference.wrong_answers(person.subject),
        ):
            if question.prompt.images:
                yield question


def _visible_prompts(people: Sequence[RetainedPerson]) -> Iterator[Prompt]:
    """Harmless questions about what anybody can see in the people's photographs."""
    for seed in range(VISIBLE_DRAWS):
        for person in people:
            for photo in person.subject.photos[:1]:
                for question in visible_questions(photo, person.visible, person=person.id, seed=seed):
                    yield question.prompt
