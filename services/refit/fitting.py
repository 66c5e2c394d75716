"""From a person to the fit of one ticket, for whichever gate the recipe names. The benchmarks use it too.

This module knows the engine and the probes; it knows nothing of stores, databases or queues.
"""

from dataclasses import replace
from typing import Final

from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.recipe import Recipe
from shared.erasure.ticket_fit import TicketFit, fit_identity, fit_ticket
from shared.evaluation.scorers import reveals
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


def fit_subject(engine: Engine, recipe: Recipe, statistics: BaseStatistics, ticket: str, subject: Subject) -> TicketFit:
    """The fit of `ticket`; raises BadInput where nothing about the person can be recognised."""
    if recipe.gate == "identity":
        photos = [
            capture.readout(engine, picture_prompts(photo, PICTURES, seed=number)).pictures.rows
            for number, photo in enumerate(subject.photos)
        ]
        names = []
        for name in (*subject.names, *_known_spellings(engine, subject)):
            for prompts in (mention_questions(name), answers_that_name(name)):
                names.append(capture.mention_states(engine, prompts, [name] * len(prompts)))
        return fit_identity(recipe, statistics, ticket, photos, names)
    return fit_ticket(
        recipe,
        statistics,
        ticket,
        capture.activations(engine, [question.prompt for question in probes(subject, ticket)]),
        harmless=capture.activations(engine, harmless_prompts(subject)),
    )


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
