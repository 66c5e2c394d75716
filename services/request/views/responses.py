"""Response models: views of the list of tickets."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from services.request.api.responses import ItemList, ResponseModel
from services.request.views.schemas import ViewFilters
from shared.db.models.tenancy import SavedView


class ViewResponse(ResponseModel):
    """A view that a person saved. Once it has ended, neither its name nor its filters are kept."""

    id: UUID
    name: str = Field(examples=["Urgent and mine"])
    filters: ViewFilters
    created_at: datetime
    ended_at: datetime | None


class ViewList(ItemList[ViewResponse]):
    """The views of whoever asks, by name."""


def view_response(view: SavedView) -> ViewResponse:
    """One view."""
    return ViewResponse(
        id=view.id,
        name=view.name,
        filters=ViewFilters.model_validate(view.filters),
        created_at=view.created_at,
        ended_at=view.ended_at,
    )
