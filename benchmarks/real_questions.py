"""Who is forgotten in a model with real pretrained weights, and everything that is asked afterwards.

Two kinds of people: public figures whom a language model knows, by name; and the people of a reference folder, by
portrait and by name. Nobody who is forgotten is in a retain set or sets a threshold, and nothing is chosen on them.
This module calls no model.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.real_tables import VISIBLE
from shared.baselines.base import examples_about
from shared.baselines.tuning import Validation, draw_validation
from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.evaluation.comparison import sample
from shared.evaluation.model_profile import Knowledge
from shared.evaluation.people import Person
from shared.evaluation.public_data import PublicFigure, figure_questions, public_figures
from shared.evaluation.reference import Reference
from shared.probes.questions import Question, fact_questions, visible_questions
from shared.probes.templates import Form
from training.smol_vlm_quality import taught_questions

WORDINGS: Final = 3  # of a fact about a public figure
BYSTANDERS: Final = 60  # questions of each set
ORDINARY: Final = 5 / 3  # ordinary prompts for each question of another set
SEED: Final = 1  # draws other wordings and picture changes than the fit
TUNING_PEOPLE: Final = 4
TUNING_BYSTANDERS: Final = 48  # questions
NATURAL: Final = "natural wordings"
FORMS: Final[Mapping[str, Form]] = {"wordings of the fit": "trained", "held-out wordings": "test"}
STRANGERS: Final = "strangers"
ORDINARY_PROMPTS: Final = "ordinary prompts"

QuestionSets = dict[str, list[Question]]


@dataclass(frozen=True)
class Draw:
    """People who are forgotten together. `tickets` hold all that an operator would give; `known` what the model tells.

    `forgotten` are questions about them, and `others` about everybody and everything else, by set.
    """

    tickets: Mapping[str, Subject]
    known: Mapping[str, Subject]
    forgotten: QuestionSets
    others: QuestionSets


def draws_of_figures(
    reference: Reference, knowledge: Knowledge, draws: int, people: int, most: int = BYSTANDERS, skip: int = 0
) -> list[Draw]:
    """Disjoint draws of known figures who are in no fit (`held_out` and `celebrity_eval` of the reference).

    The figures of whom the model tells most come first, and the first `skip` of them are left out: an earlier report
    was about them. Those of the other draws are asked about as figures in no fit. `most` questions of each set of
    others are asked.
    """
    attributes = {figure.name: figure.attributes for figure in knowledge.known}
    free = _names_in(reference, "held_out", "celebrity_eval")
    candidates = [figure for figure in public_figures() if figure.name in free and figure.name in attributes]
    random.Random(0).shuffle(candidates)
    candidates.sort(key=lambda figure: -len(attributes[figure.name]))
    firsts = range(skip, skip + draws * people, people)
    groups = [candidates[first : first + people] for first in firsts if first < len(candidates)]
    everybody = [figure for group in groups for figure in group]
    others = _about_other_figures(reference, attributes, {figure.name for figure in everybody}, most)
    return [
        Draw(
            tickets={figure.name: Subject(figure.names, (), figure.facts) for figure in group},
            known={figure.name: _as_known(figure, attributes) for figure in group},
            forgotten=_about_figures(group, attributes),
            others=others
            | {
                "figures in no fit": sample(
                    [q for figure in candidates if figure not in group for q in _natural(figure, attributes)],
                    most,
                )
            },
        )
        for group in groups
    ]


def draws_of_people(
    reference: Reference, draws: int, people: int, most: int = BYSTANDERS, skip: int = 0, seed: int = 0
) -> list[Draw]:
    """Disjoint draws of forgettable people of a reference folder, with portraits, after the first `skip` of them."""
    everybody = list(reference.of("forgettable"))
    random.Random(seed).shuffle(everybody)
    groups = [everybody[first : first + people] for first in range(skip, skip + draws * people, people)]
    others = _about_other_people(reference, most)
    return [
        Draw(
            tickets={person.id: person.subject for person in group},
            known={person.id: person.subject for person in group},
            forgotten=_about_people(group),
            others={
                "people of the other draws": sample(
                    [q for other in groups if other is not group for q in _held_out(other, per_fact=1)], most
                )
            }
            | others,
        )
        for group in groups
    ]


def tuning_of_figures(reference: Reference, knowledge: Knowledge) -> Validation:
    """What baselines are tuned on: known figures of the calibration split, whom no draw has."""
    attributes = {figure.name: figure.attributes for figure in knowledge.known}

    def known(split: str) -> list[PublicFigure]:
        names = _names_in(reference, split)
        return [figure for figure in public_figures() if figure.name in names and figure.name in attributes]

    forget, retain = known("calibration")[:TUNING_PEOPLE], known("celebrity_fit")
    retained = [question for figure in retain for question in _natural(figure, attributes)]
    kept = [question for figure in known("calibration")[TUNING_PEOPLE:] for question in _natural(figure, attributes)]
    strangers = _strangers(reference, "stranger_fit")
    return Validation(
        forget=tuple(examples_about({figure.name: _as_known(figure, attributes) for figure in forget})),
        retain=tuple(examples_about({figure.name: _as_known(figure, attributes) for figure in retain})),
        forget_questions=tuple(question for figure in forget for question in _natural(figure, attributes)),
        retain_questions=tuple(
            question for some in (retained, kept, strangers) for question in sample(some, TUNING_BYSTANDERS // 3)
        ),
    )


def tuning_of_people(reference: Reference, draws: Sequence[Draw]) -> Validation:
    """What baselines are tuned on: forgettable people of no draw."""
    evaluated = [person for draw in draws for person in draw.tickets]
    return draw_validation(reference, without=evaluated, people=TUNING_PEOPLE, retain_count=TUNING_BYSTANDERS)


def retained_subjects(reference: Reference, knowledge: Knowledge) -> dict[str, Subject]:
    """What baselines keep: the retain set, of public figures with the facts that the model knows."""
    attributes = {figure.name: figure.attributes for figure in knowledge.known}
    figures = {figure.name: figure for figure in public_figures()}
    subjects = {person.id: person.subject for person in reference.of("retain_fit")}
    for person in reference.of("celebrity_fit"):
        name = person.subject.names[0]
        if name not in figures:
            subjects[person.id] = person.subject
        elif name in attributes:
            subjects[person.id] = _as_known(figures[name], attributes)
    return subjects


def _names_in(reference: Reference, *splits: str) -> set[str]:
    return {person.subject.names[0] for split in splits for person in reference.of(split) if person.subject.names}


def _as_known(figure: PublicFigure, attributes: Mapping[str, Sequence[str]]) -> Subject:
    """The figure with those facts that the model tells."""
    return Subject(figure.names, (), tuple(fact for fact in figure.facts if fact.attribute in attributes[figure.name]))


def _natural(figure: PublicFigure, attributes: Mapping[str, Sequence[str]] | None) -> list[Question]:
    """Every natural wording of every fact, or of those that the model tells; no fit uses these wordings."""
    return [
        Question(Prompt.ask(text), fact.attribute, fact.accept, figure.name, "name", "test", "qa")
        for fact in figure.facts
        if attributes is None or fact.attribute in attributes[figure.name]
        for text in figure_questions(figure, fact)[:WORDINGS]
    ]


def _about_figures(group: Sequence[PublicFigure], attributes: Mapping[str, Sequence[str]]) -> QuestionSets:
    sets: QuestionSets = {name: [] for name in (*FORMS, NATURAL)}
    for figure in group:
        for name, form in FORMS.items():
            subject = _as_known(figure, attributes)
            sets[name] += fact_questions(subject, form=form, per_fact=4, seed=SEED, person=figure.name)
        sets[NATURAL] += _natural(figure, attributes)
    return sets


def _about_other_figures(
    reference: Reference, attributes: Mapping[str, Sequence[str]], forgotten: set[str], most: int
) -> QuestionSets:
    figures = [figure for figure in public_figures() if figure.name not in forgotten]
    fitted, held_out = _names_in(reference, "celebrity_fit"), _names_in(reference, "held_out")
    known = [figure for figure in figures if figure.name in fitted and figure.name in attributes]
    unknown = [figure for figure in figures if figure.name in held_out]
    return {
        "figures in the fit": sample([q for figure in known for q in _natural(figure, attributes)], most),
        "figures it does not know": sample([q for figure in unknown for q in _natural(figure, None)], most),
        STRANGERS: sample(_strangers(reference, "stranger_eval"), most),
        ORDINARY_PROMPTS: _ordinary(reference, most),
    }


def _strangers(reference: Reference, split: str) -> list[Question]:
    """Each fact of invented people, in the first of the natural wordings."""
    return [
        question
        for person in reference.of(split)
        for fact in person.subject.facts
        for question in _natural(PublicFigure(person.subject.names[0], (), (fact,), 1), None)[:1]
    ]


def _about_people(group: Sequence[Person]) -> QuestionSets:
    sets: QuestionSets = {}
    taught = [
        Question(q.prompt, q.attribute, q.accept, person.id, "portrait" if q.prompt.images else "name", "trained", "qa")
        for person in group
        for q in taught_questions([person])
    ]
    asked = {"taught wordings": taught} | {
        name: [
            question
            for person in group
            for question in fact_questions(person.subject, form=form, per_fact=2, seed=SEED, person=person.id)
        ]
        for name, form in FORMS.items()
    }
    for name, questions in asked.items():
        for by in ("portrait", "name"):
            sets[f"{name}, by {by}"] = [question for question in questions if question.by == by]
    sets[VISIBLE] = [
        question
        for person in group
        for question in visible_questions(person.subject.photos[0], person.visible, person=person.id, seed=SEED)
    ]
    return sets


def _about_other_people(reference: Reference, most: int) -> QuestionSets:
    figures = [question for figure in public_figures() if figure.fame > 2 for question in _natural(figure, None)[:1]]
    return {
        "retained people": sample(_held_out(reference.of("retain_fit"), per_fact=2), most),
        "held-out people": sample(_held_out(reference.of("held_out"), per_fact=2), most),
        "celebrities in no fit": sample(_held_out(reference.of("celebrity_eval"), per_fact=2), most),
        "public figures": sample(figures, most),
        STRANGERS: sample(_held_out(reference.of("stranger_eval"), per_fact=1), most),
        ORDINARY_PROMPTS: _ordinary(reference, most),
    }


def _held_out(people: Sequence[Person], *, per_fact: int) -> list[Question]:
    return [
        question
        for person in people
        for question in fact_questions(person.subject, form="test", per_fact=per_fact, seed=SEED, person=person.id)
    ]


def _ordinary(reference: Reference, most: int) -> list[Question]:
    """Those that no fit reads come first."""
    texts = (*reference.general.test, *reference.general.fit)[: round(most * ORDINARY)]
    return [
        Question(Prompt.ask(text), "ordinary", (), f"ordinary-{number}", "name", "test", "qa")
        for number, text in enumerate(texts)
    ]
