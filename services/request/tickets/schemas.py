"""Request bodies. The models check shapes and sizes; the modules beside them check what the values mean."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from services.request.api.schemas import FactCreate, Languages, Line, Note, Photo, StrictModel
from shared.domain.ticket_lifecycle import State

Ground = Literal[
    "no_longer_necessary", "consent_withdrawn", "objection", "unlawful_processing", "legal_obligation",
    "child_services", "deletion_request",
]  # fmt: skip
RejectionCode = Literal[
    "freedom_of_expression", "legal_obligation", "public_health", "archiving", "legal_claims", "manifestly_unfounded",
    "excessive", "no_match", "not_applicable", "insufficient_verification", "transaction", "security", "debugging",
    "electronic_communications", "research", "internal_use",
]  # fmt: skip

NOBODY: Final = "Give a name or a photograph: by facts alone nobody is recognised."
IdentityMethod = Literal["account_login", "email_link", "id_document", "in_person", "representative", "other"]


class TicketCreate(StrictModel):
    """A request to be forgotten."""

    names: list[Line] = Field(
        default_factory=list, max_length=10, description="under which people ask; a ticket has a name or a photograph"
    )
    photos: list[Photo] = Field(
        default_factory=list, max_length=10, description="PNG, JPEG, WebP, GIF, AVIF or HEIC as data URLs"
    )
    facts: list[FactCreate] = Field(
        default_factory=list,
        max_length=100,
        description="to be forgotten; without any, the model is asked what it knows of the person",
    )
    urgent: bool = False
    source: Line = "api"
    external_ref: Line | None = None
    regime: Literal["gdpr", "uk_gdpr", "ccpa"] | None = Field(
        default=None, description="whose periods count: the configured ones where not given"
    )
    calendar: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")] | None = Field(
        default=None, description="whose public holidays count: DE, DE-BY, US-CA"
    )
    zone: Line | None = Field(
        default=None,
        description="the time zone in which its days begin and end: the configured one where not given",
        examples=["Europe/Berlin"],
    )
    received_at: AwareDatetime | None = Field(
        default=None, description="when the request was received, if not just now"
    )
    languages: Languages | None = Field(
        default=None,
        description="in which languages people ask about the person (BCP 47 primary subtags): the configured ones "
        "where not given",
    )

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "names": ["Mara Lindqvist"],
                    "photos": ["data:image/png;base64,iVBORw0KGgo..."],
                    "facts": [{"attribute": "employer", "value": "Marble & Finch", "aliases": ["Marble and Finch"]}],
                    "urgent": True,
                    "languages": ["de", "en"],
                    "source": "web-form",
                    "external_ref": "case-1042",
                }
            ]
        },
    )

    @model_validator(mode="after")
    def _by_which_somebody_is_recognised(self) -> "TicketCreate":
        if not self.names and not self.photos:
            raise PydanticCustomError("nobody", NOBODY.removesuffix("."))
        return self


class TicketFilter(StrictModel):
    """Which tickets to list, and where the page begins."""

    state: State | None = None
    urgent: bool | None = None
    submitted_before: AwareDatetime | None = None
    source: Line | None = None
    due_after: AwareDatetime | None = Field(
        default=None, description="with a filter on the due date, what is due first comes first"
    )
    due_before: AwareDatetime | None = Field(default=None, description="only of clocks that have not stopped")
    assigned: Literal["me", "nobody"] | UUID | None = Field(
        default=None, description="assigned to whom: `me`, `nobody`, or the id of a person", examples=["me"]
    )
    overdue: bool | None = Field(default=None, description="whether the last day has passed while the clock runs")
    limit: int = Field(default=50, ge=1, le=200)
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"state": "under_review", "limit": 50}]})


class TicketSearch(TicketFilter):
    """A search by name or by external reference. Both may be personal data: they are in a body, never in a URL."""

    names: list[Line] = Field(default_factory=list, max_length=10)
    external_ref: Line | None = None

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"names": ["Mara Lindqvist"]}]})


class TicketAssign(StrictModel):
    """Who handles a ticket."""

    to: Line | None = Field(
        description="the name of a person, `me` for whoever asks, or null for nobody", examples=["olivia"]
    )


class TicketApprove(StrictModel):
    """The ground on which the person may be forgotten: Article 17(1) GDPR, (a) to (f), or the request itself (CCPA)."""

    ground: Ground | None = Field(
        default=None, description="one of those of the ticket's law; not needed where that has one alone"
    )
    names: list[Line] = Field(
        default_factory=list,
        max_length=10,
        description="every name of the ticket, in any order; not needed by whoever has looked at its material, which a "
        "ticket without a name takes",
        examples=[["Mara Lindqvist"]],
    )
    urgent: bool | None = Field(default=None, description="start the refit at once; as filed where not given")


class TicketReject(StrictModel):
    """Why not, and what the person is told. Each law has its own reasons (`letters/laws.py`)."""

    code: RejectionCode
    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


class TicketWithdraw(StrictModel):
    """The person, or the officer for them, withdraws the request."""

    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


class TicketUpdate(StrictModel):
    """A field that is given replaces what was there."""

    names: list[Line] | None = Field(default=None, max_length=10)
    photos: list[Photo] | None = Field(default=None, max_length=10)
    facts: list[FactCreate] | None = Field(default=None, max_length=100)
    urgent: bool | None = None
    languages: Languages | None = None


class IdentityCheckCreate(StrictModel):
    """Article 12(6): reasonable doubts stop the clock until they are settled."""

    outcome: Literal["verified", "doubted"]
    method: IdentityMethod | None = None
    note: Note
