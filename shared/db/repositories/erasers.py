"""Versions and the tickets they cover."""

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
from shared.db.repositories.refits import _fenced
from shared.errors import IntegrityFailure, NotFound
from shared.transparency.coverage import coverage_root


def get_version(session: Session, model_id: str, number: int) -> EraserVersion:
    """The version; raises NotFound."""
    version = session.scalar(
        select(EraserVersion).where(EraserVersion.model_id == model_id, EraserVersion.number == number)
    )
    if version is None:
        raise NotFound(f"There is no eraser version {number}.")
    return version


def tickets_of(session: Session, version_id: uuid.UUID) -> list[str]:
    """Ids of the tickets that the version covers."""
    found = select(VersionTicket.ticket_id).where(VersionTicket.version_id == version_id)
    return list(session.scalars(found.order_by(VersionTicket.ticket_id)))


def get_version_by_id(session: Session, version_id: str) -> EraserVersion:
    """The version; raises NotFound."""
    version = session.get(EraserVersion, uuid.UUID(version_id))
    if version is None:
        raise NotFound(f"There is no eraser version {version_id}.")
    return version


def covered_tickets(session: Session, version_id: str) -> list[Ticket]:
    """The tickets that a version covers, oldest first."""
    found = (
        select(Ticket)
        .join(VersionTicket, VersionTicket.ticket_id == Ticket.id)
        .where(VersionTicket.version_id == uuid.UUID(version_id))
    )
    return list(session.scalars(found.order_by(Ticket.submitted_at, Ticket.id)))


@dataclass(frozen=True)
class Latest:
    """The newest version: the tickets it covers, and whether it passed or still may pass its audit."""

    number: int
    tickets: frozenset[str]
    usable: bool
    manifest: Mapping[str, Any]


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
        created_at=utc_now(),
        coverage_root=root,
    )
    session.add(version)
    session.flush()
    session.add_all(
        VersionTicket(version_id=version.id, ticket_id=ticket, rows_sha256=sha) for ticket, sha in tickets.items()
    )
    order_audit(session, version.id)
    append_leaf(
        session,
        "refit",
        "eraser.published",
        f"{model_id}/{number}",
        {"sha256": sha256, "tickets": dict(tickets), "recipe": recipe, "run": run_id, "coverage_root": root},
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
