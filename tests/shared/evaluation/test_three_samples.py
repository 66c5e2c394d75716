"""Whose answers the erased model's answers are nearer to."""

import pytest

from shared.evaluation.three_samples import FEWEST, nearness, word_distance

KNOWN = [
    f"She works as a {work} in {town}." for work in ("baker", "pilot", "nurse") for town in ("Ulm", "Graz", "Bern")
]
UNKNOWN = ["I do not know this person."] * 6 + ["I am not sure who that is.", "I cannot tell.", "No idea."]


def test_declining_answers_are_nearer_to_strangers() -> None:
    found = nearness(["I do not know this person."] * 9, KNOWN, UNKNOWN)
    assert found is not None
    assert (found.nearer_to, found.p_value <= 0.01) == ("strangers", True)


def test_telling_answers_are_nearer_to_base() -> None:
    """The test is one-sided: nothing speaks for strangers here."""
    found = nearness(KNOWN, KNOWN, UNKNOWN)
    assert found is not None
    assert (found.nearer_to, found.p_value > 0.9) == ("base", True)


def test_person_whom_the_model_never_knew_gives_no_small_p_value() -> None:
    """Base answers and answers about strangers are alike, so that nothing can be told."""
    found = nearness(UNKNOWN, UNKNOWN, UNKNOWN)
    assert found is not None
    assert found.p_value > 0.2


def test_half_of_the_answers_telling_is_seen_in_the_difference() -> None:
    whole, half = (nearness(answers, KNOWN, UNKNOWN) for answers in (UNKNOWN, [*KNOWN[:5], *UNKNOWN[:4]]))
    assert whole is not None
    assert half is not None
    assert whole.difference > half.difference


@pytest.mark.parametrize("lacking", range(3))
def test_too_few_texts_give_no_result(lacking: int) -> None:
    samples = [["I do not know."] * FEWEST for _ in range(3)]
    assert nearness(*samples) is not None
    samples[lacking].pop()
    assert nearness(*samples) is None


def test_word_distance_ignores_case_and_punctuation() -> None:
    assert word_distance("I do NOT know.", "i do not know") == 0
    assert word_distance("", "") == 0
    assert word_distance("", "Ulm") == 1
    assert word_distance("in Ulm", "in Graz") == pytest.approx(2 / 3)
