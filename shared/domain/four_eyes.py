"""The four-eyes principle: some decisions need a second person, and a request for one stands for a day.

PostgreSQL holds the same rule (CHECK constraints over `lower(btrim(name))`). Both compare names of accounts; neither
knows whether two accounts belong to two people.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from shared.errors import Conflict, FourEyes

REQUEST_STANDS_FOR: Final = timedelta(hours=24)  # from the request to its confirmation


def is_same_person(first: str, second: str) -> bool:
    """Whether two account names mean the same person; upper case and spaces around them make no difference."""
    return first.strip().casefold() == second.strip().casefold()


def find_conflict(actor: str, deeds: Mapping[str, str], remaining: str) -> FourEyes | None:
    """The error where `actor` did one of `deeds` and thus cannot do what remains, else None.

    `deeds` maps what was done, as a verb with its object, to the name of who did it; `remaining` is what a second
    person has to do: `{"filed T-1": "olivia"}, "approve it"`.
    """
    for deed, person in deeds.items():
        if is_same_person(actor, person):
            return FourEyes(f"{actor} {deed}: somebody else has to {remaining}.")
    return None


def require_second_person(actor: str, deeds: Mapping[str, str], remaining: str) -> None:
    """Raise FourEyes where `actor` did one of `deeds` (see `find_conflict`)."""
    if (conflict := find_conflict(actor, deeds, remaining)) is not None:
        raise conflict


def require_standing_request(requested_at: datetime, now: datetime) -> None:
    """Raise Conflict where a request for a confirmation is too old to be confirmed."""
    if now - requested_at > REQUEST_STANDS_FOR:
        raise Conflict("It was requested more than a day ago: request it again.")
