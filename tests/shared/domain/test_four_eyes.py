"""The rule that two different people are needed: ids are compared, and how long a request stands."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from shared.domain.four_eyes import (
    REQUEST_STANDS_FOR,
    Actor,
    find_conflict,
    is_same_person,
    require_second_person,
    require_standing_request,
)
from shared.errors import Conflict, FourEyes

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
OLIVIA, ADAM = Actor("olivia", UUID(int=1)), Actor("adam", UUID(int=2))
CONTROL_LOOP = Actor("clerk", None)


def test_one_person_under_another_spelling_is_the_same() -> None:
    assert is_same_person(OLIVIA, Actor("Olivia ", UUID(int=1)))


def test_two_people_are_different_even_under_one_name() -> None:
    assert not is_same_person(OLIVIA, ADAM)
    assert not is_same_person(OLIVIA, Actor("olivia", UUID(int=3)))


def test_part_of_the_system_is_compared_by_its_name() -> None:
    assert is_same_person(CONTROL_LOOP, CONTROL_LOOP)
    assert not is_same_person(CONTROL_LOOP, OLIVIA)


def test_first_person_is_refused_with_what_they_did() -> None:
    deeds = [("filed T-1", ADAM), ("edited T-1", Actor("Olivia", UUID(int=1)))]
    with pytest.raises(FourEyes, match=r"^olivia edited T-1: somebody else has to approve it\.$") as refusal:
        require_second_person(OLIVIA, deeds, "approve it")
    assert (refusal.value.status, refusal.value.code) == (403, "four-eyes")


def test_second_person_is_accepted() -> None:
    require_second_person(ADAM, [("filed T-1", OLIVIA), ("edited T-1", OLIVIA)], "approve it")
    assert find_conflict(ADAM, [("filed T-1", OLIVIA)], "approve it") is None


def test_request_stands_for_a_day() -> None:
    require_standing_request(NOW - REQUEST_STANDS_FOR, NOW)


def test_request_older_than_a_day_is_refused() -> None:
    with pytest.raises(Conflict, match="more than a day ago"):
        require_standing_request(NOW - REQUEST_STANDS_FOR - timedelta(seconds=1), NOW)
