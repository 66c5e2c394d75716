"""The transition table, the problems, the settings."""

import typing

import pytest

from shared import errors
from shared.core.config import load_settings, read_pairs
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
from shared.errors import BadInput, Conflict, LacunaError

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


def test_what_is_over_stays_over() -> None:
    for state in ("rejected", "withdrawn", "expired"):
        assert not any(is_allowed(state, event) for event in EVENTS)
    assert [event for event in EVENTS if is_allowed("duplicate", event)] == ["distinguish"]


def test_only_what_was_approved_is_in_force() -> None:
    assert not set(IN_FORCE) & {*UNDECIDED, "rejected", "withdrawn", "duplicate", "expired"}
    assert set(IN_PROGRESS) | {"completed"} <= set(IN_FORCE)
    assert set(TRANSITIONS) == set(EVENTS)


def test_every_error_is_a_problem_with_a_type_of_its_own() -> None:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LacunaError)]
    assert len({kind.code for kind in found}) == len(found)
    for kind in found:
        body = kind("A sentence.", tickets=["T-1"]).problem()
        assert body.keys() == {"type", "title", "status", "detail", "tickets"}
        assert 400 <= body["status"] < 600


def test_settings_name_what_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACUNA_GRACE_S", "soon")
    load_settings.cache_clear()
    with pytest.raises(BadInput, match="LACUNA_GRACE_S"):
        load_settings()
    load_settings.cache_clear()


def test_pairs_are_read_and_never_repeated() -> None:
    assert read_pairs("X", "a=1, b=2=3,") == {"a": "1", "b": "2=3"}
    with pytest.raises(BadInput) as refused:
        read_pairs("LACUNA_FIRST_KEYS", "olivia:secret")
    assert "secret" not in refused.value.detail
