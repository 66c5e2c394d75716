"""Request bodies: a new person, roles, and the subject of an OpenID provider's tokens."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from services.request.api.schemas import Line, StrictModel
from shared.domain.accounts import Role


class SubjectCreate(StrictModel):
    """An account at an OpenID provider: issuer and `sub` of its tokens."""

    issuer: Annotated[
        str, StringConstraints(pattern=r"^https?://[!-~]{1,300}$"), Field(examples=["https://login.example.org"])
    ]
    subject: Annotated[str, StringConstraints(pattern=r"^[ -~]{1,255}$"), Field(examples=["248289761001"])]


class PersonCreate(StrictModel):
    """A new person. The name is kept in lower case."""

    name: Line
    roles: list[Role] = Field(min_length=1, max_length=7)
    subject: SubjectCreate | None = None

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "paula", "roles": ["officer", "approver"]}]}
    )


class RolesUpdate(StrictModel):
    """The roles that a person is to have, in place of the present ones. An enabled account is the result."""

    roles: list[Role] = Field(max_length=7)
