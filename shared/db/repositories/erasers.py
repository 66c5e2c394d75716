"""Eraser versions and the tickets that they cover."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.audits import AuditRun
from shared.db.models.erasers import EraserVersion, VersionTicket
from shared.db.models.tickets import Ticket
from shared.db.repositories.audit_log import append_leaf
from shared.db.repositories.audits import order_audit
from shared.db.repositories.refits import check_lease
from shared.errors import IntegrityFailure, NotFound
from shared.transparency.coverage import coverage_root


@dataclass(frozen=True)
class NewVersion:
    """A candidate whose object is in the store. `tickets` maps each covered ticket to the sha256 of its fit."""

    model_id: str
    number: int
    recipe: str
    object_key: str
    sha256: str
    size_bytes: int
    manifest: dict[str, Any]
    envelope: dict[str, Any]
    wrapped_key: bytes
    tickets: Mapping[str, str]


@dataclass(frozen=True)
class LatestVersion:
    """The newest version: the tickets that it covers, and whether it passed its audit or may still pass it."""

    number: int
    tickets: frozenset[str]
    usable: bool
    manifest: Mapping[str, Any]


def get_version(session: Session, model_id: str, number: int) -> EraserVersion:
    """Version `number` of the model. Raises NotFound."""
    version = session.scalar(
        select(EraserVersion).where(EraserVersion.model_id == model_id, EraserVersion.number == number)
    )
    if version is None:
        raise NotFound(f"There is no eraser version {number}.")
    return version


def get_version_by_id(session: Session, version_id: str) -> EraserVersion:
    """The version with this id, which a message carries. Raises NotFound."""
    version = session.get(EraserVersion, uuid.UUID(version_id))
    if version is None:
        raise NotFound(f"There is no eraser version {version_id}.")
    return version


def covered_ticket_ids(session: Session, version_id: uuid.UUID) -> list[str]:
    """Ids of the tickets that the version covers, sorted."""
    query = select(VersionTicket.ticket_id).where(VersionTicket.version_id == version_id)
    return list(session.scalars(query.order_by(VersionTicket.ticket_id)))


def version_numbers_covering(session: Session, ticket_id: str) -> list[int]:
    """The numbers of the versions that cover the ticket, the newest first."""
    covering = select(EraserVersion.number).join(VersionTicket, VersionTicket.version_id == EraserVersion.id)
    query = covering.where(VersionTicket.ticket_id == ticket_id).order_by(EraserVersion.number.desc())
    return list(session.scalars(query))


def covered_tickets(session: Session, version_id: str) -> list[Ticket]:
    """The tickets that the version covers, oldest first."""
    query = (
        select(Ticket)
        .join(VersionTicket, VersionTicket.ticket_id == Ticket.id)
        .where(VersionTicket.version_id == uuid.UUID(version_id))
    )
    return list(session.scalars(query.order_by(Ticket.submitted_at, Ticket.id)))


def unchanged_tickets(session: Session, version: EraserVersion) -> frozenset[str]:
    """The tickets of `version` that an earlier version, which passed its audit, covers with the same fit.

    It is the newest such version whose audit has a row for each ticket, so that they were once asked about in full.
    Where the statistics are others, every ticket counts as changed.
    """
    earlier = session.scalar(
        select(EraserVersion)
        .join(AuditRun, AuditRun.version_id == EraserVersion.id)
        .where(
            EraserVersion.model_id == version.model_id,
            EraserVersion.number < version.number,
            AuditRun.verdict == "passed",
            AuditRun.report.has_key("ticket_verdicts"),
        )
        .order_by(EraserVersion.number.desc())
        .limit(1)
    )
    if earlier is None or earlier.manifest.get("statistics") != version.manifest.get("statistics"):
        return frozenset()
    before, now = (_commitments(session, each.id) for each in (earlier, version))
    return frozenset(ticket for ticket, sha in now.items() if before.get(ticket) == sha)


def newest_passed(session: Session, ticket: Ticket) -> EraserVersion:
    """The newest version that covers the ticket and passed its audit. Raises NotFound."""
    version = session.scalar(
        select(EraserVersion)
        .join(VersionTicket, VersionTicket.version_id == EraserVersion.id)
        .join(AuditRun, AuditRun.version_id == EraserVersion.id)
        .where(VersionTicket.ticket_id == ticket.id, AuditRun.verdict == "passed")
        .order_by(EraserVersion.number.desc())
        .limit(1)
    )
    if version is None:
        raise NotFound(f"No version that passed its audit covers ticket {ticket.id}.")
    return version


def _commitments(session: Session, version_id: uuid.UUID) -> dict[str, str]:
    rows = session.scalars(select(VersionTicket).where(VersionTicket.version_id == version_id))
    return {row.ticket_id: row.rows_sha256 for row in rows}


def next_version_number(session: Session, model_id: str) -> int:
    """One more than the newest version's number; 0 for the first."""
    newest = session.scalar(select(func.max(EraserVersion.number)).where(EraserVersion.model_id == model_id))
    return 0 if newest is None else newest + 1


def latest_version(session: Session, model_id: str) -> LatestVersion | None:
    """The newest version with its coverage, where there is one."""
    version = session.scalar(
        select(EraserVersion).where(EraserVersion.model_id == model_id).order_by(EraserVersion.number.desc()).limit(1)
    )
    if version is None:
        return None
    tickets = session.scalars(select(VersionTicket.ticket_id).where(VersionTicket.version_id == version.id))
    verdicts = set(session.scalars(select(AuditRun.verdict).where(AuditRun.version_id == version.id)))
    return LatestVersion(
        version.number,
        frozenset(tickets),
        usable="passed" in verdicts or "failed" not in verdicts,
        manifest=version.manifest,
    )


def add_version(session: Session, run_id: str, fence: int, new: NewVersion) -> EraserVersion:
    """Publish a candidate with its coverage, log it and order its audit, all in the caller's transaction.

    Raises Conflict where the run lost its lease, IntegrityFailure where the signed manifest commits to another
    coverage.
    """
    check_lease(session, run_id, fence)
    root = coverage_root(new.tickets)
    if new.manifest.get("coverage", {}).get("root", root) != root:
        raise IntegrityFailure(f"The manifest of version {new.number} commits to other tickets than it covers.")
    version = EraserVersion(
        id=uuid.uuid4(),
        model_id=new.model_id,
        number=new.number,
        run_id=uuid.UUID(run_id),
        recipe=new.recipe,
        object_key=new.object_key,
        sha256=new.sha256,
        size_bytes=new.size_bytes,
        manifest=new.manifest,
        envelope=new.envelope,
        wrapped_key=new.wrapped_key,
        created_at=utc_now(),
        coverage_root=root,
    )
    session.add(version)
    session.flush()
    session.add_all(
        VersionTicket(version_id=version.id, ticket_id=ticket, rows_sha256=sha) for ticket, sha in new.tickets.items()
    )
    order_audit(session, version.id)
    detail = {"sha256": new.sha256, "tickets": dict(new.tickets), "recipe": new.recipe}
    detail |= {"run": run_id, "coverage_root": root}
    append_leaf(session, "refit", "eraser.published", f"{new.model_id}/{new.number}", detail)
    session.flush()
    return version
