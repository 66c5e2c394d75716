"""What the inference service reads (what it has to serve, whose key this is) and writes (what it serves)."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.erasers import DesiredState, EraserVersion, Promotion, Replica, VersionTicket
from shared.db.models.tickets import Ticket
from shared.db.repositories.audit_log import append_leaf
from shared.db.repositories.tickets import advance


@dataclass(frozen=True)
class Desired:
    """What a replica has to serve. `uncovered` counts people who must stay forgotten and whom it does not cover."""

    generation: int
    version: EraserVersion
    uncovered: int
    newest: int = -1  # number of the newest version that the database knows


def desired(session: Session, model_id: str) -> Desired | None:
    """The desired state of the model; None before anything was promoted."""
    row = session.execute(
        select(DesiredState.generation, EraserVersion)
        .join(EraserVersion, EraserVersion.id == DesiredState.version_id)
        .where(DesiredState.model_id == model_id)
    ).first()
    if row is None:
        return None
    generation, version = row
    missing = session.scalars(select(func.uncovered_tickets(model_id, version.id))).all()
    newest = session.scalar(select(func.max(EraserVersion.number)).where(EraserVersion.model_id == model_id))
    return Desired(generation, version, len(missing), -1 if newest is None else newest)


def uncovered_by(session: Session, model_id: str, number: int) -> int:
    """How many people must stay forgotten whom version `number` does not cover."""
    version = session.scalar(
        select(EraserVersion.id).where(EraserVersion.model_id == model_id, EraserVersion.number == number)
    )
    return len(session.scalars(select(func.uncovered_tickets(model_id, version))).all())


def acknowledge(
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
    """Tell what this replica serves; it counts as alive for `lease_s` more seconds."""
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
    """What has to be served, if anything was promoted yet."""
    query = select(DesiredState).where(DesiredState.model_id == model_id)
    return session.scalar(query.with_for_update() if lock else query)


def set_desired(
    session: Session, state: DesiredState | None, version: EraserVersion, kind: str, actor: str
) -> DesiredState:
    """Promote `version`; return the new desired state. `state` is the present one, locked, None before the first.

    The database refuses what has passed no audit or would expose somebody (see session.py).
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
    said = {"rollback": "rolled_back", "break_glass": "exposing"}.get(kind, "promoted")
    append_leaf(
        session,
        actor,
        f"eraser.{said}",
        f"{version.model_id}/{version.number}",
        {"generation": state.generation, "kind": kind},
    )
    return state


def return_deploying(session: Session, version: EraserVersion, actor: str, roles: Iterable[str]) -> None:
    """Tickets on their way into service that `version` does not cover wait for another one."""
    covered = select(VersionTicket.ticket_id).where(VersionTicket.version_id == version.id)
    found = select(Ticket).where(
        Ticket.model_id == version.model_id, Ticket.state == "deploying", Ticket.id.not_in(covered)
    )
    for ticket in session.scalars(found.with_for_update()):
        advance(session, ticket, "return", actor, f"back to version {version.number}", roles=roles)


def uncovered(session: Session, model_id: str, version_id: uuid.UUID) -> Sequence[str]:
    """Tickets that must stay forgotten and that the version does not cover."""
    return session.scalars(select(func.uncovered_tickets(model_id, version_id))).all()


def live_replicas(session: Session, model_id: str) -> list[Replica]:
    """Replicas whose lease has not run out."""
    return list(session.scalars(select(Replica).where(Replica.model_id == model_id, Replica.lease_until > utc_now())))
