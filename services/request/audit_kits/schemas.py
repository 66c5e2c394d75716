"""Request body: access to an audit kit."""

from pydantic import Field

from services.request.api.schemas import Note, StrictModel


class KitAccessCreate(StrictModel):
    """Why a person's audit kit has to be opened, and for how long."""

    reason: Note
    minutes: int = Field(ge=1, le=1440)
