"""The four-eyes principle: some decisions need a second person, and a request for one stands for a day.

People are compared by their ids, never by what they are called. PostgreSQL holds the same rule: its triggers look up
whose the names of a record are.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from shared.errors import Conflict, FourEyes

REQUEST_STANDS_FOR: Final = timedelta(hours=24)  # from the request to its confirmation


class Actor(NamedTuple):
    """Who did something: the name in the record, and the id of the person. Parts of the system have no id."""

    name: str
    person_id: UUID | None


def is_same_person(first: Actor, second: Actor) -> bool:
    """Whether both are one person. What has no id is compared by its name."""
    if first.person_id is None or second.person_id is None:
        return first.name == second.name
    return first.person_id == second.person_id


def find_conflict(actor: Actor, deeds: Iterable[tuple[str, Actor]], remaining: str) -> FourEyes | None:
    """The error where `actor` did one of `deeds` and thus cannot do what remains, else None.

    `deeds` says what was done, as a verb with its object, and by whom; `remaining` is what a second person has to do:
    `[("filed T-1", Actor("olivia", ...))], "approve it"`.
    """
    for deed, other in deeds:
        if is_same_person(actor, other):
            return FourEyes(f"{actor.name} {deed}: somebody else has to {remaining}.")
    return None


def require_second_person(actor: Actor, deeds: Iterable[tuple[str, Actor]], remaining: str) -> None:
    """Raise FourEyes where `actor` did one of `deeds` (see `find_conflict`)."""
    if (conflict := find_conflict(actor, deeds, remaining)) is not None:
        raise conflict


def require_standing_request(requested_at: datetime, now: datetime) -> None:
    """Raise Conflict where a request for a confirmation is too old to be confirmed."""
    if now - requested_at > REQUEST_STANDS_FOR:
        raise Conflict("It was requested more than a day ago: request it again.")
