"""The ticket's state machine: each event leads to the state in the table, for the named roles and guards."""

import typing

import pytest

from shared.domain.ticket_lifecycle import (
    IN_FORCE,
    IN_PROGRESS,
    TRANSITIONS,
    UNDECIDED,
    Event,
    State,
    is_allowed,
    state_after,
)
from shared.errors import Conflict

STATES = typing.get_args(State)
EVENTS = typing.get_args(Event)


@pytest.mark.parametrize("event", EVENTS)
def test_every_state_either_moves_or_refuses(event: Event) -> None:
    origins, target = TRANSITIONS[event][:2]
    for state in STATES:
        assert is_allowed(state, event) == (state in origins)
        if state in origins:
            assert state_after(state, event) == target
        else:
            with pytest.raises(Conflict, match=state.replace("_", " ")):
                state_after(state, event)


def test_closed_ticket_is_not_moved() -> None:
    for state in ("rejected", "withdrawn", "expired"):
        assert not any(is_allowed(state, event) for event in EVENTS)
    assert [event for event in EVENTS if is_allowed("duplicate", event)] == ["distinguish", "reopen", "expire"]


def test_unapproved_states_are_not_in_force() -> None:
    assert not set(IN_FORCE) & {*UNDECIDED, "rejected", "withdrawn", "duplicate", "expired"}
    assert set(IN_PROGRESS) | {"completed"} <= set(IN_FORCE)
    assert set(TRANSITIONS) == set(EVENTS)
