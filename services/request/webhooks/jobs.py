"""The clerk's part of webhooks: what happened becomes messages, messages are sent, tried again, given up.

Messages are made from the tickets' history by a cursor, so that whoever moves a ticket knows nothing of webhooks.
A message carries ids and states, no personal data. Several clerks do no harm: rows are claimed with SKIP LOCKED.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from services.request.webhooks import client
from services.request.webhooks.service import enqueue
from shared.core.clock import utc_now
from shared.crypto.keyring import KeyRing
from shared.db.models.tickets import Ticket, TicketEvent
from shared.db.models.webhooks import Webhook, WebhookCursor, WebhookDelivery
from shared.db.session import transaction
from shared.errors import IntegrityFailure

logger = logging.getLogger(__name__)
SEEN_AFTER: Final = timedelta(seconds=1)  # an id may become visible after a higher one: wait for the slow transaction
MOST_AT_ONCE: Final = 16
CLAIM: Final = timedelta(seconds=60)  # longer than a try may take: a clerk that dies leaves it to another


@dataclass(frozen=True)
class WebhookDispatcher:
    """Makes messages of what happened, then sends what is due."""

    database: Engine
    keys: KeyRing
    hosts: tuple[str, ...]
    allow_loopback: bool = False

    def run(self) -> float | None:
        """One round; raises Unavailable."""
        more_to_collect = self.collect()
        next_s = self.deliver()
        if more_to_collect:
            wait_s = SEEN_AFTER.total_seconds()
            return wait_s if next_s is None else min(wait_s, next_s)
        return next_s

    def collect(self) -> bool:
        """Make messages of what happened since the last round; whether something is still too fresh to be read."""
        with transaction(self.database) as session:
            cursor = session.scalar(select(WebhookCursor).with_for_update(skip_locked=True))
            if cursor is None:
                return False
            happened = session.execute(
                select(TicketEvent, Ticket.tenant_id)
                .join(Ticket, Ticket.id == TicketEvent.ticket_id)
                .where(TicketEvent.id > cursor.last_event, TicketEvent.at < utc_now() - SEEN_AFTER)
                .order_by(TicketEvent.id)
                .limit(500)
            ).all()
            hooks = list(session.scalars(select(Webhook).where(Webhook.disabled_at.is_(None))))
            for event, tenant in happened:
                kind = f"ticket.{event.state if event.kind == 'state' else event.kind}"
                for hook in hooks:
                    if hook.tenant_id == tenant and (kind in hook.events or "*" in hook.events):
                        data: dict[str, Any] = {"ticket": event.ticket_id, "state": event.state, "actor": event.actor}
                        enqueue(session, hook, kind, data | (event.detail or {}), event.at.isoformat())
                cursor.last_event = event.id
            newest = session.scalar(select(func.max(TicketEvent.id)))
            return newest is not None and newest > cursor.last_event

    def deliver(self) -> float | None:
        """Send what is due, a few at a time; after how many seconds the next try is due. Each waits longer."""
        with transaction(self.database) as session:
            now = utc_now()
            due = list(
                session.scalars(
                    select(WebhookDelivery)
                    .where(WebhookDelivery.state == "waiting", WebhookDelivery.next_at <= now)
                    .order_by(WebhookDelivery.next_at)
                    .limit(MOST_AT_ONCE)
                    .with_for_update(skip_locked=True)
                )
            )
            for one in due:
                one.next_at, one.attempts = now + CLAIM, one.attempts + 1
            hooks = {one.id: session.get_one(Webhook, one.webhook_id) for one in due}
            waiting = select(func.min(WebhookDelivery.next_at)).where(WebhookDelivery.state == "waiting")
            next_at = session.scalar(waiting) if not due else now
        if not due:
            return None if next_at is None else max(0.0, (next_at - now).total_seconds())
        with ThreadPoolExecutor(min(8, len(due))) as pool:
            outcomes = list(pool.map(lambda one: self._try(one, hooks[one.id]), due))
        with transaction(self.database) as session:
            for one, outcome in zip(due, outcomes, strict=True):
                self._note(session, one, outcome)
        return 0.0  # more may be due, and the next try of these

    def _try(self, one: WebhookDelivery, hook: Webhook) -> client.DeliveryResult:
        if hook.disabled_at is not None:
            return client.DeliveryResult(None, "The webhook was switched off.")
        try:
            valid = [self.keys.open(hook.secret, hook.secret_key, f"webhook/{hook.id}")]
            if hook.old_secret and hook.old_secret_key and hook.old_until and hook.old_until > utc_now():
                valid.append(self.keys.open(hook.old_secret, hook.old_secret_key, f"webhook/{hook.id}"))
        except IntegrityFailure:
            return client.DeliveryResult(None, "The webhook's secret cannot be opened.")
        message, timestamp = f"msg_{one.id.hex}", int(utc_now().timestamp())
        signature = client.sign(valid, message, timestamp, one.body)
        return client.send(
            hook.url, self.hosts, message, timestamp, one.body, signature, allow_loopback=self.allow_loopback
        )

    def _note(self, session: Session, one: WebhookDelivery, outcome: client.DeliveryResult) -> None:
        row = session.get_one(WebhookDelivery, one.id, with_for_update=True)
        if row.attempts != one.attempts or row.state != "waiting":
            return  # somebody else has taken it up since
        row.status, row.error = outcome.status, outcome.error
        if outcome.delivered:
            row.state, row.next_at = "delivered", None
        elif row.attempts > len(client.PAUSES_S):
            row.state, row.next_at = "given_up", None
            logger.warning("webhook message %s is given up after %d tries", row.id, row.attempts)
        else:
            row.next_at = utc_now() + timedelta(seconds=client.PAUSES_S[row.attempts - 1])
