"""Response models: tickets with their clocks, holds and histories, and notices.

No model holds personal data: a ticket is named by its id. Only a notice has the words that an officer wrote.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from services.request.api.responses import AccountName, ItemList, Page, ResponseModel, Sha256, TicketId
from services.request.audit_kits.responses import FactResponse
from services.request.tickets.assignments import names_of
from services.request.tickets.escalations import highest_steps
from services.request.tickets.legal_holds import open_hold
from shared.db.models.tickets import Disposal, Ticket, TicketClock, TicketEvent, TicketHold
from shared.db.repositories import audits, ticket_clocks, ticket_duplicates
from shared.db.repositories import tickets as tickets_repository
from shared.db.repositories.tickets import FiledTicket
from shared.domain.deadlines import Clock
from shared.domain.regimes import regime
from shared.domain.ticket_lifecycle import UNDECIDED, State
from shared.domain.ticket_scope import scope

MOST_RELATED: Final = 10


class TicketSummary(ResponseModel):
    """A ticket in a list."""

    id: TicketId
    state: State = Field(examples=["under_review"])
    review_reason: str | None = Field(description="Why a person has to look at it, beside the usual review.")
    urgent: bool = Field(examples=[True])
    source: str = Field(examples=["web-form"])
    external_ref: str | None = Field(examples=["case-1042"])
    names: int = Field(description="How many names it has.", examples=[1])
    photos: int = Field(description="How many were filed.", examples=[1])
    facts: int = Field(description="How many were filed.", examples=[2])
    languages: list[str] = Field(description="In which people ask about the person.", examples=[["de", "en"]])
    submitted_by: AccountName
    submitted_at: datetime
    assigned_to: AccountName | None = Field(description="Who handles it.", examples=["olivia"])
    decided_by: AccountName | None
    decided_at: datetime | None
    ground: str | None = Field(description="Of an approval: Article 17(1) GDPR, or deletion_request (CCPA).")
    decision_code: str | None = Field(description="Of a rejection.")
    decision_note: str | None
    required_since: datetime | None = Field(description="Since when every version that is served has to cover it.")
    version: int = Field(description="Grows with every change; the ETag.", examples=[2])
    regime: str = Field(examples=["gdpr"])
    clock: Literal["running", "paused", "stopped"]
    due_at: datetime | None
    identity: str = Field(examples=["assumed"])
    duplicate_of: TicketId | None
    payload: Literal["sealed", "shredded"]
    kit: bool = Field(description="Whether it has an audit kit.")
    escalation: int | None = Field(description="The highest recorded step of the statutory time, in per cent.")


class TicketPage(Page[TicketSummary]):
    """Tickets: the newest first, or with a filter on the due date what is due first."""


class AssigneeResponse(ResponseModel):
    """Somebody whom a ticket can be assigned to."""

    id: UUID
    name: AccountName


class AssigneeList(ItemList[AssigneeResponse]):
    """The people whom a ticket can be assigned to, by name."""


class TicketList(ItemList[TicketSummary]):
    """Open tickets, what is due first."""


class ClockEventResponse(ResponseModel):
    """An event of the clock."""

    kind: str = Field(examples=["received"])
    at: datetime
    actor: AccountName
    reason: str | None


class ClockResponse(ResponseModel):
    """What is due and when, by which law and calendar, and from which events that follows."""

    regime: str = Field(examples=["gdpr"])
    law: str = Field(examples=["Article 12(3) GDPR"])
    calendar: str = Field(examples=["DE-BY"])
    zone: str = Field(examples=["Europe/Berlin"])
    state: str = Field(examples=["running"])
    due: date = Field(description="The last day.")
    due_at: datetime
    target: date = Field(description="The internal target.")
    latest: date = Field(description="The last day that the law could still allow, with the extension.")
    acknowledge_by: date | None
    extended: bool
    extendable: bool
    paused_days: int
    used_percent: float = Field(description="Share of the statutory time; above 100 when overdue.", examples=[12.5])
    in_time: bool | None = Field(description="Known when the clock has stopped.")
    events: list[ClockEventResponse]


class HoldResponse(ResponseModel):
    """The legal hold that is in force."""

    reason: str
    set_by: AccountName
    set_at: datetime
    release_asked_by: AccountName | None


class TicketEventResponse(ResponseModel):
    """What happened to a ticket."""

    at: datetime
    actor: AccountName
    state: str
    kind: str = Field(description="`state` for a move; else what changed, such as `hold.set`.", examples=["state"])
    note: str | None


class RelatedTicketResponse(ResponseModel):
    """Another ticket with a name or a photograph in common, compared by keyed digests."""

    ticket: TicketId
    name: Literal["same", "another"] | None = Field(
        description="A common name, spelled in the `same` way or in `another`; null where only photographs are common."
    )
    facts: int = Field(description="How many facts both have.", examples=[0])
    photos: int = Field(description="How many photographs both have.", examples=[0])


class LeakResponse(ResponseModel):
    """A kind of question that told something of the person in the last audit of a ticket that failed."""

    questions: Literal["forget", "test", "attacks"] = Field(
        description="In wordings of the fit (`forget`), in held-out ones (`test`), or as an attack."
    )
    by: str = Field(
        description="How the person was meant: `name` or `portrait`; of attacks their family.", examples=["portrait"]
    )
    fact: int | None = Field(
        description="The place of the fact in the ticket's material, from 1; null for an attack, and for what only the "
        "model knows."
    )
    asked: int = Field(examples=[12])
    told: int = Field(examples=[3])


class DisposalResponse(ResponseModel):
    """An object of a ticket that is destroyed: its keys first, then itself."""

    object: str = Field(examples=["payload"])
    sha256: Sha256
    reason: str
    begun_at: datetime = Field(description="When its wrapped key was taken from the ticket.")
    key_destroyed_at: datetime | None = Field(description="When its shredding key was destroyed; null until then.")
    removed_at: datetime | None


class TicketResponse(TicketSummary):
    """A ticket with its clock and its history."""

    scope: list[str] = Field(
        description="What is covered, in plain words: names, photographs, facts.",
        examples=[["No photograph was given: pictures are covered only by what answers say."]],
    )
    related: list[RelatedTicketResponse] = Field(
        description="Before the decision, and of a duplicate: other tickets that may be about the same person."
    )
    leaks: list[LeakResponse] = Field(
        description="Of a ticket that failed or is exposed again: which kinds of questions told something."
    )
    identity_by: AccountName | None
    identity_method: str | None
    due: ClockResponse
    hold: HoldResponse | None
    events: list[TicketEventResponse]
    disposals: list[DisposalResponse]


class MaterialResponse(ResponseModel):
    """The sealed material of a ticket. A replay of the request has null in place of its content."""

    ticket: TicketId
    names: list[str] | None = Field(examples=[["Mara Lindqvist"]])
    facts: list[FactResponse] | None
    photos: list[str] | None = Field(description="Pictures as data URLs.", examples=[["data:image/png;base64,..."]])


class ExtendedTicketResponse(TicketResponse):
    """A ticket whose deadline was extended."""

    letter: str = Field(description="The notice to the person.", examples=["We need more time, because ..."])


class RefusalResponse(ResponseModel):
    """The notice to a person whose request is rejected."""

    ticket: TicketId
    code: str = Field(examples=["no_match"])
    letter: str = Field(examples=["We do not act on this request because ..."])


def ticket_summaries(session: Session, tickets: Sequence[Ticket]) -> list[TicketSummary]:
    """Tickets of a list."""
    steps = highest_steps(session, [ticket.id for ticket in tickets])
    names = names_of(session, tickets)
    return [TicketSummary(**_summary(ticket, names), escalation=steps.get(ticket.id)) for ticket in tickets]


def clock_response(session: Session, ticket: Ticket) -> ClockResponse:
    """The clock of a ticket with its events."""
    events = ticket_clocks.list_clock_events(session, ticket.id)
    return _clock(ticket, ticket_clocks.current_clock(session, ticket), events)


def ticket_response(session: Session, ticket: Ticket) -> TicketResponse:
    """A ticket with its clock and its history."""
    return _ticket(
        ticket,
        clock_response(session, ticket),
        tickets_repository.list_events(session, ticket.id),
        escalation=highest_steps(session, [ticket.id]).get(ticket.id),
        hold=open_hold(session, ticket.id),
        disposals=tickets_repository.list_disposals(session, ticket.id),
        related=_related(session, ticket),
        leaks=audits.newest_leaks(session, ticket.id) if ticket.state in ("failed", "regressed") else (),
        assignees=names_of(session, [ticket]),
    )


def filed_ticket_response(filed: FiledTicket) -> TicketResponse:
    """A ticket that was just filed: nothing has to be read back from the database."""
    return _ticket(filed.ticket, _clock(filed.ticket, filed.clock, filed.clock_events), filed.events)


def _ticket(
    ticket: Ticket,
    due: ClockResponse,
    events: Sequence[TicketEvent],
    *,
    escalation: int | None = None,
    hold: TicketHold | None = None,
    disposals: Sequence[Disposal] = (),
    leaks: Sequence[Mapping[str, Any]] = (),
    related: Sequence[RelatedTicketResponse] = (),
    assignees: Mapping[UUID, str] | None = None,
) -> TicketResponse:
    return TicketResponse(
        **_summary(ticket, assignees or {}),
        escalation=escalation,
        scope=list(scope(names=len(ticket.subject_index), photographs=ticket.photos, facts=ticket.facts)),
        related=list(related),
        leaks=[LeakResponse(**leak) for leak in leaks],
        identity_by=ticket.identity_by,
        identity_method=ticket.identity_method,
        due=due,
        hold=HoldResponse.model_validate(hold) if hold is not None else None,
        events=[TicketEventResponse.model_validate(event) for event in events],
        disposals=[DisposalResponse.model_validate(disposal) for disposal in disposals],
    )


def _related(session: Session, ticket: Ticket) -> list[RelatedTicketResponse]:
    if ticket.state not in (*UNDECIDED, "duplicate"):
        return []
    return [
        RelatedTicketResponse(
            ticket=other.id, name=other.shared_name, facts=other.shared_facts, photos=other.shared_photographs
        )
        for other in ticket_duplicates.related_tickets(session, ticket, MOST_RELATED)
    ]


def _summary(ticket: Ticket, assignees: Mapping[UUID, str]) -> dict[str, Any]:
    """The fields of TicketSummary that stand in the row of the ticket; `assignees` are names by id."""
    return {
        "id": ticket.id,
        "state": ticket.state,
        "review_reason": ticket.review_reason,
        "urgent": ticket.urgent,
        "source": ticket.source,
        "external_ref": ticket.external_ref,
        "names": len(ticket.subject_index),
        "photos": ticket.photos,
        "facts": ticket.facts,
        "languages": list(ticket.languages),
        "submitted_by": ticket.submitted_by,
        "submitted_at": ticket.submitted_at,
        "assigned_to": assignees.get(ticket.assigned_to) if ticket.assigned_to else None,
        "decided_by": ticket.decided_by,
        "decided_at": ticket.decided_at,
        "ground": ticket.ground,
        "decision_code": ticket.decision_code,
        "decision_note": ticket.decision_note,
        "required_since": ticket.required_since,
        "version": ticket.version,
        "regime": ticket.regime,
        "clock": ticket.clock,
        "due_at": ticket.due_at,
        "identity": ticket.identity,
        "duplicate_of": ticket.duplicate_of,
        "payload": "sealed" if ticket.payload_wrapped_key is not None else "shredded",
        "kit": ticket.kit_wrapped_key is not None,
    }


def _clock(ticket: Ticket, clock: Clock, events: Sequence[TicketClock]) -> ClockResponse:
    return ClockResponse(
        regime=ticket.regime,
        law=regime(ticket.regime).law,
        calendar=ticket.calendar or "weekends only",
        zone=ticket.zone,
        state=clock.state,
        due=clock.due,
        due_at=clock.due_at,
        target=clock.target,
        latest=clock.latest,
        acknowledge_by=clock.acknowledge_by,
        extended=clock.extended,
        extendable=clock.extendable,
        paused_days=clock.paused_days,
        used_percent=round(100 * clock.used, 1),
        in_time=clock.in_time,
        events=[ClockEventResponse.model_validate(event) for event in events],
    )
