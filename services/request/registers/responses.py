"""Response models: the register of requests and its key figures."""

from datetime import datetime

from pydantic import Field

from services.request.api.responses import AccountName, Page, ResponseModel, TicketId
from shared.db.repositories.registers import RegisterEntry


class RegisterEntryResponse(ResponseModel):
    """One request of the register, without personal data. The fields are the columns of the CSV."""

    id: TicketId
    received_at: datetime = Field(description="When the request came; the statutory clock counts from here.")
    submitted_at: datetime = Field(description="When it was filed here.")
    source: str = Field(examples=["web-form"])
    external_ref: str | None = Field(examples=["case-1042"])
    state: str = Field(examples=["completed"])
    decided_at: datetime | None
    decided_by: AccountName | None
    ground: str | None = Field(examples=["consent_withdrawn"])
    decision_code: str | None
    required_since: datetime | None
    identity: str = Field(examples=["verified"])
    identity_method: str | None = Field(examples=["id_document"])
    regime: str = Field(examples=["gdpr"])
    due_at: datetime | None
    extended: bool = Field(description="Whether the period was prolonged.")
    completed_at: datetime | None
    refused_at: datetime | None
    late: bool = Field(description="Answered after its last day, or not answered although that day has passed.")
    certificate: int | None = Field(description="The number of the newest certificate.", examples=[1])
    certificate_status: str | None = Field(examples=["in_force"])


class RegisterPage(Page[RegisterEntryResponse]):
    """Requests of the period, the oldest first."""


class DaysTaken(ResponseModel):
    """How many days the requests took that were decided, or completed, so far. They count from the receipt."""

    median_days_to_decision: float | None = Field(examples=[0.8])
    median_days_to_completion: float | None = Field(examples=[1.4])
    p95_days_to_completion: float | None = Field(
        description="Within so many days, 95 of 100 were completed.", examples=[6.5]
    )


class RegimeFigures(DaysTaken):
    """How the requests under one law were answered."""

    received: int
    open: int
    answered_in_time: int
    overdue: int
    completed_late: int
    refused_late: int


class KeyFigures(DaysTaken):
    """Key figures of the requests filed in the period."""

    received: int = Field(examples=[12])
    granted: int = Field(examples=[10])
    refused: int = Field(examples=[1])
    withdrawn: int
    duplicate: int
    expired: int
    completed: int = Field(examples=[9])
    regressed: int
    open: int = Field(examples=[2])
    answered_in_time: int = Field(description="Completed or refused by the last day.", examples=[10])
    overdue: int = Field(description="Neither completed nor refused although the last day has passed.")
    completed_late: int
    refused_late: int
    by_regime: dict[str, RegimeFigures]
    refused_by_code: dict[str, int] = Field(examples=[{"no_match": 1}])
    since: datetime | None
    until: datetime | None


def register_entry(entry: RegisterEntry) -> RegisterEntryResponse:
    """One request with its newest certificate."""
    ticket, certificate = entry.ticket, entry.certificate
    return RegisterEntryResponse(
        id=ticket.id,
        received_at=ticket.received_at,
        submitted_at=ticket.submitted_at,
        source=ticket.source,
        external_ref=ticket.external_ref,
        state=ticket.state,
        decided_at=ticket.decided_at,
        decided_by=ticket.decided_by,
        ground=ticket.ground,
        decision_code=ticket.decision_code,
        required_since=ticket.required_since,
        identity=ticket.identity,
        identity_method=ticket.identity_method,
        regime=ticket.regime,
        due_at=ticket.due_at,
        extended=entry.extended,
        completed_at=entry.completed_at,
        refused_at=entry.refused_at,
        late=entry.late,
        certificate=certificate.number if certificate else None,
        certificate_status=certificate.status if certificate else None,
    )
