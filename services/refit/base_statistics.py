"""What a refit computes once per base model, reference people and recipe: base statistics and steering vectors.

This module says which prompts stand for everybody else (the retain set) and which set the threshold (calibration).
The evaluation splits of the reference (`held_out`, `*_eval`, the test prompts) are never read here. It knows nothing of
tickets, database rows or queues.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from torch import Tensor

from services.refit.activation_checks import ActivationCheck, check_activations, check_directions
from services.refit.identity_evidence import identity_training_set
from services.refit.release import release_bounds
from services.refit.retained_people import FORMS, calibrating_people, retained_people, without_unreadable
from services.refit.steering_vectors import SteeringVectors, load_or_compute_steering_vectors
from shared.artifacts.retain_sets import RetainRow, rows_in_split
from shared.domain.prompts import Prompt
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import LAST_RESORT
from shared.erasure.prepare import gated_layers, prepare_identity, prepare_streamed
from shared.erasure.recipe import Recipe
from shared.erasure.schema_versions import ROWS_SCHEMA_VERSION
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference
from shared.probes.questions import fact_questions, visible_questions
from shared.probes.templates import Form
from shared.vlm import capture
from shared.vlm.batching import WINDOW
from shared.vlm.engine import Engine

EnterStage = Callable[[str], None]
Count = Callable[[int, int], None]  # done, all


def statistics_digest(engine: Engine, reference: Reference, recipe: Recipe, retain_key: str = "") -> str:
    """sha256 (hex) of all that the statistics depend on: site, recipe, `Reference.digest`, `RetainSide.key`."""
    text = f"{ROWS_SCHEMA_VERSION}/{engine.vlm.site.digest}/{recipe.digest}/{reference.digest}"
    text += f"/{retain_key}" if retain_key else ""
    if recipe.gate == "identity" and engine.reads_pictures:
        text += "/pictures at the input"  # which statistics and fits made before this reader do not hold
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
    reference, operator_rows = without_unreadable(engine, reference, operator_rows)
    if vectors is None:
        enter_stage("finding the steering vectors")
        vectors = load_or_compute_steering_vectors(engine, reference, recipe, count)
    check_directions(vectors.last_token)
    if recipe.gate == "identity":
        enter_stage("reading the retain set")
        layers = gated_layers(recipe, engine.vlm.site)
        training_set = identity_training_set(engine, reference, operator_rows, count, layers=layers)
        statistics = prepare_identity(
            recipe, engine.vlm.site, training_set, directions=vectors.last_token, decode_directions=vectors.decode_time
        )
        if recipe.counterfactual:
            enter_stage("measuring how sure the model is of its answers")
            bounds = release_bounds(engine, reference, count)
            sentence = reference.unknown_answer or LAST_RESORT
            statistics = replace(statistics, release=bounds, last_resort=sentence)
        return statistics
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


def retain_prompts(reference: Reference, operator_rows: Sequence[RetainRow] = ()) -> list[Prompt]:
    """Prompts whose answers must stay: known people, public figures, half of the strangers, pictures, small talk."""
    people = retained_people(reference)
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
    for person in calibrating_people(reference):
        for form in FORMS:
            questions = fact_questions(person.subject, form=form, per_fact=1, person=person.id)
            pairs += [(question.prompt, person.id) for question in questions]
        pairs += [(prompt, person.id) for prompt in _what_is_visible((person,))]
    pairs += [(Prompt.ask(text), f"general-{number}") for number, text in enumerate(reference.general.calibration)]
    for row in rows_in_split(operator_rows, "calibration"):
        pairs += [(prompt, f"own {row.identity}") for prompt in _of_row(row, FORMS, per_fact=1)]
    return CalibrationPrompts([prompt for prompt, _ in pairs], [identity for _, identity in pairs])


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
