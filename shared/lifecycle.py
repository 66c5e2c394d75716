"""A ticket's life: which event moves it from where to where. One table, one function; knows no database."""

from typing import Final, Literal

from shared.errors import Conflict

State = Literal[
    "received", "identity_pending", "under_review", "approved", "scheduled", "fitting", "auditing", "deploying",
    "completed", "rejected", "withdrawn", "duplicate", "expired", "failed", "regressed",
]  # fmt: skip
Event = Literal[
    "review", "approve", "schedule", "fit", "no_leak", "audit", "deploy", "complete", "fail", "retry", "reject",
    "withdraw", "expose",
]  # fmt: skip

WAITING: Final = ("received", "identity_pending", "under_review")
WORKING: Final = ("approved", "scheduled", "fitting", "auditing", "deploying")
# Whose people a refit covers: all that are approved and not taken back.
IN_FORCE: Final[tuple[State, ...]] = (*WORKING, "completed", "failed", "regressed")

MOVES: Final[dict[Event, tuple[tuple[str, ...], State]]] = {
    "review": (("received", "identity_pending"), "under_review"),
    "approve": (WAITING, "approved"),
    "reject": (WAITING, "rejected"),
    "schedule": (("approved", "failed"), "scheduled"),
    "fit": (("approved", "scheduled", "failed", "regressed"), "fitting"),
    "no_leak": (("approved", "scheduled", "fitting", "failed"), "under_review"),
    "audit": (("approved", "scheduled", "fitting", "failed", "regressed"), "auditing"),
    "deploy": (("approved", "scheduled", "fitting", "auditing", "failed", "regressed"), "deploying"),
    "complete": (("deploying",), "completed"),
    "fail": (("approved", "scheduled", "fitting", "auditing", "deploying"), "failed"),
    "retry": (("failed",), "approved"),
    "withdraw": ((*WAITING, *WORKING, "completed", "failed", "regressed"), "withdrawn"),
    "expose": (("completed",), "regressed"),
}


def allowed(state: str, event: Event) -> bool:
    """Whether `event` may happen in `state`."""
    return state in MOVES[event][0]


def move(state: str, event: Event) -> State:
    """The state after `event`; raises Conflict where it cannot happen."""
    if not allowed(state, event):
        raise Conflict(f"A ticket that is {state.replace('_', ' ')} cannot be moved by {event!r}.", state=state)
    return MOVES[event][1]
