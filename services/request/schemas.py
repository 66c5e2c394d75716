"""Bodies of the officer's API. Pydantic checks shapes and sizes; meaning is checked in `service.py`."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from shared.contracts import Role
from shared.lifecycle import State

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Photo = Annotated[str, StringConstraints(min_length=1, max_length=12_000_000)]
Ground = Literal[
    "no_longer_necessary", "consent_withdrawn", "objection", "unlawful_processing", "legal_obligation", "child_services"
]
RejectionCode = Literal[
    "freedom_of_expression", "legal_obligation", "public_health", "archiving", "legal_claims", "manifestly_unfounded",
    "excessive", "no_match", "not_applicable", "insufficient_verification",
]  # fmt: skip


class Body(BaseModel):
    """Unknown fields are an error: a misspelt one must not be lost in silence."""

    model_config = ConfigDict(extra="forbid")


class FactBody(Body):
    """One thing to be forgotten."""

    attribute: Slug
    value: Line
    aliases: list[Line] = Field(default_factory=list, max_length=20)


class TicketBody(Body):
    """A request to be forgotten."""

    names: list[Line] = Field(min_length=1, max_length=10)
    photos: list[Photo] = Field(default_factory=list, max_length=10, description="PNG, JPEG or WebP as data URLs")
    facts: list[FactBody] = Field(min_length=1, max_length=100)
    urgent: bool = False
    source: Line = "api"
    external_ref: Line | None = None
    regime: Literal["gdpr", "uk_gdpr", "ccpa"] | None = Field(default=None, description="whose periods count")
    calendar: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")] | None = Field(
        default=None, description="whose public holidays count: DE, DE-BY, US-CA"
    )
    received_at: AwareDatetime | None = Field(default=None, description="when the request came, where not just now")

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "names": ["Mara Lindqvist"],
                    "photos": ["data:image/png;base64,iVBORw0KGgo..."],
                    "facts": [{"attribute": "employer", "value": "Marble & Finch", "aliases": ["Marble and Finch"]}],
                    "urgent": True,
                    "source": "web-form",
                    "external_ref": "case-1042",
                }
            ]
        },
    )


class Filters(Body):
    """Which tickets, and from where on."""

    state: State | None = None
    urgent: bool | None = None
    submitted_before: AwareDatetime | None = None
    source: Line | None = None
    due_after: AwareDatetime | None = Field(default=None, description="with a due filter: what is due first, first")
    due_before: AwareDatetime | None = Field(default=None, description="of clocks that have not stopped")
    overdue: bool | None = Field(default=None, description="whether the last day has passed while the clock runs")
    limit: int = Field(default=50, ge=1, le=200)
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"state": "under_review", "limit": 50}]})


class SearchBody(Filters):
    """By name: the only place where a search may hold personal data, and it is a body."""

    names: list[Line] = Field(default_factory=list, max_length=10)

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"names": ["Mara Lindqvist"]}]})


class KeyBody(Body):
    """An API key to be made. Without scopes it may do all that its roles allow."""

    owner: Line
    roles: list[Role] = Field(min_length=1, max_length=7)
    scopes: list[Annotated[str, StringConstraints(pattern=r"^[a-z]+:(read|write)$")]] = Field(
        default_factory=list, max_length=20
    )
    label: Annotated[str, StringConstraints(max_length=200)] = ""
    expires_at: AwareDatetime | None = None

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"owner": "web-form", "roles": ["requester"], "scopes": ["tickets:write"], "label": "the form"}
            ]
        },
    )


class WebhookBody(Body):
    """Who is told of what: `ticket.<state>`, `alarm.raised`, `alarm.cleared`, or `*` for all."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    events: list[Annotated[str, StringConstraints(pattern=r"^(\*|(ticket|alarm)\.[a-z0-9_.]+)$", max_length=60)]] = (
        Field(min_length=1, max_length=50)
    )

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"url": "https://hooks.example.org/lacuna", "events": ["ticket.completed", "ticket.failed"]}]
        },
    )


class ApproveBody(Body):
    """Article 17(1) GDPR: the ground on which the person may be forgotten, (a) to (f)."""

    ground: Ground
    urgent: bool | None = Field(default=None, description="start the refit at once; as filed where not given")


class RejectBody(Body):
    """Articles 17(3) and 12 GDPR: why not, and what the person is told."""

    code: RejectionCode
    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


class WithdrawBody(Body):
    """The person, or the officer, takes the request back."""

    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
