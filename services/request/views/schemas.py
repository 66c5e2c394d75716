"""Request body: a view of the list of tickets that a person saves by a name."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from services.request.api.schemas import Line, StrictModel
from shared.domain.ticket_lifecycle import State

ListName = Literal["due", "mine", "review", "identity", "overdue", "failed", "completed", "all"]
ViewName = Annotated[Line, StringConstraints(max_length=60)]


class ViewFilters(StrictModel):
    """A list of the console, and what it is narrowed by."""

    view: ListName = Field(default="due", description="Which list of the console.")
    state: State | None = None
    urgent: bool | None = None
    source: Line | None = None
    assigned: Literal["me", "nobody"] | UUID | None = Field(
        default=None, description="Of whom: `me`, `nobody`, or the id of a person.", examples=["me"]
    )


class ViewCreate(StrictModel):
    """A view to save. One of the same name is replaced."""

    name: ViewName
    filters: ViewFilters

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "Urgent and mine", "filters": {"view": "mine", "urgent": True}}]},
    )
