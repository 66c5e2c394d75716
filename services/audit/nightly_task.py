"""The nightly audit as a task: ticket after ticket, kept as it goes, and interrupted where a candidate waits.

An audit that was interrupted goes on with the tickets that are left. Those of which it is longest that they were asked
about come first, so that every ticket has its turn when a night is too short.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.audit.about_tickets import ASKING
from services.audit.context import AuditContext
from services.audit.nightly import DeepAudit, reasons_of, summarised, with_ticket
from services.audit.profiled import suite_for
from services.audit.tasks import open_tickets
from shared.artifacts.erasers import load_verified_eraser
from shared.core.clock import utc_now
from shared.core.leases import keep_alive
from shared.core.messaging import is_stopping
from shared.db.models.erasers import EraserVersion
from shared.db.models.tickets import Ticket
from shared.db.repositories import audits, erasers, models, nightly_audits
from shared.db.repositories.audit_log import append_leaf
from shared.db.repositories.leases import FINAL
from shared.db.session import transaction
from shared.db.tenants import of_installation, of_tenant
from shared.domain.subjects import Subject
from shared.errors import Conflict, IntegrityFailure, LacunaError, NeedsResubmission, NotFound, Unavailable

logger = logging.getLogger(__name__)
CANDIDATE_FIRST = "the audit of a candidate comes first"
NO_TIME = "the time of the night was over"
NOTHING_LEFT = "nothing of it is left to ask with"
UNREADABLE = "its material cannot be read"


def audit_nightly(context: AuditContext, audit_id: str, version_id: str) -> None:
    """Carry out the nightly audit `audit_id` of a version, or what is left of it; safe to repeat."""
    with transaction(context.database) as session:
        tenant = models.tenant_of(session, erasers.get_version_by_id(session, version_id).model_id)
        claim = audits.claim_audit(session, audit_id, version_id, lease_s=context.lease_s, kind=nightly_audits.NIGHTLY)
        begun = nightly_audits.begun_report(session, audit_id)
    if claim is None or claim.already_done:
        logger.info("nightly audit %s has ended, or another worker holds it", audit_id)
        return
    if tenant is not None:
        context = replace(context, database=of_tenant(context.database, tenant))
    run = _Run(context, audit_id, claim.fence, begun)
    try:
        with keep_alive(run.renew, context.lease_s / 3):
            status, error = run.carry_out(version_id)
    except Unavailable as exc:
        status, error = "waiting", exc.detail
    except Conflict as exc:
        logger.warning("this worker gives up nightly audit %s: %s", audit_id, exc.detail)
        return
    except Exception as exc:
        if is_stopping():
            status, error = "waiting", "the worker was stopped"
        else:
            logger.exception("nightly audit %s failed", audit_id)
            status = "failed"
            error = exc.detail if isinstance(exc, LacunaError) else f"unexpected: {type(exc).__name__}"
    run.finish(status, error)


class _Run:
    """One claim of a nightly audit, and the report as far as it has come."""

    def __init__(self, context: AuditContext, audit_id: str, fence: int, begun: dict[str, Any]) -> None:
        self.context, self.audit_id, self.fence, self.report = context, audit_id, fence, begun
        self.counts: dict[str, Any] | None = None

    def renew(self) -> None:
        """Prolong the lease, and write how many tickets were asked about."""
        with transaction(self.context.database) as session:
            audits.renew_lease(
                session, self.audit_id, self.fence, self.context.lease_s, stage=ASKING, progress=self.counts
            )
        self.context.heartbeat()

    def carry_out(self, version_id: str) -> tuple[str, str | None]:
        """Ask about one ticket after another; returns the status in which the audit ends for now, and why."""
        context = self.context
        with transaction(context.database) as session:
            version = erasers.get_version_by_id(session, version_id)
            tickets = {ticket.id: ticket for ticket in erasers.covered_tickets(session, version_id)}
            asked = nightly_audits.newest_results(session, version.model_id)
        eraser = load_verified_eraser(context.store, context.keys, context.verifier, version)
        deep = DeepAudit(suite_for(context, version), context.thresholds, seed=self.seed())
        done = set(self.report.get("ticket_verdicts", {}))
        last = {ticket: result.asked_at.timestamp() for ticket, result in asked.items()}
        waiting = sorted(set(tickets) - done, key=lambda ticket: (last.get(ticket, 0.0), ticket))
        left: dict[str, str] = {}
        for place, ticket in enumerate(waiting):
            spent = float(self.report.get("seconds", 0.0))
            if spent > context.nightly_s:
                left |= dict.fromkeys(waiting[place:], NO_TIME)
                break
            if place and self.candidate_waits():
                self.keep()
                return "waiting", CANDIDATE_FIRST
            subject = self.material(version, tickets[ticket])
            if isinstance(subject, str):
                left[ticket] = subject
                continue
            began = time.monotonic()
            self.counts = {"done": place + len(done), "total": len(tickets), "what": "tickets"}
            self.renew()
            found = deep.ticket(eraser, ticket, subject)
            self.report = with_ticket(self.report, ticket, found) | {"seconds": spent + time.monotonic() - began}
            self.keep()
        seconds = self.report.get("seconds", 0.0)
        self.report = summarised(self.report, list(tickets), left) | {"seconds": seconds}
        return "succeeded", None

    def finish(self, status: str, error: str | None) -> None:
        """Write how it ended, or that it waits; where that fails the lease expires, and it is ordered again."""
        reasons = reasons_of(self.report)
        try:
            with transaction(self.context.database) as session:
                if "ticket_verdicts" in self.report:
                    lease_s = self.context.lease_s
                    nightly_audits.keep_report(session, self.audit_id, self.fence, self.report, lease_s)
                audits.finish_audit(
                    session,
                    self.audit_id,
                    self.fence,
                    status=status,
                    reasons=reasons,
                    report=self.report or None,
                    error=error,
                )
                if status in FINAL:
                    detail = {
                        "error": error,
                        "reasons": reasons,
                        "tickets": len(self.report.get("ticket_verdicts", {})),
                    }
                    append_leaf(session, "audit", "audit.nightly", self.audit_id, detail)
        except (Conflict, Unavailable) as exc:
            logger.warning("nightly audit %s: the status %s cannot be written: %s", self.audit_id, status, exc.detail)
            return
        told = "".join(f"\n  {reason}" for reason in reasons)
        logger.info("nightly audit %s: %s%s", self.audit_id, error or status, told)

    def keep(self) -> None:
        """Store what was found so far."""
        if "ticket_verdicts" in self.report:
            with transaction(self.context.database) as session:
                nightly_audits.keep_report(session, self.audit_id, self.fence, self.report, self.context.lease_s)

    def candidate_waits(self) -> bool:
        """Whether a candidate of any tenant waits for its audit."""
        with transaction(of_installation(self.context.database)) as session:
            return nightly_audits.candidate_waits(session)

    def material(self, version: EraserVersion, ticket: Ticket) -> Subject | str:
        """Whom the ticket is about; why not, where neither payload nor audit kit is left or can be read.

        The others are asked about all the same: the ticket, which nobody asks about, would be the first every night.
        """
        try:
            opened: Mapping[str, Subject] = open_tickets(self.context, str(version.id), [ticket]).subjects
        except NeedsResubmission:
            return NOTHING_LEFT
        except (IntegrityFailure, NotFound) as exc:
            logger.error(
                "nightly audit %s: the material of %s cannot be read: %s", self.audit_id, ticket.id, exc.detail
            )
            return UNREADABLE
        return opened.get(ticket.id, NOTHING_LEFT)

    def seed(self) -> int:
        """Another one each night, and the same after an interruption."""
        begun = self.report.get("seed")
        seed = int(begun) if begun is not None else utc_now().toordinal()
        self.report["seed"] = seed
        return seed
