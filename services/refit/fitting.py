"""From a person to the fit of one ticket, for whichever gate the recipe names. The benchmarks use it too.

This module knows the engine and the probes; it knows nothing of stores, databases or queues.
"""

from dataclasses import replace
from typing import Final

from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.gates.text import NO_KEY, TextFit, fit_text
from shared.erasure.recipe import Recipe
from shared.erasure.ticket_fit import TicketFit, fit_identity, fit_ticket
from shared.errors import BadInput
from shared.evaluation.scorers import normalised, reveals
from shared.probes import statements
from shared.probes.attribute_types import attribute_type
from shared.probes.questions import (
    Question,
    answers_that_name,
    fact_questions,
    mention_questions,
    other_spellings,
    picture_prompts,
    visible_questions,
)
from shared.vlm import capture
from shared.vlm.engine import Engine

PROBES_PER_FACT: Final = 8
VISIBLE_DRAWS: Final = 4
PICTURES: Final = 16  # changes of one photograph


def fit_subject(
    engine: Engine,
    recipe: Recipe,
    statistics: BaseStatistics,
    ticket: str,
    subject: Subject,
    fingerprint_key: bytes = NO_KEY,
) -> TicketFit:
    """The fit of `ticket`; raises BadInput where nothing about the person can be recognised.

    Names and facts are kept under `fingerprint_key` (32 bytes), where the recipe reads text. What the gate cannot
    compare is not used: `unused_material` says so.
    """
    unused = unused_material(engine, statistics, ticket, subject)
    subject = engine.readable(subject)
    if recipe.gate == "identity" and statistics.identity is not None:
        spaces = statistics.identity.spaces
        if unused and not (subject.photos and spaces.portraits) and not (subject.names and spaces.names):
            raise BadInput(f"{ticket} has nothing by which the gate can recognise anybody. {' '.join(unused)}")
        layers = statistics.gated
        photos = [
            capture.readout(engine, picture_prompts(photo, PICTURES, seed=number), layers=layers).pictures.rows
            for number, photo in enumerate(subject.photos if spaces.portraits is not None else ())
        ]
        names = []
        spellings = (*subject.names, *_known_spellings(engine, subject)) if spaces.names is not None else ()
        for name in spellings:
            for prompts in (
                mention_questions(name, languages=subject.languages),
                answers_that_name(name, languages=subject.languages),
            ):
                names.append(capture.mention_states(engine, prompts, [name] * len(prompts), layers=layers))
        text = text_of_subject(subject, fingerprint_key) if recipe.read_text else None
        return fit_identity(recipe, statistics, ticket, photos, names, text)
    return fit_ticket(
        recipe,
        statistics,
        ticket,
        capture.activations(engine, [question.prompt for question in probes(subject, ticket)]),
        harmless=capture.activations(engine, harmless_prompts(subject)),
    )


def text_of_subject(subject: Subject, fingerprint_key: bytes = NO_KEY) -> TextFit:
    """The fingerprints of a person's names and facts; what a fact says of the name itself is no fact."""
    called = [fact.value for fact in subject.facts if _is_name(fact.attribute)]
    names = tuple(dict.fromkeys((*subject.names, *called)))
    same = {normalised(name) for name in names}
    facts = [statements.spellings(fact, names) for fact in subject.facts if normalised(fact.value) not in same]
    return fit_text(names, facts, fingerprint_key)


def _is_name(attribute: str) -> bool:
    return attribute == "name" or attribute_type(attribute) == "name"


def unused_material(engine: Engine, statistics: BaseStatistics, ticket: str, subject: Subject) -> list[str]:
    """A sentence for each part of the ticket by which the gate cannot recognise the person."""
    spaces = None if statistics.identity is None else statistics.identity.spaces
    if subject.photos and not engine.reads_pictures:
        return [f"The photographs of {ticket} are not used: the model reads no pictures."]
    if spaces is None:
        return []
    unused = []
    if subject.photos and spaces.portraits is None:
        unused.append(
            f"The photographs of {ticket} are not used, and pictures of the person are not recognised: nobody in the "
            "retain set has a photograph. Add people with photographs to it."
        )
    if subject.names and spaces.names is None:
        unused.append(
            f"The names of {ticket} are not used, and the person is not recognised by name: nobody in the retain set "
            "has a name. Add people with names to it."
        )
    return unused


def _known_spellings(engine: Engine, subject: Subject) -> list[str]:
    """Other spellings of the names under which the model reveals a fact; a spelling that it does not know is noise."""
    known = []
    for name in other_spellings(subject.names):
        questions = fact_questions(replace(subject, names=(name,), photos=()), form="trained", per_fact=1)
        answers = engine.generate([question.prompt for question in questions])
        if any(reveals(answer.text, question.accept) for answer, question in zip(answers, questions, strict=True)):
            known.append(name)
    return known


def probes(subject: Subject, ticket: str) -> list[Question]:
    """The questions that the refit asks about the person: by portrait and by name, in the wordings kept for fitting."""
    return fact_questions(subject, form="trained", per_fact=PROBES_PER_FACT, person=ticket)


def harmless_prompts(subject: Subject) -> list[Prompt]:
    """Questions that anybody may still ask about the ticket's pictures: what can be seen in them."""
    return [
        question.prompt
        for photo in subject.photos
        for seed in range(VISIBLE_DRAWS)
        for question in visible_questions(photo, {}, seed=seed)
    ]
