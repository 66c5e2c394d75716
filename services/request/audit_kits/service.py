"""Looking into a sealed audit kit: an auditor asks with a reason, somebody else allows it, for a time, on record.

The only way in which a person is shown what a ticket is about. The kit, never the payload; whoever asked opens it, and
nobody else; each opening is a row and a leaf, written before anything is shown. The rules stand in PostgreSQL too.
"""

import base64
import io
import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.context import AppContext
from shared.artifacts.payloads import load_subject
from shared.core.clock import utc_now
from shared.db.models.audit_kits import KitAccess, KitOpening
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log, tickets
from shared.domain.four_eyes import require_second_person, require_standing_request
from shared.errors import Conflict, Forbidden, NotFound


def request_access(session: Session, principal: Principal, ticket: Ticket, reason: str, minutes: int) -> KitAccess:
    """The first person asks; raises Conflict where there is no kit."""
    _must_have_kit(ticket)
    made = KitAccess(
        id=uuid.uuid4(),
        ticket_id=ticket.id,
        reason=reason,
        minutes=minutes,
        asked_by=principal.owner,
        asked_at=utc_now(),
    )
    session.add(made)
    session.flush()
    _log(session, principal.owner, "kit.asked", made, {"minutes": minutes})
    return made


def grant_access(session: Session, principal: Principal, made: KitAccess) -> None:
    """The second person allows it, from now on for the minutes that were asked for.

    Raises FourEyes for whoever asked, Conflict where it is decided, over, or a day old.
    """
    now = utc_now()
    require_second_person(principal.owner, {"asked for this access": made.asked_by}, "allow it")
    if made.allowed_at is not None or made.ended_at is not None:
        raise Conflict("It was allowed, or is over, already.")
    require_standing_request(made.asked_at, now)
    made.allowed_by, made.allowed_at, made.expires_at = principal.owner, now, now + timedelta(minutes=made.minutes)
    session.flush()
    _log(session, principal.owner, "kit.allowed", made, {"expires_at": made.expires_at.isoformat()})


def end(session: Session, principal: Principal, made: KitAccess) -> None:
    """Refuse it, or end it before its time."""
    if made.ended_at is not None:
        raise Conflict("It is over already.")
    made.ended_by, made.ended_at = principal.owner, utc_now()
    session.flush()
    _log(session, principal.owner, "kit.ended", made, {})


def open_kit(
    session: Session, context: AppContext, principal: Principal, made: KitAccess, ticket: Ticket
) -> dict[str, Any]:
    """What the kit holds, for whoever asked; raises Forbidden, Conflict, and what opening raises."""
    if made.asked_by != principal.owner:
        raise Forbidden(f"{made.asked_by} asked for it: nobody else opens it.")
    if made.allowed_at is None or made.expires_at is None:
        raise Conflict("Nobody has allowed it yet.")
    if made.ended_at is not None or made.expires_at <= utc_now():
        raise Conflict("It is over: ask anew.")
    key, wrapped = _must_have_kit(ticket)
    subject = load_subject(context.keys.open(context.store.get(key), wrapped, key))
    session.add(KitOpening(access_id=made.id, at=utc_now(), actor=principal.owner))
    session.flush()
    _log(session, principal.owner, "kit.opened", made, {"sha256": ticket.kit_sha256})
    photos = []
    for photo in subject.photos:
        buffer = io.BytesIO()
        photo.save(buffer, "PNG")
        photos.append(f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}")
    facts = [{"attribute": f.attribute, "value": f.value, "aliases": list(f.aliases)} for f in subject.facts]
    return {"names": list(subject.names), "facts": facts, "photos": photos}


def get(session: Session, tenant: str, access_id: uuid.UUID, *, lock: bool = False) -> tuple[KitAccess, Ticket]:
    """The request for access with its ticket; raises NotFound."""
    found = select(KitAccess).where(KitAccess.id == access_id)
    made = session.scalar(found.with_for_update() if lock else found)
    if made is None:
        raise NotFound(f"There is no request for a kit {access_id}.")
    return made, tickets.get_ticket(session, tenant, made.ticket_id)


def view(session: Session, made: KitAccess) -> dict[str, Any]:
    """As it is shown; says nothing of what the kit holds."""
    over = made.ended_at is not None or (made.expires_at is not None and made.expires_at <= utc_now())
    counted = select(func.count()).select_from(KitOpening).where(KitOpening.access_id == made.id)
    return {
        "id": str(made.id),
        "ticket": made.ticket_id,
        "state": "ended" if over else "allowed" if made.allowed_at else "asked",
        "reason": made.reason,
        "minutes": made.minutes,
        "asked_by": made.asked_by,
        "asked_at": made.asked_at,
        "allowed_by": made.allowed_by,
        "allowed_at": made.allowed_at,
        "expires_at": made.expires_at,
        "ended_by": made.ended_by,
        "ended_at": made.ended_at,
        "openings": session.scalar(counted),
    }


def _must_have_kit(ticket: Ticket) -> tuple[str, bytes]:
    if ticket.kit_key is None or ticket.kit_wrapped_key is None:
        raise Conflict(
            f"{ticket.id} has no audit kit: it is made when the payload of a completed ticket is destroyed, and is "
            "destroyed itself when the ticket is over."
        )
    return ticket.kit_key, ticket.kit_wrapped_key


def _log(session: Session, actor: str, kind: str, made: KitAccess, detail: dict[str, object]) -> None:
    audit_log.append_leaf(session, actor, kind, made.ticket_id, {"access": str(made.id)} | detail)
