"""What the inference service reads (what it has to serve, whose key this is) and writes (what it serves)."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.clock import utc_now
from shared.db.models import ApiKey, DesiredState, EraserVersion, Replica


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


def find_api_key(session: Session, key: str) -> ApiKey | None:
    """The key's row, unless it is unknown, expired or revoked."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    valid = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > utc_now())
    return session.scalar(select(ApiKey).where(ApiKey.key_sha256 == digest, ApiKey.revoked_at.is_(None), valid))
