"""Response model: how the person of a ticket is reached."""

from pydantic import Field

from services.request.api.responses import ResponseModel, TicketId


class ContactResponse(ResponseModel):
    """What the request brought, by name: `email`, `phone_number`, `address`, ..."""

    ticket: TicketId
    contact: dict[str, str] = Field(examples=[{"email": "mara@example.com"}])
