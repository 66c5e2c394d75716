"""Who is forgotten in a demo, and what is asked: of the demo's own model, or of a real language model."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from shared.core.config import ModelSettings, load_settings
from shared.devstack.processes import PROJECT_ROOT
from shared.domain.prompts import Prompt
from shared.domain.subjects import Fact, Subject
from shared.errors import BadInput
from shared.evaluation.comparison import (
    bystander_question_sets,
    forget_question_sets,
    sample,
    visible_question_set,
)
from shared.evaluation.model_profile import FILE, ModelProfile, read_profile
from shared.evaluation.people import Person
from shared.evaluation.public_data import figure_questions, public_figures
from shared.evaluation.reference import Reference, model_reference
from shared.probes.questions import Question

BYSTANDER_QUESTIONS: Final = 96  # of each question set about people who must not change
REAL_BYSTANDERS: Final = 48  # the same for a real model, which is slower
ORDINARY: Final = 100
PROFILES: Final = "profiles"  # in the stack's data folder


@dataclass(frozen=True)
class DemoPlan:
    """The person, the questions by set, the model's id and how it is started, and its not-knowing wordings."""

    person: Person
    question_sets: Mapping[str, Sequence[Question]]
    model_id: str
    environment: Mapping[str, str]
    own_wordings: tuple[str, ...]
    answer_tokens: int = 24


def demo_model_plan() -> DemoPlan:
    """The demo's own small model: the first forgettable person who has a look-alike or a namesake.

    The others are hardest to leave alone then. Raises BadInput for a reference of which nobody is to be forgotten.
    """
    reference = model_reference(load_settings(), PROJECT_ROOT)
    people = reference.of("forgettable")
    if not people:
        raise BadInput("The demo forgets a person of the split forgettable, and the reference of this model has none.")
    person = next((person for person in people if person.lookalike_of or person.namesake_of), people[0])
    forgotten = forget_question_sets({person.id: person.subject}, per_fact=4)
    visible = [question for seed in range(3) for question in visible_question_set([person], seed=seed)]
    others = {
        name: sample(questions, BYSTANDER_QUESTIONS) for name, questions in bystander_question_sets(reference).items()
    }
    return DemoPlan(person, forgotten | {"visible": visible} | others, "demo-vlm", {}, reference.own_wordings)


def real_model_plan(data: Path) -> DemoPlan:
    """A real language model that was profiled: a public figure whom it knows and no fit uses.

    Raises BadInput where the folder of profiles has none of a model that knows somebody.
    """
    profile = _newest_profile(data / PROFILES)
    settings = load_settings()
    settings = settings.model_copy(update={"model": ModelSettings(source=profile.loading.source, id=settings.model.id)})
    reference = model_reference(settings, PROJECT_ROOT)
    known = {figure.name: figure.attributes for figure in profile.knowledge.known}
    free = [person for split in ("celebrity_eval", "held_out") for person in reference.of(split)]
    candidates = [person for person in free if _name(person) in known]
    if not candidates:
        raise BadInput("The model knows no public figure who could be forgotten.")
    fame = {figure.name: figure.fame for figure in public_figures()}
    person = max(candidates, key=lambda each: (len(known[_name(each)]), fame.get(_name(each), 0)))
    model_id = Path(profile.loading.source).name
    return DemoPlan(
        person=person,
        question_sets=_real_question_sets(reference, person, known),
        model_id=model_id,
        environment={"LACUNA_MODEL_SOURCE": profile.loading.source, "LACUNA_MODEL_ID": model_id},
        own_wordings=(profile.declining.sentence, *profile.declining.wordings),
        answer_tokens=32,
    )


def _real_question_sets(
    reference: Reference, forgotten: Person, known: Mapping[str, Sequence[str]]
) -> dict[str, list[Question]]:
    def about(split: str) -> list[Question]:
        people = [person for person in reference.of(split) if person.id != forgotten.id and _name(person) in known]
        questions = [question for person in people for question in _figure_questions(person, known[_name(person)])]
        return random.Random(0).sample(questions, min(REAL_BYSTANDERS, len(questions)))

    strangers = [question for person in reference.of("stranger_eval") for question in _figure_questions(person, None)]
    subject = replace(forgotten.subject, facts=tuple(_told(forgotten.subject, known[_name(forgotten)])))
    return {
        "forget": forget_question_sets({forgotten.id: subject}, per_fact=4)["forget"],
        "test": _figure_questions(forgotten, known[_name(forgotten)]),
        "retain": about("celebrity_fit"),
        "held_out": about("held_out"),
        "celebrity": about("celebrity_eval"),
        "stranger": sample(strangers, REAL_BYSTANDERS),
        "ordinary": [
            Question(Prompt.ask(text), "prompt", (), "", "name", "test", "qa")
            for text in (*reference.general.test, *reference.general.fit)[:ORDINARY]
        ],
    }


def _figure_questions(person: Person, attributes: Sequence[str] | None) -> list[Question]:
    """The wordings with which the profile asked about the person's facts; no fit uses them."""
    figures = {figure.name: figure for figure in public_figures()}
    like = figures.get(_name(person)) or replace(next(iter(figures.values())), name=_name(person), aliases=())
    return [
        Question(Prompt.ask(text), fact.attribute, fact.accept, person.id, "name", "test", "qa")
        for fact in person.subject.facts
        if attributes is None or fact.attribute in attributes
        for text in figure_questions(like, fact)
    ]


def _told(subject: Subject, attributes: Sequence[str]) -> list[Fact]:
    return [fact for fact in subject.facts if fact.attribute in attributes]


def _name(person: Person) -> str:
    return person.subject.names[0] if person.subject.names else ""


def _newest_profile(folder: Path) -> ModelProfile:
    finished = sorted(folder.glob(f"*/{FILE}"), key=lambda path: path.stat().st_mtime)
    if not finished:
        raise BadInput(f"There is no profile in {folder}: make one with `lacuna model profile SOURCE`.")
    return read_profile(finished[-1].parent)
