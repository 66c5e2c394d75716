"""The rule that two different people are needed: how names are compared, and how long a request stands."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.four_eyes import (
    REQUEST_STANDS_FOR,
    find_conflict,
    is_same_person,
    require_second_person,
    require_standing_request,
)
from shared.errors import Conflict, FourEyes

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize("other", ["olivia", "Olivia", " olivia", "OLIVIA\t"])
def test_names_that_differ_in_case_or_spaces_are_the_same_person(other: str) -> None:
    assert is_same_person("olivia", other)


@pytest.mark.parametrize("other", ["adam", "olivia2", "", "o livia"])
def test_different_names_are_different_people(other: str) -> None:
    assert not is_same_person("olivia", other)


def test_first_person_is_refused_with_what_they_did() -> None:
    with pytest.raises(FourEyes, match=r"^olivia edited T-1 last: somebody else has to approve it\.$") as refusal:
        require_second_person("olivia", {"filed T-1": "adam", "edited T-1 last": "Olivia "}, "approve it")
    assert (refusal.value.status, refusal.value.code) == (403, "four-eyes")


def test_second_person_is_accepted() -> None:
    require_second_person("adam", {"filed T-1": "olivia", "edited T-1 last": "olivia"}, "approve it")
    assert find_conflict("adam", {"filed T-1": "olivia"}, "approve it") is None


def test_request_stands_for_a_day() -> None:
    require_standing_request(NOW - REQUEST_STANDS_FOR, NOW)


def test_request_older_than_a_day_is_refused() -> None:
    with pytest.raises(Conflict, match="more than a day ago"):
        require_standing_request(NOW - REQUEST_STANDS_FOR - timedelta(seconds=1), NOW)
