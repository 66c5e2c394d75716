"""Requests that agents send: tokens, tickets, and what a ticket is called in the protocol's words.

Each function is one transaction's worth, on a database of the tenant. Knows no HTTP.
"""

import hashlib
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.request import sealing
from services.request.auth.principals import Principal
from services.request.contacts import service as contacts
from services.request.context import AppContext
from services.request.drp.messages import Agent, Message
from services.request.letters.laws import refusal_reason
from services.request.tickets import duplicates, intake
from services.request.tickets import service as tickets_service
from services.request.tickets.drafts import Drafts
from services.request.tickets.schemas import TicketCreate, TicketWithdraw
from services.request.webhooks import client
from shared.core.clock import utc_now
from shared.core.validation import summarize_validation_errors
from shared.db.models.intake import DrpMessage, DrpRequest, DrpToken
from shared.db.models.tickets import Ticket
from shared.db.repositories import audit_log, tickets
from shared.db.session import transaction
from shared.domain.accounts import SYSTEM_ACTOR
from shared.domain.ticket_lifecycle import UNDECIDED
from shared.errors import BadInput, Conflict, Forbidden, LacunaError, NotReady, Unauthorized

SOURCE: Final = "drp"
DELETION: Final = "deletion"
REGIME: Final = "ccpa"
FINAL: Final = ("fulfilled", "revoked", "denied")
CONTACT: Final = ("email", "phone_number", "address", "power_of_attorney")
VERIFIED: Final = ("email_verified", "phone_number_verified", "address_verified")
LONGEST_CONTACT: Final = 2000
NOT_YOURS: Final = "There is no such request of this agent."
# Our reasons of a refusal in the protocol's words (section 3.02); the exceptions of the law are `claim_not_covered`.
DENIALS: Final[Mapping[str, str]] = {
    "no_match": "no_match",
    "insufficient_verification": "insuf_verification",
    "excessive": "too_many_requests",
    "manifestly_unfounded": "other",
}
NOT_COVERED: Final = "claim_not_covered"


@dataclass(frozen=True)
class Status:
    """A request as the protocol describes it (section 3.03)."""

    request_id: uuid.UUID
    received_at: datetime
    status: str
    reason: str | None = None
    expected_by: datetime | None = None
    processing_details: str | None = None

    @property
    def word(self) -> str:
        """Status and reason, by which a change is noticed."""
        return f"{self.status}/{self.reason}" if self.reason else self.status

    def body(self) -> dict[str, Any]:
        """The object that is sent."""
        members = {
            "request_id": str(self.request_id),
            "received_at": self.received_at.isoformat(),
            "status": self.status,
            "reason": self.reason,
            "expected_by": self.expected_by.isoformat() if self.expected_by else None,
            "processing_details": self.processing_details,
        }
        return {name: value for name, value in members.items() if value is not None}


def set_up(context: AppContext, tenant: str, agent: Agent, message: Message, expires: datetime) -> str:
    """A new token of the agent, in place of an earlier one. Raises Forbidden where the message was sent before."""
    token = secrets.token_urlsafe(32)
    with transaction(context.database) as session:
        _take_once(session, tenant, message, expires)
        earlier = DrpToken.tenant_id == tenant, DrpToken.agent_id == agent.id, DrpToken.ended_at.is_(None)
        session.execute(update(DrpToken).where(*earlier).values(ended_at=utc_now()))
        session.add(DrpToken(token_sha256=_sha256(token), tenant_id=tenant, agent_id=agent.id, created_at=utc_now()))
        audit_log.append_leaf(session, SYSTEM_ACTOR, "drp.token", agent.id, {"agent": agent.name})
    return token


def agent_of_token(context: AppContext, tenant: str, agents: Mapping[str, Agent], token: str) -> Agent:
    """Whose token it is. Raises Unauthorized where it is none, has ended, or its agent left the registry."""
    with transaction(context.database) as session:
        valid = DrpToken.tenant_id == tenant, DrpToken.token_sha256 == _sha256(token), DrpToken.ended_at.is_(None)
        agent_id = session.scalar(select(DrpToken.agent_id).where(*valid))
    agent = agents.get(agent_id or "")
    if agent is None:
        raise Unauthorized("The token is not valid: set up a new one.")
    return agent


def exercise(
    context: AppContext, tenant: str, agent: Agent, message: Message, expires: datetime, most_waiting: int = 1000
) -> Status:
    """File the request as a ticket. The same agent-request-id, or the same message, files none again.

    Raises BadInput for a right that is not deletion, another law, a person without a name, or a callback that cannot
    be called; NotReady where `most_waiting` requests of the agent wait.
    """
    reference = message.text("agent-request-id")
    if (known := _known(context, tenant, agent, message, reference)) is not None:
        return known
    if message.text("exercise") != DELETION:
        raise BadInput("exercise: deletion alone is supported.")
    law = message.text("regime")
    if law not in (None, REGIME):
        raise BadInput("regime: ccpa alone is supported, or none.")
    callback = message.text("status_callback", 2000)
    if callback is not None:
        try:
            client.check_url(callback, context.webhook_hosts, allow_loopback=context.webhook_loopback)
        except BadInput as exc:
            raise BadInput(f"status_callback: {exc.detail.removeprefix('url: ')}") from exc
    number = uuid.uuid4()
    name = message.text("name")
    if name is None:
        raise BadInput("name: the person needs one, by which the model recognises them.")
    principal = Principal(tenant, SYSTEM_ACTOR, (SYSTEM_ACTOR, "officer"))
    try:
        body = TicketCreate(names=[name], regime="ccpa" if law else None, source=SOURCE, external_ref=str(number))
    except ValidationError as exc:
        raise BadInput(summarize_validation_errors(exc.errors(include_url=False, include_input=False))) from exc
    contact = _contact(message)
    prepared = intake.seal_material(context, principal, body)
    with Drafts(context, [prepared]) as drafts, sealing.change(context) as session:
        _lock(session, tenant, agent)
        if (row := _find(session, tenant, agent, reference)) is not None:
            return _status(session, row)  # sent twice at once
        _require_room(session, tenant, agent, most_waiting)
        _take_once(session, tenant, message, expires)
        (filed,) = intake.insert_tickets(session, context, principal, [prepared])
        session.flush()
        ticket = session.get_one(Ticket, filed.ticket.id, with_for_update=True)
        tickets.record(session, ticket, SYSTEM_ACTOR, _attested(agent, message), "drp.received")
        if contact:
            contacts.add(session, context, ticket, contact)
        row = DrpRequest(
            id=number,
            tenant_id=tenant,
            agent_id=agent.id,
            agent_request_id=reference,
            ticket_id=ticket.id,
            status_callback=callback,
            received_at=utc_now(),
            callback_attempts=0,
        )
        status = _status(session, row)
        row.told = status.word
        session.add(row)
        drafts.filed.add(ticket.id)
        return status


def show(context: AppContext, tenant: str, agent: Agent, number: uuid.UUID) -> Status:
    """How far a request is. Raises Forbidden where it is not one of this agent's, or there is none."""
    with transaction(context.database) as session:
        return _status(session, _own(session, tenant, agent, number))


def revoke(context: AppContext, tenant: str, agent: Agent, message: Message, number: uuid.UUID) -> Status:
    """Take a request back: its ticket is withdrawn where the rules allow it, else an officer is told.

    Raises Forbidden where it is not one of this agent's, Conflict where it is over.
    """
    reason = message.text("reason", 2000) or "The agent gave no reason."
    principal = Principal(tenant, SYSTEM_ACTOR, (SYSTEM_ACTOR, "officer"))
    with transaction(context.database) as session:
        row = _own(session, tenant, agent, number, lock=True)
        if row.revoked_at is None:
            if _status(session, row).status in FINAL:
                raise Conflict("The request is over, and cannot be revoked any more.")
            ticket = session.get_one(Ticket, row.ticket_id, with_for_update=True)
            try:
                with session.begin_nested():
                    tickets_service.withdraw(session, principal, ticket, TicketWithdraw(note=reason))
            except LacunaError:  # a legal hold, an eraser that was fitted, a duplicate: an officer decides
                session.refresh(ticket)
                tickets.record(session, ticket, SYSTEM_ACTOR, reason, "drp.revoked")
            row.revoked_at = utc_now()
        session.flush()
        return _status(session, row)


def status_of(session: Session, row: DrpRequest) -> Status:
    """How far a request is, for whoever may know."""
    return _status(session, row)


def _status(session: Session, row: DrpRequest) -> Status:
    if row.revoked_at is not None:
        return Status(row.id, row.received_at, "revoked")
    ticket = session.get_one(Ticket, row.ticket_id)
    due = ticket.due_at
    ticket = duplicates.told_ticket(session, ticket)
    if ticket.state == "completed":
        return Status(row.id, row.received_at, "fulfilled")
    if ticket.state == "withdrawn":
        return Status(row.id, row.received_at, "revoked")
    if ticket.state == "expired":
        return Status(row.id, row.received_at, "denied", "insuf_verification")
    if ticket.state == "rejected":
        code = ticket.decision_code or ""
        sentence = refusal_reason(ticket.regime, code).sentence
        return Status(row.id, row.received_at, "denied", DENIALS.get(code, NOT_COVERED), None, sentence)
    details = "The identity is being verified." if ticket.state == "identity_pending" else None
    return Status(row.id, row.received_at, "in_progress", None, due, details)


def _known(context: AppContext, tenant: str, agent: Agent, message: Message, reference: str | None) -> Status | None:
    """The status of a request that was sent before. Raises Forbidden for a message that was and has no reference."""
    with transaction(context.database) as session:
        if (row := _find(session, tenant, agent, reference)) is not None:
            return _status(session, row)
        if session.get(DrpMessage, (tenant, message.digest)) is not None:
            raise Forbidden("This message was sent before.")
        return None


def _find(session: Session, tenant: str, agent: Agent, reference: str | None) -> DrpRequest | None:
    if reference is None:
        return None
    same = DrpRequest.tenant_id == tenant, DrpRequest.agent_id == agent.id, DrpRequest.agent_request_id == reference
    return session.scalar(select(DrpRequest).where(*same))


def _own(session: Session, tenant: str, agent: Agent, number: uuid.UUID, *, lock: bool = False) -> DrpRequest:
    same = DrpRequest.tenant_id == tenant, DrpRequest.agent_id == agent.id, DrpRequest.id == number
    query = select(DrpRequest).where(*same)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise Forbidden(NOT_YOURS)
    return row


def _take_once(session: Session, tenant: str, message: Message, expires: datetime) -> None:
    """Note that a message is carried out. Raises Forbidden where it was before."""
    taken = insert(DrpMessage).values(tenant_id=tenant, message_sha256=message.digest, expires_at=expires)
    if session.scalar(taken.on_conflict_do_nothing().returning(DrpMessage.message_sha256)) is None:
        raise Forbidden("This message was sent before.")


def _require_room(session: Session, tenant: str, agent: Agent, most: int) -> None:
    """Raise NotReady where so many requests of the agent wait for a decision."""
    waiting = select(func.count()).select_from(DrpRequest).join(Ticket, Ticket.id == DrpRequest.ticket_id)
    of_agent = DrpRequest.tenant_id == tenant, DrpRequest.agent_id == agent.id
    if (session.scalar(waiting.where(*of_agent, Ticket.state.in_((*UNDECIDED, "duplicate")))) or 0) >= most:
        raise NotReady(f"{most} requests of this agent wait for a decision; send no more.", retry_after_s=3600)


def _lock(session: Session, tenant: str, agent: Agent) -> None:
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"drp {tenant} {agent.id}", 0))))


def _contact(message: Message) -> dict[str, str]:
    """How the person is reached, and what the agent says to have verified of it."""
    found = {}
    for name in CONTACT:
        value = message.members.get(name)
        if isinstance(value, dict):
            value = ", ".join(f"{key}: {part}" for key, part in value.items() if isinstance(part, str))
        if isinstance(value, str) and value:
            found[name] = " ".join(value.split())[:LONGEST_CONTACT]
    return found


def _attested(agent: Agent, message: Message) -> str:
    verified = [name.removesuffix("_verified") for name in VERIFIED if message.members.get(name) is True]
    listed = ", ".join(verified) if verified else "nothing"
    return f"Sent by the agent {agent.id}, which says that it has verified: {listed}."


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
