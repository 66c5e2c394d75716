"""Body."""

from pydantic import Field

from services.request.api.schemas import Note, StrictModel


class KitBody(StrictModel):
    """Why a person's audit kit has to be looked into, and for how long."""

    reason: Note
    minutes: int = Field(ge=1, le=1440)
