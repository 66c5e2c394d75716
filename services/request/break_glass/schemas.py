"""The request body."""

from pydantic import Field

from services.request.api.schemas import Note, StrictModel


class BreakGlassCreate(StrictModel):
    """Why people may be exposed again, and for how long."""

    reason: Note
    minutes: int = Field(ge=1, le=1440)
