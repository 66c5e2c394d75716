"""The people of the benchmark on real weights: nobody plays two parts, and nobody who is forgotten is a bystander."""

from pathlib import Path

import pytest

from benchmarks.real_questions import (
    NATURAL,
    ORDINARY_PROMPTS,
    Draw,
    draws_of_figures,
    draws_of_people,
    retained_subjects,
    tuning_of_figures,
    tuning_of_people,
)
from shared.evaluation.model_profile import Knowledge, KnownFigure
from shared.evaluation.public_data import public_figures
from shared.evaluation.reference import Reference, default_reference, load_reference


@pytest.fixture(scope="module")
def figures() -> Reference:
    return default_reference()


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    """Of every third figure a model that knows the first fact, of every sixth two."""
    known = tuple(
        KnownFigure(figure.name, tuple(fact.attribute for fact in figure.facts[: 1 + (number % 2)]))
        for number, figure in enumerate(public_figures()[::3])
    )
    return Knowledge(asked=500, known=known, chance=0.0)


@pytest.fixture(scope="module")
def people() -> Reference:
    return load_reference(Path("models/smol-vlm/reference"))


def forgotten(draws: list[Draw]) -> list[str]:
    return [person for draw in draws for person in draw.tickets]


def test_forgotten_figures_are_known_and_read_by_no_fit(figures: Reference, knowledge: Knowledge) -> None:
    draws = draws_of_figures(figures, knowledge, draws=3, people=10)
    names = forgotten(draws)
    split = {person.subject.names[0]: person.split for person in figures.people if person.subject.names}
    assert len(set(names)) == 30
    assert {split[name] for name in names} <= {"held_out", "celebrity_eval"}
    assert set(names) <= knowledge.names


def test_people_of_an_earlier_report_are_left_out(figures: Reference, knowledge: Knowledge, people: Reference) -> None:
    earlier = forgotten(draws_of_figures(figures, knowledge, draws=3, people=5))
    later = forgotten(draws_of_figures(figures, knowledge, draws=2, people=5, skip=15))
    assert len(set(later)) == 10
    assert not set(earlier) & set(later)
    others = forgotten(draws_of_people(people, 2, 3, skip=12))
    assert len(set(others)) == 6
    assert not set(forgotten(draws_of_people(people, 3, 4))) & set(others)


def test_figures_are_asked_about_what_the_model_knows_and_forgotten_whole(
    figures: Reference, knowledge: Knowledge
) -> None:
    attributes = {figure.name: set(figure.attributes) for figure in knowledge.known}
    (draw,) = draws_of_figures(figures, knowledge, draws=1, people=5)
    for asked in draw.forgotten.values():
        assert {question.person for question in asked} == set(draw.tickets)
        assert all(question.attribute in attributes[question.person] for question in asked)
    for name, subject in draw.tickets.items():
        assert len(subject.facts) >= len(draw.known[name].facts)
    assert not {q.prompt.turns[-1].text for q in draw.forgotten[NATURAL]} & {
        q.prompt.turns[-1].text for q in draw.forgotten["wordings of the fit"]
    }


def test_bystanders_are_never_forgotten_in_the_same_draw(
    figures: Reference, knowledge: Knowledge, people: Reference
) -> None:
    for draws in (draws_of_figures(figures, knowledge, draws=3, people=10), draws_of_people(people, 3, 4)):
        for draw in draws:
            for name, asked in draw.others.items():
                assert asked, name
                assert not {question.person for question in asked} & set(draw.tickets)


def test_prompts_that_no_fit_reads_come_first_among_the_ordinary(people: Reference) -> None:
    (draw,) = draws_of_people(people, 1, 2)
    texts = [question.prompt.turns[-1].text for question in draw.others[ORDINARY_PROMPTS]]
    assert texts[: len(people.general.test)] == list(people.general.test)


def test_baselines_are_tuned_on_nobody_who_is_forgotten(
    figures: Reference, knowledge: Knowledge, people: Reference
) -> None:
    names = forgotten(draws_of_figures(figures, knowledge, draws=3, people=10))
    tuning = tuning_of_figures(figures, knowledge)
    assert tuning.forget
    assert not {question.person for question in (*tuning.forget_questions, *tuning.retain_questions)} & set(names)
    draws = draws_of_people(people, 3, 4)
    asked = tuning_of_people(people, draws).forget_questions
    assert asked
    assert not {question.person for question in asked} & set(forgotten(draws))


def test_baselines_keep_retained_people_and_what_is_known_of_figures(
    figures: Reference, knowledge: Knowledge, people: Reference
) -> None:
    retained = retained_subjects(figures, knowledge)
    assert retained
    assert all(subject.names[0] in knowledge.names and subject.facts for subject in retained.values())
    assert len(retained_subjects(people, knowledge)) == 8
