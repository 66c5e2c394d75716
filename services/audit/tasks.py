"""The audit task: claim the run, open what the version covers, run the suite, write the verdict. Safe to repeat.

An outage of the store leaves the run `waiting`; the clerk orders it again.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Engine as Database

from services.audit.operator_retain_set import OperatorRetainSet
from services.audit.suite import Suite
from services.audit.verdict import Thresholds, Verdict, judge
from shared.artifacts.erasers import load_verified_eraser
from shared.artifacts.retain_sets import open_retain_set
from shared.artifacts.subject_material import material_source, open_material
from shared.core.leases import keep_alive
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Verifier
from shared.db.models.erasers import EraserVersion
from shared.db.models.tickets import Ticket
from shared.db.repositories import audits, erasers
from shared.db.repositories.retain_sets import get_set
from shared.db.session import transaction
from shared.domain.subjects import Subject
from shared.domain.ticket_lifecycle import CLOSED
from shared.errors import Conflict, IntegrityFailure, LacunaError, NeedsResubmission, Unavailable
from shared.storage.base import ObjectStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AuditContext:
    """All that an audit needs, made once at the worker's door."""

    suite: Suite
    thresholds: Thresholds
    store: ObjectStore
    keys: KeyRing
    verifier: Verifier
    database: Database
    lease_s: float = 30.0
    beat: Callable[[], None] = lambda: None  # the worker's pulse


def audit_version(bench: AuditContext, audit_id: str, version_id: str) -> None:
    """Audit version `version_id` under the run `audit_id`; does nothing where that is done or in other hands."""
    with transaction(bench.database) as session:
        claim = audits.claim_audit(session, audit_id, version_id, lease_s=bench.lease_s)
    if claim is None or claim.already_done:
        logger.info("audit %s is done or in other hands", audit_id)
        return
    fence = claim.fence

    def beat() -> None:
        with transaction(bench.database) as session:
            audits.renew_lease(session, audit_id, fence, lease_s=bench.lease_s)
        bench.beat()

    try:
        with keep_alive(beat, bench.lease_s / 3):
            with transaction(bench.database) as session:
                version = erasers.get_version_by_id(session, version_id)
                tickets = erasers.covered_tickets(session, version_id)
            eraser = load_verified_eraser(bench.store, bench.keys, bench.verifier, version)
            own = _own(bench, version)
            subjects, material = _subjects(bench, version_id, tickets)
            logger.info("audit of version %d: %d tickets", version.number, len(subjects))
            report = bench.suite.audit(
                eraser, subjects, lambda text: logger.info("version %d: %s", version.number, text), own
            )
            report["material"] = material
            verdict = judge(report, bench.thresholds)
    except Unavailable as exc:
        logger.warning("audit %s waits: %s", audit_id, exc.detail)
        _end(bench, audit_id, fence, "waiting", error=exc.detail)
        return
    except Conflict as exc:
        logger.warning("audit %s is given up here: %s", audit_id, exc.detail)
        return
    except Exception as exc:
        logger.exception("audit %s failed", audit_id)
        detail = exc.detail if isinstance(exc, LacunaError) else f"unexpected: {type(exc).__name__}"
        _end(bench, audit_id, fence, "failed", verdict=Verdict((detail,)), error=detail)
        return
    _end(bench, audit_id, fence, "succeeded", verdict=verdict, report=report)
    logger.info("version %d %s its audit%s", version.number, verdict.word, "".join(f"\n  {r}" for r in verdict.reasons))


def _end(
    bench: AuditContext,
    audit_id: str,
    fence: int,
    status: str,
    *,
    verdict: Verdict | None = None,
    report: dict[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Write how it ended; where that cannot be written the lease lapses, and the audit is ordered again."""
    try:
        with transaction(bench.database) as session:
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
        logger.warning("audit %s is %s, which cannot be written: %s", audit_id, status, exc.detail)


def _subjects(
    bench: AuditContext, version_id: str, tickets: Sequence[Ticket]
) -> tuple[dict[str, Subject], dict[str, list[str]]]:
    """Whom the tickets speak of, and which of them were read from a kit or not at all because they are over.

    Raises NeedsResubmission, naming them, where tickets in force have neither payload nor kit.
    """

    def again(ticket_id: str) -> Ticket:
        with transaction(bench.database) as session:
            return next(one for one in erasers.covered_tickets(session, version_id) if one.id == ticket_id)

    subjects: dict[str, Subject] = {}
    material: dict[str, list[str]] = {"kit": [], "gone": []}
    lacking: list[str] = []
    for ticket in tickets:
        try:
            subjects[ticket.id] = open_material(bench.store, bench.keys, ticket, partial(again, ticket.id))
            if material_source(ticket) == "kit":
                material["kit"].append(ticket.id)
        except NeedsResubmission:
            (material["gone"] if ticket.state in CLOSED else lacking).append(ticket.id)
    if lacking:
        raise NeedsResubmission(
            f"{', '.join(lacking)} cannot be audited any more: neither raw material nor audit kit is left. Have "
            "them filed again, and withdraw the old tickets then."
        )
    return subjects, material


def _own(bench: AuditContext, version: EraserVersion) -> OperatorRetainSet | None:
    """The operator's own retain set that `version` was made with, without the rows that the fit left out."""
    made_with = version.manifest.get("retain_set") or {}
    absent = frozenset(made_with.get("absent", ()))
    if made_with.get("number") is None:
        return OperatorRetainSet(None, (), absent) if absent else None
    with transaction(bench.database) as session:
        found = get_set(session, version.model_id, made_with["number"])
    if found.digest != made_with["digest"]:
        raise IntegrityFailure(f"Retain set {found.number} is not the one that version {version.number} was made with.")
    out = {one["row"] for one in made_with["left_out"]}
    kept = tuple(row for row in open_retain_set(bench.store, bench.keys, found) if row.number not in out)
    return OperatorRetainSet(found.number, kept, absent)
