"""Break-glass access: two people may serve a version that exposes somebody, with a reason and until a time.

The database refuses every other way to serve a version that exposes somebody. Each function is one transaction's worth.
Knows no HTTP.
"""

import logging
import uuid
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.erasers.rollouts import is_rolled_out, newest_covering
from shared.core.clock import utc_now
from shared.db.models.erasers import (
    BreakGlass,
    BreakGlassTicket,
    DesiredState,
    EraserVersion,
    Exposure,
    VersionTicket,
)
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log, audits, people, rollouts, tickets
from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.four_eyes import require_standing_request
from shared.domain.ticket_lifecycle import is_allowed
from shared.errors import Conflict, NotAudited, NotFound

logger = logging.getLogger(__name__)


def ask(session: Session, principal: Principal, version: EraserVersion, reason: str, minutes: int) -> BreakGlass:
    """The first person asks to serve `version` for so many minutes although it exposes somebody.

    Raises NotAudited where it passed no audit, Conflict where it exposes nobody.
    """
    if not any(audit.verdict == "passed" for audit in audits.list_audits(session, version.id)):
        raise NotAudited(f"Version {version.number} has passed no audit: not even two people can serve it.")
    exposed = rollouts.uncovered_tickets(session, version.model_id, version.id)
    if not exposed:
        raise Conflict(f"Version {version.number} exposes nobody: an ordinary rollback is enough.")
    access = BreakGlass(
        id=uuid.uuid4(),
        model_id=version.model_id,
        version_id=version.id,
        reason=reason,
        minutes=minutes,
        asked_by=principal.owner,
        asked_at=utc_now(),
    )
    session.add(access)
    session.flush()
    session.add_all(BreakGlassTicket(break_glass_id=access.id, ticket_id=ticket_id) for ticket_id in exposed)
    detail: dict[str, object] = {"version": version.number, "tickets": list(exposed)}
    _log(session, principal.owner, "break_glass.asked", access, detail)
    session.flush()
    return access


def confirm(session: Session, principal: Principal, state: DesiredState | None, access: BreakGlass) -> None:
    """The second person confirms: the version is served until the access ends, and its tickets are regressed.

    `state`, the desired state, and `access` are locked.

    Raises FourEyes for whoever asked, Conflict where the access is confirmed, over or too old, or would expose people
    who were not listed when it was asked for.
    """
    now = utc_now()
    deeds = [("asked for this break-glass access", access.asked_by)]
    people.require_second_person(session, principal.tenant_id, principal.owner, deeds, "confirm it")
    if access.confirmed_at is not None or access.ended_at is not None:
        raise Conflict("It was confirmed, or is over, already.")
    require_standing_request(access.asked_at, now)
    listed = set(exposed_ticket_ids(session, access.id))
    if more := set(rollouts.uncovered_tickets(session, access.model_id, access.version_id)) - listed:
        raise Conflict(f"Meanwhile it would expose {len(more)} more people: ask anew.", tickets=sorted(more))
    access.confirmed_by, access.confirmed_at = principal.owner, now
    access.expires_at = now + timedelta(minutes=access.minutes)
    session.flush()
    version = session.get_one(EraserVersion, access.version_id)
    rollouts.set_desired_state(session, state, version, "break_glass", principal.owner)
    for ticket_id in sorted(listed):
        ticket = session.get_one(Ticket, ticket_id, with_for_update=True)
        if ticket.state == "withdrawn":
            continue
        session.add(Exposure(break_glass_id=access.id, ticket_id=ticket_id, started_at=now))
        if is_allowed(ticket.state, "expose"):
            note = f"exposed by version {version.number}"
            tickets.advance(session, ticket, "expose", principal.owner, note, roles=principal.roles)
    rollouts.return_deploying(session, version, principal.owner, principal.roles)
    _log(session, principal.owner, "break_glass.confirmed", access, {"expires_at": access.expires_at.isoformat()})


def end(session: Session, actor: str, state: DesiredState | None, access: BreakGlass) -> DesiredState | None:
    """End the access now; where what is served exposes somebody, serve the newest version that covers everybody.

    `state`, the desired state, and `access` are locked. Returns the desired state afterwards. Raises Conflict where the
    access is over already.
    """
    if access.ended_at is not None:
        raise Conflict("It is over already.")
    access.ended_at, access.ended_by = utc_now(), actor
    session.flush()
    _log(session, actor, "break_glass.ended", access, {})
    if state is None or not rollouts.uncovered_tickets(session, access.model_id, state.version_id):
        return state
    version = newest_covering(session, access.model_id)
    if version is None:  # then nothing is served: replicas ask the database the same question
        logger.error("no audited version covers everybody who must stay forgotten: order a refit")
        return state
    return rollouts.set_desired_state(session, state, version, "restore", actor)


def expire(session: Session, model_id: str) -> None:
    """End what is past its time or no longer served, and close the exposures that are over."""
    state = rollouts.desired_state(session, model_id, lock=True)
    now = utc_now()
    running = select(BreakGlass).where(
        BreakGlass.model_id == model_id, BreakGlass.confirmed_at.is_not(None), BreakGlass.ended_at.is_(None)
    )
    for access in session.scalars(running.with_for_update()):
        timed_out = access.expires_at is None or access.expires_at <= now
        if timed_out or state is None or state.version_id != access.version_id:
            state = end(session, SYSTEM_ACTOR, state, access)
    _close_exposures(session, model_id, state)


def _close_exposures(session: Session, model_id: str, state: DesiredState | None) -> None:
    """An exposure ends when the desired version covers the ticket and no live replica is on an older generation."""
    unfinished = (
        select(Exposure)
        .join(Ticket, Ticket.id == Exposure.ticket_id)
        .where(Ticket.model_id == model_id, Exposure.ended_at.is_(None))
    )
    for exposure in session.scalars(unfinished.with_for_update(of=Exposure)):
        ticket = session.get_one(Ticket, exposure.ticket_id)
        covered = state is not None and session.get(VersionTicket, (state.version_id, ticket.id)) is not None
        if ticket.state == "withdrawn" or (
            covered and state is not None and is_rolled_out(session, state.generation, model_id)
        ):
            exposure.ended_at = max(utc_now(), exposure.started_at)


def get(session: Session, model_id: str, access_id: uuid.UUID, *, lock: bool = False) -> BreakGlass:
    """The break-glass access; raises NotFound. With `lock` nobody else changes it until the transaction ends."""
    query = select(BreakGlass).where(BreakGlass.model_id == model_id, BreakGlass.id == access_id)
    access = session.scalar(query.with_for_update() if lock else query)
    if access is None:
        raise NotFound(f"There is no break-glass access {access_id}.")
    return access


def exposed_ticket_ids(session: Session, access_id: uuid.UUID) -> list[str]:
    """Ids of the tickets whose people the access exposes."""
    ids = select(BreakGlassTicket.ticket_id).where(BreakGlassTicket.break_glass_id == access_id)
    return list(session.scalars(ids.order_by(BreakGlassTicket.ticket_id)))


def _log(session: Session, actor: str, kind: str, access: BreakGlass, detail: dict[str, object]) -> None:
    audit_log.append_leaf(session, actor, kind, f"{access.model_id}/{access.id}", detail)
