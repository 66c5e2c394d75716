"""What the refit service reads and writes. Every write carries its fence: a worker that lost its lease is told."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.clock import utc_now
from shared.contracts import QUEUE_AUDIT, TASK_AUDIT
from shared.db.models import (
    AuditRun,
    EraserVersion,
    FitRows,
    LogLeaf,
    Model,
    Outbox,
    RefitRun,
    RefitRunTicket,
    Ticket,
    VersionTicket,
)
from shared.errors import Conflict, IntegrityFailure, NotFound
from shared.lifecycle import IN_FORCE, OVER
from shared.log.coverage import coverage_root

FINAL = ("succeeded", "nothing_to_do", "failed")


@dataclass(frozen=True)
class Claim:
    """The right to carry out a run, until somebody with a higher `fence` has it."""

    fence: int
    already_done: bool = False


@dataclass(frozen=True)
class Latest:
    """The newest version: the tickets it covers, and whether it passed or still may pass its audit."""

    number: int
    tickets: frozenset[str]
    usable: bool
    manifest: Mapping[str, Any]


def get_model(session: Session, model_id: str) -> Model:
    """The model; raises NotFound."""
    model = session.get(Model, model_id)
    if model is None:
        raise NotFound(f"There is no model {model_id}.")
    return model


def claim_run(
    session: Session,
    run_id: str,
    model_id: str,
    kind: str,
    *,
    period: str | None = None,
    recipe: str | None = None,
    lease_s: float,
) -> Claim | None:
    """Take the run, making its row where it is new; None where it is in other hands or another run has its period."""
    now = utc_now()
    session.execute(
        insert(RefitRun)
        .values(
            id=uuid.UUID(run_id),
            model_id=model_id,
            kind=kind,
            period=period,
            recipe=recipe,
            status="waiting",
            attempt=0,
            fence=0,
            started_at=now,
        )
        .on_conflict_do_nothing()
    )
    run = session.scalar(select(RefitRun).where(RefitRun.id == uuid.UUID(run_id)).with_for_update())
    if run is None:
        return None
    if run.status in FINAL:
        return Claim(run.fence, already_done=True)
    if run.status == "running" and run.lease_until is not None and run.lease_until > now:
        return None
    run.status, run.stage, run.error = "running", "claimed", None
    run.attempt += 1
    run.fence += 1
    run.lease_until = now + timedelta(seconds=lease_s)
    return Claim(run.fence)


def heartbeat(
    session: Session, run_id: str, fence: int, stage: str, lease_s: float, progress: Mapping[str, Any] | None = None
) -> None:
    """Prolong the lease, and say how far the run is; raises Conflict where the lease is lost."""
    lease = utc_now() + timedelta(seconds=lease_s)
    _fenced(session, run_id, fence, stage=stage, lease_until=lease, progress=dict(progress) if progress else None)


def set_notes(session: Session, run_id: str, fence: int, notes: Sequence[str]) -> None:
    """What whoever looks at the run should know; raises Conflict where the lease is lost."""
    _fenced(session, run_id, fence, notes=list(notes))


def finish_run(
    session: Session,
    run_id: str,
    fence: int,
    status: str,
    *,
    error: str | None = None,
    version_id: uuid.UUID | None = None,
    seconds: Mapping[str, float] | None = None,
) -> None:
    """End the run, or leave it `waiting` for another try; raises Conflict where the lease is lost."""
    values: dict[str, Any] = {"status": status, "error": error, "lease_until": None}
    if status in FINAL:
        values["finished_at"] = utc_now()
    if version_id is not None:
        values["version_id"] = version_id
    if seconds is not None:
        values["seconds"] = dict(seconds)
    _fenced(session, run_id, fence, **values)


def _fenced(session: Session, run_id: str, fence: int, **values: Any) -> None:
    changed = session.execute(
        update(RefitRun)
        .where(RefitRun.id == uuid.UUID(run_id), RefitRun.fence == fence, RefitRun.status == "running")
        .values(**{"fence": fence, **values})
        .returning(RefitRun.id)
    ).first()
    if changed is None:
        raise Conflict(f"Refit {run_id} is in other hands.")


def tickets_in_force(session: Session, model_id: str) -> list[Ticket]:
    """All tickets that the next version has to cover, oldest first."""
    found = select(Ticket).where(Ticket.model_id == model_id, Ticket.state.in_(IN_FORCE))
    return list(session.scalars(found.order_by(Ticket.submitted_at, Ticket.id)))


def set_ticket_outcome(
    session: Session, run_id: str, fence: int, ticket_id: str, outcome: str, detail: str | None = None
) -> None:
    """What the run did with the ticket, and why in a sentence; raises Conflict where the lease is lost."""
    _fenced(session, run_id, fence)
    values = {"run_id": uuid.UUID(run_id), "ticket_id": ticket_id, "outcome": outcome, "at": utc_now()}
    values["detail"] = detail
    session.execute(
        insert(RefitRunTicket)
        .values(**values)
        .on_conflict_do_update(
            index_elements=["run_id", "ticket_id"], set_={"outcome": outcome, "at": values["at"], "detail": detail}
        )
    )


def get_ticket(session: Session, ticket_id: str) -> Ticket:
    """The ticket as it is now."""
    return session.get_one(Ticket, ticket_id)


def get_rows(session: Session, model_id: str, ticket_id: str, digest: str) -> FitRows | None:
    """Where the ticket's rows for these statistics are, if they were made. Destroyed ones have no key."""
    return session.get(FitRows, (model_id, ticket_id, digest))


def put_rows(
    session: Session, *, model_id: str, ticket_id: str, digest: str, object_key: str, sha256: str, wrapped_key: bytes
) -> None:
    """Remember rows that are in the store."""
    values = {"object_key": object_key, "sha256": sha256, "wrapped_key": wrapped_key, "created_at": utc_now()}
    session.execute(
        insert(FitRows)
        .values(model_id=model_id, ticket_id=ticket_id, digest=digest, **values)
        .on_conflict_do_update(index_elements=["model_id", "ticket_id", "digest"], set_=values)
    )


def destroy_rows_out_of_force(session: Session, model_id: str) -> list[str]:
    """Destroy the keys of the rows of tickets that are over, with a leaf for each; the objects that can be removed."""
    over = select(Ticket.id).where(Ticket.model_id == model_id, Ticket.state.in_(OVER))
    gone = session.execute(
        update(FitRows)
        .where(FitRows.model_id == model_id, FitRows.ticket_id.in_(over), FitRows.wrapped_key.is_not(None))
        .values(wrapped_key=None)
        .returning(FitRows.ticket_id, FitRows.object_key, FitRows.sha256)
    ).all()
    for ticket, key, digest in gone:
        session.execute(
            insert(LogLeaf).values(
                at=utc_now(),
                actor="refit",
                kind="rows.destroyed",
                subject=ticket,
                detail={"object": key, "sha256": digest},
            )
        )
    return [key for _, key, _ in gone]


def next_version_number(session: Session, model_id: str) -> int:
    """One more than the newest; 0 for the first."""
    newest = session.scalar(select(func.max(EraserVersion.number)).where(EraserVersion.model_id == model_id))
    return 0 if newest is None else newest + 1


def add_version(
    session: Session,
    *,
    run_id: str,
    fence: int,
    model_id: str,
    number: int,
    recipe: str,
    object_key: str,
    sha256: str,
    size_bytes: int,
    manifest: dict[str, Any],
    envelope: dict[str, Any],
    wrapped_key: bytes,
    tickets: Mapping[str, str],
) -> EraserVersion:
    """Publish a candidate with its coverage, order its audit and log it, in the caller's transaction.

    Raises IntegrityFailure where the signed manifest commits to another coverage.
    """
    _fenced(session, run_id, fence)
    now = utc_now()
    root = coverage_root(tickets)
    if manifest.get("coverage", {}).get("root", root) != root:
        raise IntegrityFailure(f"The manifest of version {number} commits to other tickets than it covers.")
    version = EraserVersion(
        id=uuid.uuid4(),
        model_id=model_id,
        number=number,
        run_id=uuid.UUID(run_id),
        recipe=recipe,
        object_key=object_key,
        sha256=sha256,
        size_bytes=size_bytes,
        manifest=manifest,
        envelope=envelope,
        wrapped_key=wrapped_key,
        created_at=now,
        coverage_root=root,
    )
    session.add(version)
    session.flush()
    session.add_all(
        VersionTicket(version_id=version.id, ticket_id=ticket, rows_sha256=sha) for ticket, sha in tickets.items()
    )
    audit = uuid.uuid4()
    session.add(
        Outbox(
            id=audit,
            queue=QUEUE_AUDIT,
            task=TASK_AUDIT,
            kwargs={"audit": str(audit), "version": str(version.id)},
            created_at=now,
            attempts=0,
        )
    )
    session.execute(
        insert(LogLeaf).values(
            at=now,
            actor="refit",
            kind="eraser.published",
            subject=f"{model_id}/{number}",
            detail={"sha256": sha256, "tickets": dict(tickets), "recipe": recipe, "run": run_id, "coverage_root": root},
        )
    )
    session.flush()
    return version


def latest_version(session: Session, model_id: str) -> Latest | None:
    """The newest version with its coverage, if there is any."""
    version = session.scalar(
        select(EraserVersion).where(EraserVersion.model_id == model_id).order_by(EraserVersion.number.desc()).limit(1)
    )
    if version is None:
        return None
    tickets = session.scalars(select(VersionTicket.ticket_id).where(VersionTicket.version_id == version.id))
    verdicts = set(session.scalars(select(AuditRun.verdict).where(AuditRun.version_id == version.id)))
    return Latest(
        version.number,
        frozenset(tickets),
        usable="passed" in verdicts or "failed" not in verdicts,
        manifest=version.manifest,
    )
