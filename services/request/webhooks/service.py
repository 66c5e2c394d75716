"""Puts messages to webhooks into the queue."""

import json
import uuid
from typing import Any

from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.db.models.webhooks import Webhook, WebhookDelivery


def wants(hook: Webhook, kind: str) -> bool:
    """Whether the webhook is to be told of events of this kind: by its name, its group (`ticket.*`) or `*`."""
    return not {kind, f"{kind.partition('.')[0]}.*", "*"}.isdisjoint(hook.events)


def enqueue(session: Session, hook: Webhook, kind: str, data: dict[str, Any], at: str) -> WebhookDelivery:
    """Add one message to the queue, to be sent at once. `at` is an ISO 8601 time."""
    now = utc_now()
    delivery = WebhookDelivery(
        id=uuid.uuid4(),
        webhook_id=hook.id,
        event=kind,
        body=json.dumps({"type": kind, "timestamp": at, "data": data}, separators=(",", ":")),
        created_at=now,
        next_at=now,
        attempts=0,
        state="waiting",
    )
    session.add(delivery)
    return delivery
