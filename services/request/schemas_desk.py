"""Bodies of the desk's endpoints."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from services.request.schemas import Body, FactBody, Line, Photo

Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


class EditBody(Body):
    """What is given replaces what was there."""

    names: list[Line] | None = Field(default=None, min_length=1, max_length=10)
    photos: list[Photo] | None = Field(default=None, max_length=10)
    facts: list[FactBody] | None = Field(default=None, min_length=1, max_length=100)
    urgent: bool | None = None


class IdentityBody(Body):
    """Article 12(6): reasonable doubts stop the clock until they are settled."""

    outcome: Literal["verified", "doubted"]
    method: Literal["account_login", "email_link", "id_document", "in_person", "representative", "other"] | None = None
    note: Note


class ReasonBody(Body):
    """Why."""

    reason: Note


class KitBody(Body):
    """Why a person's audit kit has to be looked into, and for how long."""

    reason: Note
    minutes: int = Field(ge=1, le=1440)


class BreakGlassBody(Body):
    """Why people may be exposed again, and for how long."""

    reason: Note
    minutes: int = Field(ge=1, le=1440)
