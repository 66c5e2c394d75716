"""The state machine of a ticket: which event leads from which state to which, who may cause it, and what must hold.

The same transitions are in the database (table `lifecycle_move`), where a trigger refuses all others. The statutory
clock, a legal hold and whether the payload still exists are properties of a ticket of their own, not states.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.four_eyes import Actor, find_conflict
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
    "reject", "withdraw", "duplicate", "distinguish", "reopen", "expire", "expose", "return",
    "amend",
]  # fmt: skip

STATES: Final[tuple[State, ...]] = get_args(State)
UNDECIDED: Final = ("received", "identity_pending", "under_review")
IN_PROGRESS: Final = ("approved", "scheduled", "fitting", "auditing", "deploying")
# The tickets that a refit covers: approved and not taken back.
IN_FORCE: Final[tuple[State, ...]] = (*IN_PROGRESS, "completed", "failed", "regressed")
# Why a ticket needs a person's attention.
POSSIBLE_NAMESAKE: Final = "possible_namesake"  # another open ticket has the same name, and nothing else in common
ADDS_MATERIAL: Final = "adds_material"  # another open ticket is about the same person, and this one says more
ORIGINAL_ENDED: Final = "original_ended"  # it was a duplicate of a ticket that ended, or was edited
NEEDS_RESUBMISSION: Final = "needs_resubmission"  # its material was shredded
NIGHTLY_AUDIT_FAILED: Final = "nightly_audit_failed"  # why a completed ticket is reopened: the deep part was told facts
SET_ASIDE: Final = "set_aside"  # why a ticket failed: because of it a version did, which is made again without it
CLOSED: Final[tuple[State, ...]] = ("rejected", "withdrawn", "duplicate", "expired")
ENDED_WITHOUT_ERASER: Final[tuple[State, ...]] = ("rejected", "withdrawn", "expired")  # their duplicates are reopened

FILING_ROLES: Final = ("requester", "officer", "admin", SYSTEM_ACTOR)
MANAGING_ROLES: Final = ("officer", "approver", "admin")
DECIDING_ROLES: Final = ("approver", "admin")
OPERATING_ROLES: Final = ("operator", "officer", "approver", "admin", SYSTEM_ACTOR)
ROLLBACK_ROLES: Final = ("operator", "admin", SYSTEM_ACTOR)


@dataclass(frozen=True)
class TransitionContext:
    """What the guards look at: who causes the event, and what is known of the ticket.

    `material_by` says what was done to the ticket's material, such as "filed T-1", and by whom.
    """

    actor: Actor
    material_by: Sequence[tuple[str, Actor]] = ()
    identity: str = "assumed"
    ground: str | None = None
    code: str | None = None
    audit_passed: bool = False
    acknowledged: bool = False


def _four_eyes(context: TransitionContext) -> LacunaError | None:
    return find_conflict(context.actor, context.material_by, "approve it")


def _identity(context: TransitionContext) -> LacunaError | None:
    if context.identity == "doubted":
        return IdentityInDoubt("It is in doubt whether the person who asks is the person whom the ticket names.")
    return None


def _ground(context: TransitionContext) -> LacunaError | None:
    return None if context.ground else ReasonMissing("An approval names its ground (Article 17(1)).")


def _code(context: TransitionContext) -> LacunaError | None:
    return None if context.code else ReasonMissing("A rejection names its reason (Articles 17(3) and 12(5)).")


def _own_audit(context: TransitionContext) -> LacunaError | None:
    return None if context.audit_passed else OwnAuditFailed("The ticket's own figures did not pass the audit.")


def _acknowledged(context: TransitionContext) -> LacunaError | None:
    if context.acknowledged:
        return None
    return NotAcknowledged("Not every live replica serves a version that covers the ticket.")


Guard = Callable[[TransitionContext], LacunaError | None]


class Transition(NamedTuple):
    """Leads from any of `origins` to `target`, caused by somebody with one of `roles`, where no guard refuses."""

    origins: tuple[str, ...]
    target: State
    roles: tuple[str, ...]
    guards: tuple[Guard, ...] = ()


_SYSTEM: Final = (SYSTEM_ACTOR,)
TRANSITIONS: Final[dict[Event, Transition]] = {
    "review": Transition(("received",), "under_review", FILING_ROLES),
    "doubt": Transition(("received", "under_review"), "identity_pending", (*MANAGING_ROLES, SYSTEM_ACTOR)),
    "verify": Transition(("identity_pending",), "under_review", MANAGING_ROLES),
    "approve": Transition(("under_review",), "approved", DECIDING_ROLES, (_four_eyes, _identity, _ground)),
    "reject": Transition(UNDECIDED, "rejected", MANAGING_ROLES, (_code,)),
    "duplicate": Transition(("received",), "duplicate", FILING_ROLES),
    "distinguish": Transition(("duplicate",), "under_review", MANAGING_ROLES),
    "reopen": Transition(("duplicate",), "under_review", _SYSTEM),
    "expire": Transition(("identity_pending", "duplicate"), "expired", _SYSTEM),
    "schedule": Transition(("approved", "failed"), "scheduled", OPERATING_ROLES),
    "fit": Transition(("approved", "scheduled", "failed", "regressed"), "fitting", _SYSTEM),
    "no_leak": Transition(("approved", "scheduled", "fitting", "failed"), "under_review", _SYSTEM),
    "audit": Transition(("approved", "scheduled", "fitting", "failed", "regressed"), "auditing", _SYSTEM),
    "deploy": Transition(("approved", "scheduled", "fitting", "auditing", "failed", "regressed"), "deploying", _SYSTEM),
    "complete": Transition(("deploying",), "completed", _SYSTEM, (_own_audit, _acknowledged)),
    "fail": Transition(("approved", "scheduled", "fitting", "auditing", "deploying"), "failed", _SYSTEM),
    "amend": Transition(("failed",), "under_review", MANAGING_ROLES),
    "withdraw": Transition((*UNDECIDED, *IN_PROGRESS, "completed", "failed", "regressed"), "withdrawn", MANAGING_ROLES),
    "expose": Transition(("completed",), "regressed", ROLLBACK_ROLES),
    "return": Transition(("deploying",), "scheduled", ROLLBACK_ROLES),
}


def is_allowed(state: str, event: Event) -> bool:
    """Whether `event` can happen in `state`."""
    return state in TRANSITIONS[event].origins


def state_after(state: str, event: Event) -> State:
    """The state after `event`. Raises Conflict where the event cannot happen in `state`."""
    if not is_allowed(state, event):
        raise Conflict(f"A ticket that is {state.replace('_', ' ')} cannot be moved by {event!r}.", state=state)
    return TRANSITIONS[event].target


def transition(state: str, event: Event, roles: Iterable[str], context: TransitionContext) -> State:
    """The state after `event`, caused by an actor with `roles`.

    Raises Conflict where the event cannot happen in `state`, Forbidden where none of `roles` may cause it, or the error
    of the guard that refuses (FourEyes, IdentityInDoubt, ...).
    """
    target = state_after(state, event)
    rule = TRANSITIONS[event]
    if not set(roles) & set(rule.roles):
        people = sorted(set(rule.roles) - {SYSTEM_ACTOR})
        raise Forbidden(f"This needs the role {' or '.join(people)}." if people else "Only the control loop does this.")
    for guard in rule.guards:
        if (refusal := guard(context)) is not None:
            raise refusal
    return target
