"""Request body: a new API key."""

from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from services.request.api.schemas import Line, StrictModel
from shared.domain.accounts import Role


class ApiKeyCreate(StrictModel):
    """A new API key of the person `owner`. Without scopes it may do all that its roles allow."""

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
