"""Response models: a webhook, with its secret where that is new, and the messages that were sent to it."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from services.request.api.responses import AccountName, ItemList, ResponseModel
from shared.db.models.webhooks import Webhook, WebhookDelivery


class WebhookResponse(ResponseModel):
    """A webhook without its secret."""

    id: UUID
    url: str = Field(examples=["https://hooks.example.org/lacuna"])
    events: list[str] = Field(examples=[["ticket.completed"]])
    created_by: AccountName = Field(examples=["rosa"])
    created_at: datetime
    disabled_at: datetime | None
    old_secret_until: datetime | None = Field(description="Until then messages are signed with the old secret too.")


class WebhookWithSecretResponse(WebhookResponse):
    """A webhook with its new secret."""

    secret: str | None = Field(
        description="The new secret. A replay of the request has null here.", examples=["whsec_..."]
    )


class WebhookList(ItemList[WebhookResponse]):
    """Webhooks, the newest first."""


class WebhookTestResponse(ResponseModel):
    """A message that was ordered by a test."""

    id: str = Field(examples=["msg_6f1c4a520f2e4d0a9d3f5a0c7b9f1e11"])
    state: str = Field(examples=["waiting"])


class DeliveryResponse(ResponseModel):
    """One message and what became of it."""

    id: str = Field(examples=["msg_6f1c4a520f2e4d0a9d3f5a0c7b9f1e11"])
    event: str = Field(examples=["ticket.completed"])
    state: str = Field(description="waiting, delivered or given_up", examples=["delivered"])
    attempts: int = Field(examples=[1])
    status: int | None = Field(description="The HTTP status of the last attempt.", examples=[204])
    error: str | None
    created_at: datetime
    next_at: datetime | None


class DeliveryList(ItemList[DeliveryResponse]):
    """Messages of one webhook, the newest first."""


def webhook_response(hook: Webhook) -> WebhookResponse:
    """A webhook without its secret."""
    return WebhookResponse(
        id=hook.id,
        url=hook.url,
        events=hook.events,
        created_by=hook.created_by,
        created_at=hook.created_at,
        disabled_at=hook.disabled_at,
        old_secret_until=hook.old_until,
    )


def message_id(delivery: WebhookDelivery) -> str:
    """The `webhook-id` of a message."""
    return f"msg_{delivery.id.hex}"


def delivery_response(delivery: WebhookDelivery) -> DeliveryResponse:
    """One message."""
    return DeliveryResponse(
        id=message_id(delivery),
        event=delivery.event,
        state=delivery.state,
        attempts=delivery.attempts,
        status=delivery.status,
        error=delivery.error,
        created_at=delivery.created_at,
        next_at=delivery.next_at,
    )
