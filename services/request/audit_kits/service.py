"""Access to a sealed audit kit: an auditor requests it with a reason, another person grants it, for a limited time.

This is the only way in which somebody is shown the person of a decided ticket. It shows the kit, never the payload.
Only the auditor who requested the access may open the kit, and each opening is a row and a leaf of the audit log,
written before anything is shown. PostgreSQL enforces the same rules.
"""

import base64
import io
import uuid
from dataclasses import dataclass
from datetime import timedelta

from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.audit_kits.responses import OpenedKitResponse, access_response, fact_response
from services.request.auth.principals import Principal
from services.request.context import AppContext
from shared.artifacts.payloads import load_subject
from shared.core.clock import utc_now
from shared.db.models.audit_kits import KitAccess, KitOpening
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log, people, tickets
from shared.domain.four_eyes import Actor, is_same_person, require_standing_request
from shared.errors import Conflict, Forbidden, NotFound


def request_access(session: Session, principal: Principal, ticket: Ticket, reason: str, minutes: int) -> KitAccess:
    """Request access for `minutes`. Raises Conflict where the ticket has no audit kit."""
    _sealed_kit(ticket)
    access = KitAccess(
        id=uuid.uuid4(),
        ticket_id=ticket.id,
        reason=reason,
        minutes=minutes,
        asked_by=principal.owner,
        asked_at=utc_now(),
    )
    session.add(access)
    session.flush()
    _log(session, principal.owner, "kit.asked", access, {"minutes": minutes})
    return access


def grant_access(session: Session, principal: Principal, access: KitAccess) -> None:
    """Grant access from now on, for the minutes that were requested.

    Raises FourEyes for the person who requested it, Conflict where it was granted before, has ended, or was requested
    more than a day ago.
    """
    now = utc_now()
    deeds = [("requested the access", access.asked_by)]
    people.require_second_person(session, principal.tenant_id, principal.owner, deeds, "allow it")
    if access.allowed_at is not None or access.ended_at is not None:
        raise Conflict("The access was allowed before, or has ended.")
    require_standing_request(access.asked_at, now)
    access.allowed_by, access.allowed_at = principal.owner, now
    access.expires_at = now + timedelta(minutes=access.minutes)
    session.flush()
    _log(session, principal.owner, "kit.allowed", access, {"expires_at": access.expires_at.isoformat()})


def end_access(session: Session, principal: Principal, access: KitAccess) -> None:
    """Refuse access, or end it before its time. Raises Conflict where it has ended."""
    if access.ended_at is not None:
        raise Conflict("The access has ended already.")
    access.ended_by, access.ended_at = principal.owner, utc_now()
    session.flush()
    _log(session, principal.owner, "kit.ended", access, {})


def open_kit(session: Session, context: AppContext, principal: Principal, access: KitAccess) -> OpenedKitResponse:
    """Record an opening and return the content of the kit.

    Raises Forbidden for anybody but the person who requested the access, Conflict where it was not granted, is over,
    or the kit is gone, and what fetching and unsealing the object raises.
    """
    asked_by = people.actors(session, principal.tenant_id, [access.asked_by])[access.asked_by]
    if not is_same_person(asked_by, Actor(principal.owner, principal.person_id)):
        raise Forbidden(f"{access.asked_by} requested the access: nobody else may open the kit.")
    if access.allowed_at is None or access.expires_at is None:
        raise Conflict("Nobody has allowed the access yet.")
    if access.ended_at is not None or access.expires_at <= utc_now():
        raise Conflict("The access is over: request it again.")
    ticket = tickets.get_ticket(session, principal.tenant_id, access.ticket_id)
    kit = _sealed_kit(ticket)
    subject = load_subject(context.keys.open(context.store.get(kit.key), kit.wrapped_key, kit.key))
    session.add(KitOpening(access_id=access.id, at=utc_now(), actor=principal.owner))
    session.flush()
    _log(session, principal.owner, "kit.opened", access, {"sha256": ticket.kit_sha256})
    return OpenedKitResponse(
        **dict(access_response(session, access)),
        names=list(subject.names),
        facts=[fact_response(fact) for fact in subject.facts],
        photos=[_data_url(photo) for photo in subject.photos],
    )


def get_access(session: Session, tenant: str, access_id: uuid.UUID, *, lock: bool = False) -> KitAccess:
    """A request for access to a kit of this tenant. Raises NotFound."""
    own = select(Ticket.id).where(Ticket.tenant_id == tenant)
    query = select(KitAccess).where(KitAccess.id == access_id, KitAccess.ticket_id.in_(own))
    access = session.scalar(query.with_for_update(of=KitAccess) if lock else query)
    if access is None:
        raise NotFound(f"There is no request for access {access_id}.")
    return access


@dataclass(frozen=True)
class _SealedKit:
    key: str  # of the object
    wrapped_key: bytes


def _sealed_kit(ticket: Ticket) -> _SealedKit:
    if ticket.kit_key is None or ticket.kit_wrapped_key is None:
        raise Conflict(
            f"{ticket.id} has no audit kit: it is made when the payload of a completed ticket is destroyed, and is "
            "destroyed itself when the ticket is over."
        )
    return _SealedKit(ticket.kit_key, ticket.kit_wrapped_key)


def _data_url(photo: Image.Image) -> str:
    buffer = io.BytesIO()
    photo.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _log(session: Session, actor: str, kind: str, access: KitAccess, detail: dict[str, object]) -> None:
    audit_log.append_leaf(session, actor, kind, access.ticket_id, {"access": str(access.id)} | detail)
