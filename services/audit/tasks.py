"""The audit task: claim the run, open the material of the tickets, run the suite, write the verdict. Safe to repeat.

An outage of the store leaves the run `waiting`; the control loop orders it again.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from services.audit.context import AuditContext
from services.audit.operator_retain_set import OperatorRetainSet
from services.audit.profiled import suite_for
from services.audit.verdict import Verdict, judge, set_aside, settled
from shared.artifacts.erasers import load_verified_eraser
from shared.artifacts.retain_sets import open_retain_set
from shared.artifacts.subject_material import material_source, open_material
from shared.core.leases import keep_alive
from shared.core.messaging import is_stopping
from shared.core.progress import Progress
from shared.db.models.erasers import EraserVersion
from shared.db.models.tickets import Ticket
from shared.db.repositories import audits, erasers, models
from shared.db.repositories.retain_sets import get_set
from shared.db.session import transaction
from shared.db.tenants import of_tenant
from shared.domain.subjects import Subject
from shared.domain.ticket_lifecycle import CLOSED
from shared.errors import Conflict, IntegrityFailure, LacunaError, NeedsResubmission, Unavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AuditMaterial:
    """The people whom a version's tickets are about, by ticket id, and where they were read from.

    `from_kits` are tickets whose payload was shredded; `gone` are tickets that are over and have no material left.
    """

    subjects: dict[str, Subject]
    from_kits: list[str]
    gone: list[str]


def audit_version(context: AuditContext, audit_id: str, version_id: str) -> None:
    """Audit version `version_id` as run `audit_id`; does nothing where it has ended or another worker holds it."""
    with transaction(context.database) as session:
        tenant = models.tenant_of(session, erasers.get_version_by_id(session, version_id).model_id)
        claim = audits.claim_audit(session, audit_id, version_id, lease_s=context.lease_s)
    if claim is None or claim.already_done:
        logger.info("audit %s has ended, or another worker holds it", audit_id)
        return
    fence = claim.fence
    context = replace(context, database=of_tenant(context.database, tenant)) if tenant is not None else context

    def write(progress: Progress) -> None:
        with transaction(context.database) as session:
            audits.renew_lease(
                session, audit_id, fence, context.lease_s, stage=progress.stage, progress=progress.counts
            )
        context.heartbeat()

    progress = Progress(f"audit {audit_id}", write)
    try:
        with keep_alive(lambda: write(progress), context.lease_s / 3):
            with transaction(context.database) as session:
                version = erasers.get_version_by_id(session, version_id)
                tickets = erasers.covered_tickets(session, version_id)
                unchanged = erasers.unchanged_tickets(session, version)
            eraser = load_verified_eraser(context.store, context.keys, context.verifier, version)
            operator_set = _operator_set(context, version)
            material = open_tickets(context, version_id, tickets)
            new = len(material.subjects.keys() - unchanged)
            logger.info("audit of version %d: %d tickets, %d changed", version.number, len(material.subjects), new)
            report = suite_for(context, version).audit(
                eraser,
                material.subjects,
                progress,
                operator_set,
                unchanged,
            )
            report = settled(report, context.thresholds)
            report["set_aside"] = set_aside(report, context.thresholds)
            report["material"] = {"kit": material.from_kits, "gone": material.gone}
            verdict = judge(report, context.thresholds)
    except Unavailable as exc:
        logger.warning("audit %s waits: %s", audit_id, exc.detail)
        _finish(context, audit_id, fence, "waiting", error=exc.detail)
        return
    except Conflict as exc:
        logger.warning("this worker gives up audit %s: %s", audit_id, exc.detail)
        return
    except Exception as exc:
        if is_stopping():
            logger.warning("audit %s is interrupted: the worker is stopped", audit_id)
            _finish(context, audit_id, fence, "waiting", error="the worker was stopped")
            return
        logger.exception("audit %s failed", audit_id)
        detail = exc.detail if isinstance(exc, LacunaError) else f"unexpected: {type(exc).__name__}"
        _finish(context, audit_id, fence, "failed", verdict=Verdict((detail,)), error=detail)
        return
    _finish(context, audit_id, fence, "succeeded", verdict=verdict, report=report)
    reasons = "".join(f"\n  {reason}" for reason in verdict.reasons)
    logger.info("version %d %s its audit%s", version.number, verdict.word, reasons)


def _finish(
    context: AuditContext,
    audit_id: str,
    fence: int,
    status: str,
    *,
    verdict: Verdict | None = None,
    report: dict[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Write how the audit ended; where that fails the lease expires, and the audit is ordered again."""
    try:
        with transaction(context.database) as session:
            audits.finish_audit(
                session,
                audit_id,
                fence,
                status=status,
                verdict=verdict.word if verdict else None,
                reasons=list(verdict.reasons) if verdict else [],
                report=report,
                error=error,
            )
    except (Conflict, Unavailable) as exc:
        logger.warning("audit %s: the status %s cannot be written: %s", audit_id, status, exc.detail)


def open_tickets(context: AuditContext, version_id: str, tickets: Sequence[Ticket]) -> AuditMaterial:
    """Open what is left of each ticket: the payload, else the audit kit.

    Raises NeedsResubmission, naming the tickets in force that have neither.
    """

    def reload(ticket_id: str) -> Ticket:
        with transaction(context.database) as session:
            covered = erasers.covered_tickets(session, version_id)
        return next(ticket for ticket in covered if ticket.id == ticket_id)

    material = AuditMaterial({}, [], [])
    lacking: list[str] = []
    for ticket in tickets:
        try:
            material.subjects[ticket.id] = open_material(
                context.store, context.keys, ticket, partial(reload, ticket.id)
            )
            if material_source(ticket) == "kit":
                material.from_kits.append(ticket.id)
        except NeedsResubmission:
            (material.gone if ticket.state in CLOSED else lacking).append(ticket.id)
    if lacking:
        raise NeedsResubmission(
            f"{', '.join(lacking)} cannot be audited any more: neither raw material nor audit kit is left. Have "
            "them filed again, and withdraw the old tickets then."
        )
    return material


def _operator_set(context: AuditContext, version: EraserVersion) -> OperatorRetainSet | None:
    """The operator's own retain set that `version` was made with, without the rows that the fit excluded."""
    stated = version.manifest.get("retain_set") or {}
    excluded_people = frozenset(stated.get("absent", ()))
    if stated.get("number") is None:
        return OperatorRetainSet(None, (), excluded_people) if excluded_people else None
    with transaction(context.database) as session:
        retain_set = get_set(session, version.model_id, stated["number"])
    if retain_set.digest != stated["digest"]:
        raise IntegrityFailure(
            f"Retain set {retain_set.number} is not the one that version {version.number} was made with."
        )
    excluded_rows = {excluded["row"] for excluded in stated["left_out"]}
    rows = open_retain_set(context.store, context.keys, retain_set)
    kept = tuple(row for row in rows if row.number not in excluded_rows)
    return OperatorRetainSet(retain_set.number, kept, excluded_people)
