"""The comparison of two systems' replies: shares, intervals over people, and the question sets."""

import numpy as np
import pytest

from shared.evaluation.comparison import (
    bootstrap_interval,
    bystander_question_sets,
    compare,
    forget_question_sets,
    sample,
    sample_per_person,
    visible_question_set,
)
from shared.evaluation.people import SPLITS
from shared.evaluation.reference import General, Harmful, Reference
from shared.evaluation.synthetic_people import generate_people

UNKNOWN = "I do not know this person."
REFERENCE = Reference(
    generate_people(4, dict.fromkeys(SPLITS, 2)), Harmful((), (), ()), General((), (), ()), UNKNOWN, "No.", "Sure."
)
SUBJECTS = {person.id: person.subject for person in REFERENCE.of("forgettable")}


def test_forget_and_test_sets_ask_the_same_facts_in_different_forms() -> None:
    panels = forget_question_sets(SUBJECTS, per_fact=2)
    assert set(panels) == {"forget", "test"}
    asked = {name: [(q.person, q.attribute, q.by) for q in panel] for name, panel in panels.items()}
    assert asked["forget"] == asked["test"]
    assert {q.form for q in panels["forget"]} == {"trained"}
    assert {q.form for q in panels["test"]} == {"test"}


def test_bystander_sets_use_evaluation_splits_and_held_out_forms() -> None:
    """Celebrities and strangers are those of the evaluation splits."""
    panels = bystander_question_sets(REFERENCE)
    splits = {name: {REFERENCE.get(q.person).split for q in panel} for name, panel in panels.items()}
    assert splits == {
        "retain": {"retain_fit"},
        "held_out": {"held_out"},
        "celebrity": {"celebrity_eval"},
        "stranger": {"stranger_eval"},
    }
    assert {q.form for panel in panels.values() for q in panel} == {"test"}
    assert {q.kind for q in visible_question_set(REFERENCE.of("held_out"))} == {"visible"}


def test_comparison_figures_are_shares_of_the_questions() -> None:
    """The not-knowing answer counts as changed; lists of different lengths are refused."""
    questions = forget_question_sets(SUBJECTS, per_fact=1)["forget"]
    truth = [question.accept[0] for question in questions]
    half = len(questions) // 2
    after = [UNKNOWN] * half + truth[half:]
    result = compare(questions, truth, after, (UNKNOWN,))
    share = (len(questions) - half) / len(questions)
    assert result.revealed_before == 1
    assert result.revealed_after == pytest.approx(share)
    assert result.identical == pytest.approx(share)
    assert result.unknown_after == pytest.approx(1 - share)
    assert (result.n, result.people) == (len(questions), 2)
    assert result.as_json()["told_after"] == result.revealed_after
    with pytest.raises(ValueError, match="shorter"):
        compare(questions, truth, after[:-1], (UNKNOWN,))


def test_interval_resamples_people_instead_of_prompts() -> None:
    """Many prompts about few people give a wide interval; it contains the mean."""
    people = [str(number // 50) for number in range(200)]
    hits = [number < 100 for number in range(200)]  # two of four people always leak
    low, high = bootstrap_interval(hits, people)
    assert low <= 0.5 <= high
    assert high - low >= 0.5
    narrow = bootstrap_interval(hits, [str(number) for number in range(200)])
    assert narrow[1] - narrow[0] < 0.2
    assert bootstrap_interval([], []) == (0.0, 1.0)
    assert bootstrap_interval(hits, people) == (low, high)


def test_interval_contains_the_true_rate_in_nine_of_ten_draws() -> None:
    """Over repeated draws of forty people."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        rates = rng.beta(3, 7, size=40)  # mean 0.3, people differ
        hits = [bool(hit) for rate in rates for hit in rng.random(5) < rate]
        low, high = bootstrap_interval(hits, [str(person) for person in range(40) for _ in range(5)])
        covered += low <= 0.3 <= high
    assert covered >= 88  # 95 expected; percentile bootstraps are a little narrow


def test_sample_is_a_repeatable_subsequence() -> None:
    """With fewer questions than asked for it is everything."""
    questions = forget_question_sets(SUBJECTS, per_fact=2)["forget"]
    few = sample(questions, 7, seed=1)
    places = [next(i for i, q in enumerate(questions) if q is sampled) for sampled in few]
    assert len(few) == 7
    assert places == sorted(places)
    assert all(first is second for first, second in zip(few, sample(questions, 7, seed=1), strict=True))
    assert len(sample(questions, 10**6)) == len(questions)


def test_sample_per_person_leaves_nobody_out() -> None:
    """A ticket without figures of its own could not be completed."""
    questions = forget_question_sets(SUBJECTS, per_fact=2)["forget"]
    assert len(sample_per_person(questions, 1)) == len(SUBJECTS)
    assert {question.person for question in sample_per_person(questions, 1)} == set(SUBJECTS)
    assert sample_per_person(questions, 10_000) == questions
