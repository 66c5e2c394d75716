"""Ways back: forward (old recipe, today's tickets), and the broken glass (two people, a reason, an end).

The database refuses every other way that would expose somebody. Each function is one transaction. Knows no HTTP.
"""

import logging
import uuid
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.erasers.rollouts import is_rolled_out, newest_covering
from shared.core.clock import utc_now
from shared.db.models.erasers import BreakGlass, BreakGlassTicket, EraserVersion, Exposure, VersionTicket
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log, audits, erasers, rollouts, tickets
from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.ticket_lifecycle import is_allowed
from shared.errors import Conflict, FourEyes, NotAudited, NotFound

logger = logging.getLogger(__name__)
ASK_LASTS = timedelta(hours=24)


def ask(session: Session, principal: Principal, model_id: str, number: int, reason: str, minutes: int) -> BreakGlass:
    """The first person asks to serve version `number` for so many minutes although it exposes somebody."""
    version = erasers.get_version(session, model_id, number)
    if not any(audit.verdict == "passed" for audit in audits.list_audits(session, version.id)):
        raise NotAudited(f"Version {number} has passed no audit: not even two people can serve it.")
    exposed = rollouts.uncovered_tickets(session, model_id, version.id)
    if not exposed:
        raise Conflict(f"Version {number} exposes nobody: an ordinary rollback is enough.")
    glass = BreakGlass(
        id=uuid.uuid4(),
        model_id=model_id,
        version_id=version.id,
        reason=reason,
        minutes=minutes,
        asked_by=principal.owner,
        asked_at=utc_now(),
    )
    session.add(glass)
    session.flush()
    session.add_all(BreakGlassTicket(break_glass_id=glass.id, ticket_id=one) for one in exposed)
    _log(session, principal.owner, "break_glass.asked", glass, {"version": number, "tickets": list(exposed)})
    return glass


def confirm(session: Session, principal: Principal, model_id: str, glass_id: uuid.UUID) -> BreakGlass:
    """The second person confirms: the version is served until the glass is mended, its tickets are regressed.

    Raises FourEyes for whoever asked, Conflict where it is over, too old, or would expose more people than were listed.
    """
    rollouts.desired_state(session, model_id, lock=True)
    glass = get(session, model_id, glass_id, lock=True)
    now = utc_now()
    if glass.asked_by == principal.owner:
        raise FourEyes(f"{principal.owner} asked for it: somebody else has to confirm.")
    if glass.confirmed_at is not None or glass.ended_at is not None:
        raise Conflict("It was confirmed, or is over, already.")
    if now - glass.asked_at > ASK_LASTS:
        raise Conflict("It was asked for more than a day ago: ask anew.")
    listed = set(covered_ticket_ids(session, glass.id))
    if more := set(rollouts.uncovered_tickets(session, model_id, glass.version_id)) - listed:
        raise Conflict(f"Meanwhile it would expose {len(more)} more people: ask anew.", tickets=sorted(more))
    glass.confirmed_by, glass.confirmed_at = principal.owner, now
    glass.expires_at = now + timedelta(minutes=glass.minutes)
    session.flush()
    version = session.get_one(EraserVersion, glass.version_id)
    rollouts.set_desired_state(session, version, "break_glass", principal.owner)
    for ticket_id in sorted(listed):
        ticket = session.get_one(Ticket, ticket_id, with_for_update=True)
        if ticket.state == "withdrawn":
            continue
        session.add(Exposure(break_glass_id=glass.id, ticket_id=ticket_id, started_at=now))
        if is_allowed(ticket.state, "expose"):
            tickets.advance(
                session,
                ticket,
                "expose",
                principal.owner,
                f"exposed by version {version.number}",
                roles=principal.roles,
            )
    rollouts.return_deploying(session, version, principal.owner, principal.roles)
    _log(session, principal.owner, "break_glass.confirmed", glass, {"expires_at": glass.expires_at.isoformat()})
    return glass


def end(session: Session, actor: str, glass: BreakGlass) -> None:
    """Mend the glass now; if its version is still served, the newest version that covers everybody replaces it."""
    if glass.ended_at is not None:
        raise Conflict("It is over already.")
    glass.ended_at, glass.ended_by = utc_now(), actor
    session.flush()
    _log(session, actor, "break_glass.ended", glass, {})
    state = rollouts.desired_state(session, glass.model_id, lock=True)
    if state is None or not rollouts.uncovered_tickets(session, glass.model_id, state.version_id):
        return
    version = newest_covering(session, glass.model_id)
    if version is None:  # nothing is served then: replicas ask the same question of the database
        logger.error("no audited version covers everybody who must stay forgotten: order a refit")
        return
    rollouts.set_desired_state(session, version, "restore", actor)


def expire(session: Session, model_id: str) -> None:
    """The clerk's part: end what is past its time or no longer served, and close the ledger."""
    state = rollouts.desired_state(session, model_id, lock=True)
    now = utc_now()
    running = select(BreakGlass).where(
        BreakGlass.model_id == model_id, BreakGlass.confirmed_at.is_not(None), BreakGlass.ended_at.is_(None)
    )
    for glass in session.scalars(running.with_for_update()):
        if glass.expires_at is None or glass.expires_at <= now or state is None or state.version_id != glass.version_id:
            end(session, SYSTEM_ACTOR, glass)
    _close_exposures(session, model_id)


def _close_exposures(session: Session, model_id: str) -> None:
    """An exposure ends when what is desired covers the ticket again and no live replica is on an older generation."""
    state = rollouts.desired_state(session, model_id)
    open_ones = (
        select(Exposure)
        .join(Ticket, Ticket.id == Exposure.ticket_id)
        .where(Ticket.model_id == model_id, Exposure.ended_at.is_(None))
    )
    for exposure in session.scalars(open_ones.with_for_update(of=Exposure)):
        ticket = session.get_one(Ticket, exposure.ticket_id)
        covered = state is not None and session.get(VersionTicket, (state.version_id, ticket.id)) is not None
        if ticket.state == "withdrawn" or (
            covered and state is not None and is_rolled_out(session, state.generation, model_id)
        ):
            exposure.ended_at = max(utc_now(), exposure.started_at)


def get(session: Session, model_id: str, glass_id: uuid.UUID, *, lock: bool = False) -> BreakGlass:
    """The broken glass; raises NotFound."""
    query = select(BreakGlass).where(BreakGlass.model_id == model_id, BreakGlass.id == glass_id)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound(f"There is no break-glass {glass_id}.")
    return found


def covered_ticket_ids(session: Session, glass_id: uuid.UUID) -> list[str]:
    """Whom it exposes."""
    found = select(BreakGlassTicket.ticket_id).where(BreakGlassTicket.break_glass_id == glass_id)
    return list(session.scalars(found.order_by(BreakGlassTicket.ticket_id)))


def _log(session: Session, actor: str, kind: str, glass: BreakGlass, detail: dict[str, object]) -> None:
    audit_log.append_leaf(session, actor, kind, f"{glass.model_id}/{glass.id}", detail)
