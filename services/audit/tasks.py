"""The audit task: claim the run, open what the version covers, run the suite, write the verdict. Safe to repeat.

An outage of the store leaves the run `waiting`; the clerk orders it again.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Engine as Database

from services.audit.own import Own
from services.audit.suite import Suite
from services.audit.verdict import Thresholds, Verdict, judge
from shared.artifact import open_eraser
from shared.crypto import KeyRing, Verifier
from shared.db import repository_audit as rows
from shared.db.models import EraserVersion, Ticket
from shared.db.repository_retain import get_set
from shared.db.session import transaction
from shared.errors import Conflict, IntegrityFailure, LacunaError, NeedsResubmission, Unavailable
from shared.heartbeat import heartbeat
from shared.lifecycle import OVER
from shared.material import open_material, source
from shared.probes.expand import Subject
from shared.retained import open_rows
from shared.store.base import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bench:
    """All that an audit needs, made once at the worker's door."""

    suite: Suite
    thresholds: Thresholds
    store: Store
    keys: KeyRing
    verifier: Verifier
    database: Database
    lease_s: float = 30.0
    beat: Callable[[], None] = lambda: None  # the worker's pulse


def audit_version(bench: Bench, audit_id: str, version_id: str) -> None:
    """Audit version `version_id` under the run `audit_id`; does nothing where that is done or in other hands."""
    with transaction(bench.database) as session:
        claim = rows.claim_audit(session, audit_id, version_id, lease_s=bench.lease_s)
    if claim is None or claim.already_done:
        logger.info("audit %s is done or in other hands", audit_id)
        return
    fence = claim.fence

    def beat() -> None:
        with transaction(bench.database) as session:
            rows.heartbeat(session, audit_id, fence, lease_s=bench.lease_s)
        bench.beat()

    try:
        with heartbeat(beat, bench.lease_s / 3):
            with transaction(bench.database) as session:
                version = rows.get_version(session, version_id)
                tickets = rows.covered_tickets(session, version_id)
            eraser = open_eraser(bench.store, bench.keys, bench.verifier, version)
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
    bench: Bench,
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
            rows.finish_audit(
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
    bench: Bench, version_id: str, tickets: Sequence[Ticket]
) -> tuple[dict[str, Subject], dict[str, list[str]]]:
    """Whom the tickets speak of, and which of them were read from a kit or not at all because they are over.

    Raises NeedsResubmission, naming them, where tickets in force have neither payload nor kit.
    """

    def again(ticket_id: str) -> Ticket:
        with transaction(bench.database) as session:
            return next(one for one in rows.covered_tickets(session, version_id) if one.id == ticket_id)

    subjects: dict[str, Subject] = {}
    material: dict[str, list[str]] = {"kit": [], "gone": []}
    lacking: list[str] = []
    for ticket in tickets:
        try:
            subjects[ticket.id] = open_material(bench.store, bench.keys, ticket, partial(again, ticket.id))
            if source(ticket) == "kit":
                material["kit"].append(ticket.id)
        except NeedsResubmission:
            (material["gone"] if ticket.state in OVER else lacking).append(ticket.id)
    if lacking:
        raise NeedsResubmission(
            f"{', '.join(lacking)} cannot be audited any more: neither raw material nor audit kit is left. Have "
            "them filed again, and withdraw the old tickets then."
        )
    return subjects, material


def _own(bench: Bench, version: EraserVersion) -> Own | None:
    """The operator's own retain set that `version` was made with, without the rows that the fit left out."""
    made_with = version.manifest.get("retain_set") or {}
    absent = frozenset(made_with.get("absent", ()))
    if made_with.get("number") is None:
        return Own(None, (), absent) if absent else None
    with transaction(bench.database) as session:
        found = get_set(session, version.model_id, made_with["number"])
    if found.digest != made_with["digest"]:
        raise IntegrityFailure(f"Retain set {found.number} is not the one that version {version.number} was made with.")
    out = {one["row"] for one in made_with["left_out"]}
    kept = tuple(row for row in open_rows(bench.store, bench.keys, found) if row.number not in out)
    return Own(found.number, kept, absent)
