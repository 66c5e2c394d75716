"""Moves tickets by what the workers wrote, promotes what passed, and orders again what was lost. Safe to repeat.

The only writer of tickets beside the officer's API. Knows no queue: what has to be sent again is returned.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from services.request.glass import caught_up
from shared.clock import utc_now
from shared.contracts import QUEUE_AUDIT, QUEUE_REFIT, TASK_AUDIT, TASK_REFIT
from shared.db import repository as rows
from shared.db.models import (
    AuditRun,
    DesiredState,
    EraserVersion,
    Outbox,
    RefitRun,
    RefitRunTicket,
    Ticket,
    VersionTicket,
)
from shared.lifecycle import WORKING, Event, allowed

logger = logging.getLogger(__name__)
ACTOR = "clerk"
AGAIN = "needs_resubmission"
LOST_AFTER = timedelta(seconds=30)


@dataclass(frozen=True)
class Limits:
    """Highest shares of a ticket's facts that may still be told, by the audit's set; those of the whole version."""

    told_trained: float = 0.05
    told_test: float = 0.20

    def passed(self, figures: dict[str, Any] | None, ticket: str) -> bool:
        """Whether the ticket's own figures passed. No figures of its own is no pass."""
        own = (figures or {}).get(ticket)
        if not own:
            return False
        return all(
            own[name]["told_after"] <= limit
            for name, limit in (("forget", self.told_trained), ("test", self.told_test))
            if name in own
        )


@dataclass(frozen=True)
class Resend:
    """A task that has to be sent again."""

    id: str
    queue: str
    task: str
    kwargs: dict[str, Any]
    correlation: str | None = None


def promote_passed(session: Session, model_id: str) -> None:
    """Promote the newest version that passed its audit, where it is newer than the promoted one."""
    newest = session.scalar(
        select(EraserVersion)
        .join(AuditRun, AuditRun.version_id == EraserVersion.id)
        .where(EraserVersion.model_id == model_id, AuditRun.verdict == "passed")
        .order_by(EraserVersion.number.desc())
        .limit(1)
    )
    state = rows.desired_state(session, model_id, lock=True)
    if newest is None or (state is not None and state.version_id == newest.id):
        return
    if state is not None:
        current = session.get_one(EraserVersion, state.version_id)
        if newest.number < current.number or _rolled_back_from(session, state.changed_at, newest):
            return
    rows.set_desired(session, newest, "automatic", ACTOR)
    logger.info("version %d is promoted", newest.number)


def _rolled_back_from(session: Session, changed_at: datetime, newest: EraserVersion) -> bool:
    """Whether a person went back after `newest` had passed: that decision stands until a newer version comes."""
    audits = rows.audits_of(session, newest.id)
    passed = [audit.finished_at for audit in audits if audit.verdict == "passed" and audit.finished_at]
    return bool(passed) and min(passed) < changed_at


def move_tickets(session: Session, model_id: str, limits: Limits = Limits()) -> None:
    """Bring every ticket that is under way to where the workers' rows say it is; completed ones that leak regress."""
    state = rows.desired_state(session, model_id, lock=True)
    under_way = select(Ticket).where(Ticket.model_id == model_id, Ticket.state.in_((*WORKING, "failed", "regressed")))
    figures = _figures(session, state.version_id) if state else None
    for ticket in session.scalars(under_way.with_for_update(skip_locked=True)):
        _move(session, ticket, state, figures, limits)
    if figures is not None:
        _regress(session, model_id, figures, limits)
    _resubmit(session, model_id)


def _move(
    session: Session, ticket: Ticket, state: DesiredState | None, figures: dict[str, Any] | None, limits: Limits
) -> None:
    version = session.scalar(
        select(EraserVersion)
        .join(VersionTicket, VersionTicket.version_id == EraserVersion.id)
        .where(VersionTicket.ticket_id == ticket.id)
        .order_by(EraserVersion.number.desc())
        .limit(1)
    )
    run, outcome, detail = _latest_run(session, ticket.id)
    newer_run = run is not None and (version is None or run.started_at > version.created_at)
    if state is not None and _covers(session, state.version_id, ticket.id):
        passed = limits.passed(figures, ticket.id)
        if passed:
            _serve(session, ticket, state)
            return
        if not newer_run and ticket.state != "scheduled":
            _failed(session, ticket, "own_audit_failed", "Its own figures are above the limits of the audit.")
            return
    if outcome in ("failed", AGAIN) and (newer_run or version is None):
        _failed(session, ticket, AGAIN if outcome == AGAIN else "refit_failed", detail)
    elif newer_run and run is not None and run.status not in ("succeeded", "nothing_to_do"):
        if outcome == "no_leak_found":
            _no_leak(session, ticket)
        elif run.status == "failed":
            _failed(session, ticket, "refit_failed", run.error)
        else:
            _step(session, ticket, "fit")
    elif outcome == "no_leak_found" and ticket.state in WORKING:
        _no_leak(session, ticket)
    elif version is not None and (
        ticket.state not in ("scheduled", "regressed")
        or (run is not None and run.version_id == version.id and not _set_aside(session, state, version))
    ):
        _by_audit(session, ticket, version)


def _serve(session: Session, ticket: Ticket, state: DesiredState) -> None:
    """What is desired covers the ticket: it is completed when every live replica says so."""
    _step(session, ticket, "deploy")
    live = rows.live_replicas(session, ticket.model_id)
    if ticket.state == "deploying" and live and caught_up(session, state.generation, ticket.model_id):
        ticket.required_since = ticket.required_since or utc_now()
        rows.advance(session, ticket, "complete", ACTOR, audit_passed=True, acknowledged=True)


def _regress(session: Session, model_id: str, figures: dict[str, Any], limits: Limits) -> None:
    """A later audit of what is served shows that somebody is told of again."""
    leaking = [ticket for ticket in figures if not limits.passed(figures, ticket)]
    found = select(Ticket).where(Ticket.model_id == model_id, Ticket.state == "completed", Ticket.id.in_(leaking))
    for ticket in session.scalars(found.with_for_update(skip_locked=True)):
        ticket.review_reason = "own_audit_failed"
        rows.advance(session, ticket, "expose", ACTOR, "A later audit shows that it is told again.")


def _resubmit(session: Session, model_id: str) -> None:
    """Mark whom a refit could not make anew: neither payload nor kit is left. The mark goes when a refit could."""
    said = exists().where(RefitRunTicket.ticket_id == Ticket.id, RefitRunTicket.outcome == AGAIN)
    found = select(Ticket).where(Ticket.model_id == model_id, Ticket.state == "completed", said)
    for ticket in session.scalars(found.with_for_update(skip_locked=True)):
        _, outcome, detail = _latest_run(session, ticket.id)
        if outcome == AGAIN and ticket.review_reason != AGAIN:
            ticket.review_reason = AGAIN
            ticket.version += 1
            rows.record(session, ticket, ACTOR, detail, AGAIN)
        elif outcome == "fitted" and ticket.review_reason == AGAIN:
            ticket.review_reason = None


def _figures(session: Session, version_id: UUID) -> dict[str, Any] | None:
    """Per-ticket figures of the version's newest finished audit; None where it has no report."""
    for audit in rows.audits_of(session, version_id):
        if audit.status in ("succeeded", "failed"):
            return dict(audit.report["tickets"]) if audit.report and "tickets" in audit.report else None
    return None


def _set_aside(session: Session, state: DesiredState | None, version: EraserVersion) -> bool:
    """Whether a person went back from `version`: its tickets wait for the next one."""
    return (
        state is not None and state.version_id != version.id and _rolled_back_from(session, state.changed_at, version)
    )


def _by_audit(session: Session, ticket: Ticket, version: EraserVersion) -> None:
    audits = rows.audits_of(session, version.id)
    if audits and audits[0].verdict == "failed":
        _failed(session, ticket, "audit_failed", "; ".join(str(r) for r in audits[0].reasons or []))
    elif ticket.state != "failed":
        _step(session, ticket, "audit")


def _no_leak(session: Session, ticket: Ticket) -> None:
    if allowed(ticket.state, "no_leak"):
        ticket.review_reason = "no_leak_found"
        ticket.decided_by = ticket.decided_at = ticket.ground = None
        rows.advance(session, ticket, "no_leak", ACTOR, "The model tells none of these facts.")


def _failed(session: Session, ticket: Ticket, reason: str, note: str | None) -> None:
    if allowed(ticket.state, "fail"):
        ticket.review_reason = reason
        rows.advance(session, ticket, "fail", ACTOR, note)


def _step(session: Session, ticket: Ticket, event: Event) -> None:
    if allowed(ticket.state, event):
        rows.advance(session, ticket, event, ACTOR)


def _covers(session: Session, version: UUID, ticket: str) -> bool:
    return session.get(VersionTicket, (version, ticket)) is not None


def _latest_run(session: Session, ticket: str) -> tuple[RefitRun | None, str | None, str | None]:
    found = session.execute(
        select(RefitRun, RefitRunTicket.outcome, RefitRunTicket.detail)
        .join(RefitRunTicket, RefitRunTicket.run_id == RefitRun.id)
        .where(RefitRunTicket.ticket_id == ticket)
        .order_by(RefitRun.started_at.desc())
        .limit(1)
    ).first()
    return (found[0], found[1], found[2]) if found else (None, None, None)


def lost(
    session: Session, model_id: str, after: timedelta = LOST_AFTER, within: timedelta | None = None
) -> list[Resend]:
    """Runs and audits that wait for another try, whose worker is gone, or whose message never arrived.

    `within` looks for such messages among the orders of that time only: all of them is a longer look.
    """
    now = utc_now()
    found: list[Resend] = []
    waiting = or_(RefitRun.status == "waiting", (RefitRun.status == "running") & (RefitRun.lease_until < now))
    for run in session.scalars(select(RefitRun).where(RefitRun.model_id == model_id, waiting)):
        kwargs = {"run": str(run.id), "model": run.model_id, "kind": run.kind, "period": run.period}
        if run.recipe is not None:
            kwargs["recipe"] = run.recipe
        found.append(Resend(str(run.id), QUEUE_REFIT, TASK_REFIT, kwargs, _correlation(session, run.id)))
    stuck = or_(AuditRun.status == "waiting", (AuditRun.status == "running") & (AuditRun.lease_until < now))
    for audit in session.scalars(select(AuditRun).where(stuck)):
        kwargs = {"audit": str(audit.id), "version": str(audit.version_id)}
        found.append(Resend(str(audit.id), QUEUE_AUDIT, TASK_AUDIT, kwargs, _correlation(session, audit.id)))
    unseen = (
        select(Outbox)
        .where(Outbox.published_at < now - after)
        .where(~exists().where(RefitRun.id == Outbox.id), ~exists().where(AuditRun.id == Outbox.id))
    )
    if within is not None:
        unseen = unseen.where(Outbox.created_at > now - within)
    found += [Resend(str(o.id), o.queue, o.task, dict(o.kwargs), o.correlation) for o in session.scalars(unseen)]
    return found


def _correlation(session: Session, order: UUID) -> str | None:
    """The id of the request that ordered it: a run has the id of its outbox row."""
    return session.scalar(select(Outbox.correlation).where(Outbox.id == order))
