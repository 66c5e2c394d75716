"""The desired state of a model: which version has to be served, who changed it, and what the replicas serve."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.erasers import DesiredState, EraserVersion, Promotion, Replica, VersionTicket
from shared.db.models.tickets import Ticket
from shared.db.repositories.audit_log import append_leaf
from shared.db.repositories.tickets import advance


@dataclass(frozen=True)
class DesiredVersion:
    """What every replica has to serve. `uncovered` counts the people it exposes who must stay forgotten."""

    generation: int
    version: EraserVersion
    uncovered: int
    newest: int = -1  # number of the newest version in the database; -1 where there is none
    changed_at: datetime | None = None  # when it was promoted


def desired_version(session: Session, model_id: str) -> DesiredVersion | None:
    """What the replicas of the model have to serve; None before anything was promoted."""
    row = session.execute(
        select(DesiredState.generation, DesiredState.changed_at, EraserVersion)
        .join(EraserVersion, EraserVersion.id == DesiredState.version_id)
        .where(DesiredState.model_id == model_id)
    ).first()
    if row is None:
        return None
    generation, changed_at, version = row
    exposed = uncovered_tickets(session, model_id, version.id)
    newest = session.scalar(select(func.max(EraserVersion.number)).where(EraserVersion.model_id == model_id))
    return DesiredVersion(generation, version, len(exposed), -1 if newest is None else newest, changed_at)


def count_uncovered(session: Session, model_id: str, number: int) -> int:
    """How many people that must stay forgotten version `number` does not cover."""
    version = session.scalar(
        select(EraserVersion.id).where(EraserVersion.model_id == model_id, EraserVersion.number == number)
    )
    return len(session.scalars(select(func.uncovered_tickets(model_id, version))).all())


def record_replica_state(
    session: Session,
    replica_id: str,
    model_id: str,
    *,
    generation: int,
    version_number: int | None,
    state: str,
    error: str | None,
    lease_s: float,
) -> None:
    """Record what a replica serves. It counts as live for `lease_s` more seconds."""
    now = utc_now()
    values = {
        "generation": generation,
        "version_number": version_number,
        "state": state,
        "error": error,
        "lease_until": now + timedelta(seconds=lease_s),
        "acked_at": now,
    }
    session.execute(
        insert(Replica)
        .values(id=replica_id, model_id=model_id, **values)
        .on_conflict_do_update(index_elements=["id", "model_id"], set_=values)
    )


def desired_state(session: Session, model_id: str, *, lock: bool = False) -> DesiredState | None:
    """The row of the desired state, where anything was promoted yet. `lock` keeps it until the transaction ends."""
    query = select(DesiredState).where(DesiredState.model_id == model_id)
    return session.scalar(query.with_for_update() if lock else query)


def set_desired_state(
    session: Session, state: DesiredState | None, version: EraserVersion, kind: str, actor: str
) -> DesiredState:
    """Promote `version`, with its entry in the history and in the log; return the new desired state.

    `state` is the present one, locked, or None before the first promotion. The database's guard refuses a version that
    has not passed its audit or that would expose somebody: see session.py.
    """
    now = utc_now()
    if state is None:
        state = DesiredState(
            model_id=version.model_id, generation=1, version_id=version.id, changed_by=actor, changed_at=now
        )
        session.add(state)
    else:
        state.generation += 1
        state.version_id, state.changed_by, state.changed_at = version.id, actor, now
    session.flush()
    session.add(
        Promotion(
            model_id=version.model_id,
            generation=state.generation,
            version_id=version.id,
            kind=kind,
            actor=actor,
            at=now,
        )
    )
    event = {"rollback": "rolled_back", "break_glass": "exposing"}.get(kind, "promoted")
    append_leaf(
        session,
        actor,
        f"eraser.{event}",
        f"{version.model_id}/{version.number}",
        {"generation": state.generation, "kind": kind},
    )
    return state


def return_deploying(session: Session, version: EraserVersion, actor: str, roles: Iterable[str]) -> None:
    """Send the tickets that are being deployed and that `version` does not cover back to wait for another version."""
    covered = select(VersionTicket.ticket_id).where(VersionTicket.version_id == version.id)
    tickets = select(Ticket).where(
        Ticket.model_id == version.model_id, Ticket.state == "deploying", Ticket.id.not_in(covered)
    )
    for ticket in session.scalars(tickets.with_for_update()):
        advance(session, ticket, "return", actor, f"back to version {version.number}", roles=roles)


def uncovered_tickets(session: Session, model_id: str, version_id: uuid.UUID) -> Sequence[str]:
    """Ids of the tickets that must stay forgotten and that the version does not cover."""
    return session.scalars(select(func.uncovered_tickets(model_id, version_id))).all()


def live_replicas(session: Session, model_id: str) -> list[Replica]:
    """The replicas of the model whose lease has not run out."""
    return list(session.scalars(select(Replica).where(Replica.model_id == model_id, Replica.lease_until > utc_now())))
