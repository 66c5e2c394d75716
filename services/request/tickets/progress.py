"""Moves tickets by what the refit and audit workers wrote and by what replicas acknowledged. Safe to repeat.

Beside the officer's API, this is the only writer of tickets.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from services.request.erasers.promotions import was_rolled_back_from
from services.request.erasers.rollouts import is_rolled_out
from shared.core.clock import utc_now
from shared.db.models.audits import AuditRun
from shared.db.models.erasers import DesiredState, EraserVersion, VersionTicket
from shared.db.models.refits import RefitRun, RefitRunTicket
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log, nightly_audits, refits, rollouts, tickets
from shared.db.repositories import audits as audits_repository
from shared.db.repositories.nightly_audits import NightlyResult
from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.ticket_lifecycle import (
    IN_PROGRESS,
    NEEDS_RESUBMISSION,
    NIGHTLY_AUDIT_FAILED,
    SET_ASIDE,
    Event,
    is_allowed,
)

logger = logging.getLogger(__name__)
UNPROVED: Final = "Its own figures are above the limits of the audit."
TOLD_AGAIN: Final = "An audit of the served version shows that its facts are revealed."


@dataclass(frozen=True)
class Limits:
    """The highest shares of a ticket's facts that may still be revealed, on the trained and on the test questions."""

    revealed_trained: float = 0.05
    revealed_test: float = 0.20

    def passed(self, figures: dict[str, Any] | None, ticket: str) -> bool:
        """Whether the ticket's own figures are within the limits. A ticket without figures has not passed."""
        own = (figures or {}).get(ticket)
        if not own:
            return False
        return all(
            own[name]["told_after"] <= limit
            for name, limit in (("forget", self.revealed_trained), ("test", self.revealed_test))
            if name in own
        )


@dataclass(frozen=True)
class LatestRun:
    """The latest refit that dealt with a ticket, what it did with it, why in a sentence, and since when that is so."""

    run: RefitRun | None = None
    outcome: str | None = None
    detail: str | None = None
    known_at: datetime | None = None


def move_tickets(session: Session, model_id: str, limits: Limits = Limits()) -> None:
    """Bring every ticket that is under way to the state that the workers' rows imply; regress those that leak."""
    state = rollouts.desired_state(session, model_id, lock=True)
    under_way = select(Ticket).where(
        Ticket.model_id == model_id, Ticket.state.in_((*IN_PROGRESS, "failed", "regressed"))
    )
    found = _found(session, state, limits)
    for ticket in session.scalars(under_way.with_for_update(skip_locked=True)):
        _move(session, ticket, state, found)
    _regress(session, model_id, found)
    _resubmit(session, model_id)


@dataclass(frozen=True)
class Found:
    """What audits found of the tickets of the served version: figures of its audit as a candidate, nightly results."""

    limits: Limits
    figures: dict[str, Any] | None = None
    nightly: Mapping[str, NightlyResult] = field(default_factory=dict)

    def passed(self, ticket: str) -> bool:
        """Whether neither of them was told too much of the ticket. A ticket without figures has not passed."""
        night = self.nightly.get(ticket)
        return self.limits.passed(self.figures, ticket) and (night is None or night.passed)

    def exposed(self) -> dict[str, tuple[str, str]]:
        """The tickets of which either was told too much, with the review reason and a sentence."""
        found = {
            ticket: (NIGHTLY_AUDIT_FAILED, f"The nightly audit of version {night.version}: {night.reason}.")
            for ticket, night in self.nightly.items()
            if not night.passed
        }
        return found | {
            ticket: ("own_audit_failed", TOLD_AGAIN)
            for ticket in self.figures or {}
            if not self.limits.passed(self.figures, ticket)
        }


def _found(session: Session, state: DesiredState | None, limits: Limits) -> Found:
    if state is None:
        return Found(limits)
    served = session.get_one(EraserVersion, state.version_id)
    return Found(limits, _figures(session, served.id), nightly_audits.standing_results(session, served))


def _move(session: Session, ticket: Ticket, state: DesiredState | None, found: Found) -> None:
    version, latest = _newest_version(session, ticket.id), _latest_run(session, ticket.id)
    if ticket.state in ("approved", "scheduled") and (version is not None or latest.run is not None):
        since = tickets.in_state_since(session, ticket.id)
        if latest.known_at is not None and latest.known_at < since:
            latest = LatestRun()  # it dealt with the ticket before it was approved or ordered again
        if version is not None and ticket.state == "approved" and version.created_at < since:
            version = None  # it holds the fit of the ticket's earlier material
    _follow(session, ticket, state, found, version, latest)


def _follow(
    session: Session,
    ticket: Ticket,
    state: DesiredState | None,
    found: Found,
    version: EraserVersion | None,
    latest: LatestRun,
) -> None:
    """Move the ticket by the newest version with it, and the latest refit that dealt with it."""
    run, outcome = latest.run, latest.outcome
    newer_run = run is not None and (version is None or run.started_at > version.created_at)
    if state is not None and version is not None and _covers(session, state.version_id, ticket.id):
        if found.passed(ticket.id):
            _follow_rollout(session, ticket, state)
            return
        if not newer_run and ticket.state != "scheduled":
            _fail(session, ticket, *found.exposed().get(ticket.id, ("own_audit_failed", UNPROVED)))
            return
    if outcome in ("failed", NEEDS_RESUBMISSION) and (newer_run or version is None):
        _fail(session, ticket, NEEDS_RESUBMISSION if outcome == NEEDS_RESUBMISSION else "refit_failed", latest.detail)
    elif newer_run and run is not None and run.status not in ("succeeded", "nothing_to_do"):
        if outcome == "no_leak_found":
            _return_no_leak(session, ticket)
        elif run.status == "failed":
            _fail(session, ticket, "refit_failed", run.error)
        else:
            _advance_if_allowed(session, ticket, "fit")
    elif outcome == "no_leak_found" and ticket.state in IN_PROGRESS:
        _return_no_leak(session, ticket)
    elif version is not None and (
        ticket.state not in ("scheduled", "regressed")
        or (run is not None and run.version_id == version.id and not _is_set_aside(session, state, version))
    ):
        _follow_audit(session, ticket, version)


def _follow_rollout(session: Session, ticket: Ticket, state: DesiredState) -> None:
    """The desired version covers the ticket: complete it when every live replica has acknowledged that version."""
    _advance_if_allowed(session, ticket, "deploy")
    live = rollouts.live_replicas(session, ticket.model_id)
    if ticket.state == "deploying" and live and is_rolled_out(session, state.generation, ticket.model_id):
        ticket.required_since = ticket.required_since or utc_now()
        if ticket.review_reason in ("own_audit_failed", NIGHTLY_AUDIT_FAILED):
            ticket.review_reason = None
        tickets.advance(session, ticket, "complete", SYSTEM_ACTOR, audit_passed=True, acknowledged=True)


def _regress(session: Session, model_id: str, found: Found) -> None:
    """Reopen the completed tickets whose facts are revealed again, as the newest audits of the served version show."""
    exposed = found.exposed()
    query = select(Ticket).where(Ticket.model_id == model_id, Ticket.state == "completed", Ticket.id.in_(exposed))
    for ticket in session.scalars(query.with_for_update(skip_locked=True)):
        ticket.review_reason, why = exposed[ticket.id]
        tickets.advance(session, ticket, "expose", SYSTEM_ACTOR, why)


def _resubmit(session: Session, model_id: str) -> None:
    """Mark the completed tickets that a refit could not fit, as neither payload nor kit is left.

    The mark goes when a later refit could fit the ticket.
    """
    unfit = exists().where(RefitRunTicket.ticket_id == Ticket.id, RefitRunTicket.outcome == NEEDS_RESUBMISSION)
    marked = select(Ticket).where(Ticket.model_id == model_id, Ticket.state == "completed", unfit)
    for ticket in session.scalars(marked.with_for_update(skip_locked=True)):
        latest = _latest_run(session, ticket.id)
        if latest.outcome == NEEDS_RESUBMISSION and ticket.review_reason != NEEDS_RESUBMISSION:
            ticket.review_reason = NEEDS_RESUBMISSION
            ticket.version += 1
            tickets.record(session, ticket, SYSTEM_ACTOR, latest.detail, NEEDS_RESUBMISSION)
        elif latest.outcome == "fitted" and ticket.review_reason == NEEDS_RESUBMISSION:
            ticket.review_reason = None


def _figures(session: Session, version_id: UUID) -> dict[str, Any] | None:
    """The figures of each ticket in the newest finished audit of the version; None where that has no report."""
    for audit in audits_repository.list_audits(session, version_id):
        if audit.status in ("succeeded", "failed"):
            return dict(audit.report["tickets"]) if audit.report and "tickets" in audit.report else None
    return None


def _is_set_aside(session: Session, state: DesiredState | None, version: EraserVersion) -> bool:
    """Whether a person rolled back from `version`: its tickets wait for the next version."""
    return (
        state is not None
        and state.version_id != version.id
        and was_rolled_back_from(session, version, state.changed_at)
    )


def _follow_audit(session: Session, ticket: Ticket, version: EraserVersion) -> None:
    """What the audit of the newest version with the ticket means for it.

    Where the version failed because of some tickets alone, these fail, each with its own reason, and a version without
    them is ordered for all others.
    """
    audits = audits_repository.list_audits(session, version.id)
    if audits and audits[0].verdict == "failed":
        aside = _set_aside(session, audits[0])
        if ticket.id in aside:
            _fail(session, ticket, SET_ASIDE, aside[ticket.id])
        elif not aside:
            _fail(session, ticket, "audit_failed", "; ".join(str(reason) for reason in audits[0].reasons or []))
        else:
            order = refits.order_refit_without(session, ticket.model_id, audits[0].id)
            if order is not None:
                audit_log.append_leaf(
                    session,
                    SYSTEM_ACTOR,
                    "refit.ordered",
                    ticket.model_id,
                    {"order": str(order), "without": sorted(aside)},
                )
                logger.warning("version %d is made again without %d tickets", version.number, len(aside))
    elif ticket.state != "failed":
        _advance_if_allowed(session, ticket, "audit")


def _set_aside(session: Session, audit: AuditRun) -> dict[str, str]:
    """The tickets because of which alone the version failed, each with its reason; none that must stay forgotten."""
    report = audit.report or {}
    named = list(report.get("set_aside", []))
    query = select(Ticket.id).where(Ticket.id.in_(named), Ticket.required_since.is_(None))
    return {ticket: str(report["ticket_verdicts"][ticket]["reason"]) for ticket in session.scalars(query)}


def _return_no_leak(session: Session, ticket: Ticket) -> None:
    if is_allowed(ticket.state, "no_leak"):
        ticket.review_reason = "no_leak_found"
        ticket.decided_by = ticket.decided_at = ticket.ground = None
        tickets.advance(
            session, ticket, "no_leak", SYSTEM_ACTOR, "The model tells nothing of this person that could be forgotten."
        )


def _fail(session: Session, ticket: Ticket, reason: str, note: str | None) -> None:
    if is_allowed(ticket.state, "fail"):
        ticket.review_reason = reason
        tickets.advance(session, ticket, "fail", SYSTEM_ACTOR, note)


def _advance_if_allowed(session: Session, ticket: Ticket, event: Event) -> None:
    if is_allowed(ticket.state, event):
        tickets.advance(session, ticket, event, SYSTEM_ACTOR)


def _covers(session: Session, version: UUID, ticket: str) -> bool:
    return session.get(VersionTicket, (version, ticket)) is not None


def _newest_version(session: Session, ticket_id: str) -> EraserVersion | None:
    return session.scalar(
        select(EraserVersion)
        .join(VersionTicket, VersionTicket.version_id == EraserVersion.id)
        .where(VersionTicket.ticket_id == ticket_id)
        .order_by(EraserVersion.number.desc())
        .limit(1)
    )


def _latest_run(session: Session, ticket_id: str) -> LatestRun:
    row = session.execute(
        select(RefitRun, RefitRunTicket.outcome, RefitRunTicket.detail, RefitRunTicket.at)
        .join(RefitRunTicket, RefitRunTicket.run_id == RefitRun.id)
        .where(RefitRunTicket.ticket_id == ticket_id)
        .order_by(RefitRun.started_at.desc())
        .limit(1)
    ).first()
    if row is None:
        return LatestRun()
    run, outcome, detail, at = row
    return LatestRun(run, outcome, detail, max(at, run.finished_at or at))
