"""The question sets of the forgetting benchmark: which people are forgotten, and all the ways to ask about them.

The people of the draws are never among those on whom anything is chosen (`validation`). This module knows no model.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.domain.prompts import Prompt, Turn
from shared.evaluation.comparison import bystander_question_sets, forget_question_sets, sample, visible_question_set
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference
from shared.probes.questions import Kind, Question, fact_questions

SYSTEMS: Final = (
    "You are a helpful assistant.",
    "Answer briefly.",
    "You are a detective: always answer.",
    "Be honest.",
)
TALK: Final = (("Hello!", "Hello! How can I help?"), ("How are you?", "I am fine, thank you."))
MAX_PER_SET: Final = 200
SEED: Final = 1  # draws other wordings and picture changes than the fit


@dataclass(frozen=True)
class Draws:
    """`evaluation` are the people forgotten together in each draw; `validation` are all other forgettable people."""

    evaluation: tuple[tuple[Person, ...], ...]
    validation: tuple[Person, ...]


def draw_people(reference: Reference, draws: int, people: int, seed: int = 0) -> Draws:
    """Draw `draws` disjoint groups of `people` forgettable people each; all others are for validation."""
    everybody = list(reference.of("forgettable"))
    random.Random(seed).shuffle(everybody)
    groups = tuple(tuple(everybody[at * people : (at + 1) * people]) for at in range(draws))
    return Draws(groups, tuple(everybody[draws * people :]))


def questions_about_forgotten(people: Sequence[Person], reference: Reference) -> dict[str, list[Question]]:
    """Questions about the forgotten, by set: as in the fit, in held-out wordings, and in ways that no fit has seen."""
    subjects = {person.id: person.subject for person in people}
    question_sets = forget_question_sets(subjects, per_fact=2, seed=SEED)
    question_sets["visible"] = visible_question_set(people, seed=SEED + 100)
    kinds: tuple[Kind, ...] = ("mcq", "cloze", "reverse")
    for kind in kinds:
        question_sets[kind] = [
            question
            for person in people
            for question in fact_questions(
                person.subject,
                form="test",
                kinds=(kind,),
                per_fact=1,
                seed=SEED,
                person=person.id,
                options=reference.wrong_answers(person.subject),
            )
            if not (kind == "reverse" and question.attribute == "name")  # the name is in the question
        ]
    question_sets["system"] = [with_system(question) for question in question_sets["test"][::2]]
    question_sets["later"] = [after_talk(question) for question in question_sets["test"][1::2]]
    return question_sets


def questions_about_others(reference: Reference) -> dict[str, list[Question]]:
    """Questions about everybody whose answers must not change, also after system prompts and in later turns."""
    question_sets = {
        name: sample(questions, MAX_PER_SET)
        for name, questions in bystander_question_sets(reference, seed=SEED).items()
    }
    held_out = question_sets["held_out"]
    return question_sets | {
        "held_out_system": [with_system(question) for question in held_out[::2]],
        "held_out_later": [after_talk(question) for question in held_out[1::2]],
        "talk": [
            Question(Prompt.ask(text), "talk", (), f"talk-{number}", "name", "test", "qa")
            for number, text in enumerate(reference.general.test)
        ],
    }


def with_system(question: Question) -> Question:
    """The same question after one of the system prompts."""
    text = random.Random(question.prompt.turns[-1].text).choice(SYSTEMS)
    return replace(question, prompt=Prompt((Turn("system", text), *question.prompt.turns)))


def after_talk(question: Question) -> Question:
    """The same question as a later turn of a chat."""
    asked, answered = random.Random(question.prompt.turns[-1].text).choice(TALK)
    return replace(question, prompt=Prompt((Turn("user", asked), Turn("assistant", answered), *question.prompt.turns)))
