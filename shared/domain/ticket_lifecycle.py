"""A ticket's life: which event moves it from where to where, who may, and what must hold. One table; knows no database.

The same table of moves stands in the database (`lifecycle_move`), where a trigger refuses all others. Clock, legal hold
and visibility of the payload are facets of their own, not states.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from shared.domain.four_eyes import find_conflict
from shared.errors import (
    Conflict,
    Forbidden,
    IdentityInDoubt,
    LacunaError,
    NotAcknowledged,
    OwnAuditFailed,
    ReasonMissing,
)

State = Literal[
    "received", "identity_pending", "under_review", "approved", "scheduled", "fitting", "auditing", "deploying",
    "completed", "rejected", "withdrawn", "duplicate", "expired", "failed", "regressed",
]  # fmt: skip
Event = Literal[
    "review", "doubt", "verify", "approve", "schedule", "fit", "no_leak", "audit", "deploy", "complete", "fail",
    "retry", "reject", "withdraw", "duplicate", "distinguish", "expire", "expose", "return",
]  # fmt: skip

CLERK: Final = "clerk"  # the role of our own process
WAITING: Final = ("received", "identity_pending", "under_review")
WORKING: Final = ("approved", "scheduled", "fitting", "auditing", "deploying")
# Whose people a refit covers: all that are approved and not taken back.
IN_FORCE: Final[tuple[State, ...]] = (*WORKING, "completed", "failed", "regressed")
OVER: Final[tuple[State, ...]] = ("rejected", "withdrawn", "duplicate", "expired")

FILING: Final = ("requester", "officer", "admin", CLERK)
MANAGING: Final = ("officer", "approver", "admin")
DECIDING: Final = ("approver", "admin")
OPERATING: Final = ("operator", "officer", "approver", "admin", CLERK)
ROLLING: Final = ("operator", "admin", CLERK)


@dataclass(frozen=True)
class TransitionContext:
    """What the guards look at: who moves the ticket, and what is known of it."""

    actor: str
    submitted_by: str = ""
    last_edited_by: str = ""
    identity: str = "assumed"
    ground: str | None = None
    code: str | None = None
    audit_passed: bool = False
    acknowledged: bool = False


def _four_eyes(case: TransitionContext) -> LacunaError | None:
    deeds = {"filed this ticket": case.submitted_by, "edited this ticket last": case.last_edited_by}
    return find_conflict(case.actor, deeds, "approve it")


def _identity(case: TransitionContext) -> LacunaError | None:
    return IdentityInDoubt("Whether it is that person who asks is in doubt.") if case.identity == "doubted" else None


def _ground(case: TransitionContext) -> LacunaError | None:
    return None if case.ground else ReasonMissing("An approval names its ground (Article 17(1)).")


def _code(case: TransitionContext) -> LacunaError | None:
    return None if case.code else ReasonMissing("A rejection names its reason (Articles 17(3) and 12(5)).")


def _own_audit(case: TransitionContext) -> LacunaError | None:
    return None if case.audit_passed else OwnAuditFailed("Its own figures did not pass the audit.")


def _acknowledged(case: TransitionContext) -> LacunaError | None:
    return None if case.acknowledged else NotAcknowledged("Not every live replica serves a version that covers it.")


Guard = Callable[[TransitionContext], LacunaError | None]


class Transition(NamedTuple):
    """From any of `origins` to `target`, by whoever has one of `actors`, where every guard is silent."""

    origins: tuple[str, ...]
    target: State
    actors: tuple[str, ...]
    guards: tuple[Guard, ...] = ()


_CLERK = (CLERK,)
MOVES: Final[dict[Event, Transition]] = {
    "review": Transition(("received",), "under_review", FILING),
    "doubt": Transition(("received", "under_review"), "identity_pending", MANAGING),
    "verify": Transition(("identity_pending",), "under_review", MANAGING),
    "approve": Transition(("under_review",), "approved", DECIDING, (_four_eyes, _identity, _ground)),
    "reject": Transition(WAITING, "rejected", MANAGING, (_code,)),
    "duplicate": Transition(("received",), "duplicate", FILING),
    "distinguish": Transition(("duplicate",), "under_review", MANAGING),
    "expire": Transition(("identity_pending",), "expired", _CLERK),
    "schedule": Transition(("approved", "failed"), "scheduled", OPERATING),
    "fit": Transition(("approved", "scheduled", "failed", "regressed"), "fitting", _CLERK),
    "no_leak": Transition(("approved", "scheduled", "fitting", "failed"), "under_review", _CLERK),
    "audit": Transition(("approved", "scheduled", "fitting", "failed", "regressed"), "auditing", _CLERK),
    "deploy": Transition(("approved", "scheduled", "fitting", "auditing", "failed", "regressed"), "deploying", _CLERK),
    "complete": Transition(("deploying",), "completed", _CLERK, (_own_audit, _acknowledged)),
    "fail": Transition(("approved", "scheduled", "fitting", "auditing", "deploying"), "failed", _CLERK),
    "retry": Transition(("failed",), "approved", OPERATING),
    "withdraw": Transition((*WAITING, *WORKING, "completed", "failed", "regressed"), "withdrawn", MANAGING),
    "expose": Transition(("completed",), "regressed", ROLLING),
    "return": Transition(("deploying",), "scheduled", ROLLING),
}


def allowed(state: str, event: Event) -> bool:
    """Whether `event` may happen in `state`."""
    return state in MOVES[event].origins


def move(state: str, event: Event) -> State:
    """The state after `event`; raises Conflict where it cannot happen."""
    if not allowed(state, event):
        raise Conflict(f"A ticket that is {state.replace('_', ' ')} cannot be moved by {event!r}.", state=state)
    return MOVES[event].target


def transition(state: str, event: Event, roles: Iterable[str], case: TransitionContext) -> State:
    """The state after `event`, where `roles` may cause it and no guard speaks against it.

    Raises Conflict, Forbidden, or what the guard says (FourEyes, IdentityInDoubt, ...).
    """
    target = move(state, event)
    rule = MOVES[event]
    if not set(roles) & set(rule.actors):
        raise Forbidden(f"This needs the role {' or '.join(sorted(set(rule.actors) - {CLERK})) or 'of the clerk'}.")
    for guard in rule.guards:
        if (refusal := guard(case)) is not None:
            raise refusal
    return target
