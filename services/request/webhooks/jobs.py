"""Job of the control loop: makes messages to webhooks of what happened, sends them, tries again, gives up.

Messages are made from the tickets' history and from the log by a cursor, so that the code that moves a ticket or
promotes a version knows nothing of webhooks.
A message carries ids and states, no personal data. Several control loops do no harm: rows are claimed with SKIP LOCKED.
"""

import logging
import uuid
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine, case, func, literal, select
from sqlalchemy.orm import Session

from services.request.webhooks import client
from services.request.webhooks.leaves import collect_leaves
from services.request.webhooks.responses import message_id
from services.request.webhooks.service import enqueue, wants
from shared.core.clock import utc_now
from shared.crypto.keyring import KeyRing
from shared.db.models.tickets import Ticket, TicketEvent
from shared.db.models.webhooks import Webhook, WebhookCursor, WebhookDelivery
from shared.db.session import transaction
from shared.errors import IntegrityFailure, LacunaError

logger = logging.getLogger(__name__)
SEEN_AFTER: Final = timedelta(seconds=1)  # an id may become visible after a higher one: wait for the slow transaction
MOST_EVENTS: Final = 500  # in one round
THREADS: Final = 16  # messages under way at once
MOST_OF_ONE: Final = 4  # of these to one webhook, so that a slow receiver holds up nobody else
ROUND_S: Final = 1.0  # how long a round waits for its messages; those that take longer go on beside the next one
CLAIM: Final = timedelta(seconds=60)  # longer than an attempt may take; then another control loop takes it up


@dataclass
class WebhookDispatcher:
    """Makes messages of what happened, then sends those that are due. One thread at a time may call it."""

    database: Engine
    keys: KeyRing
    hosts: tuple[str, ...]
    allow_loopback: bool = False
    _under_way: dict[Future[None], uuid.UUID] = field(default_factory=dict)  # with the webhook of the message
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, thread_name_prefix="hooks"))

    def run(self) -> float | None:
        """One round. Returns after how many seconds the next is due, None where nothing waits. Raises Unavailable."""
        more_to_collect = self.collect()
        next_s = self.deliver()
        if more_to_collect:
            wait_s = SEEN_AFTER.total_seconds()
            return wait_s if next_s is None else min(wait_s, next_s)
        return next_s

    def collect(self) -> bool:
        """Make messages of what happened since the last round. Returns whether something is too recent to be read."""
        with transaction(self.database) as session:
            cursor = session.scalar(select(WebhookCursor).with_for_update(skip_locked=True))
            if cursor is None:
                return False
            rows = session.execute(
                select(TicketEvent, Ticket.tenant_id)
                .join(Ticket, Ticket.id == TicketEvent.ticket_id)
                .where(TicketEvent.id > cursor.last_event, TicketEvent.at < utc_now() - SEEN_AFTER)
                .order_by(TicketEvent.id)
                .limit(MOST_EVENTS)
            ).all()
            hooks = list(session.scalars(select(Webhook).where(Webhook.disabled_at.is_(None))))
            for event, tenant in rows:
                kind = f"ticket.{event.state if event.kind == 'state' else event.kind}"
                data: dict[str, Any] = {"ticket": event.ticket_id, "state": event.state, "actor": event.actor}
                for hook in hooks:
                    if hook.tenant_id == tenant and wants(hook, kind):
                        enqueue(session, hook, kind, data | (event.detail or {}), event.at.isoformat())
                cursor.last_event = event.id
            newest = session.scalar(select(func.max(TicketEvent.id)))
            more_leaves = collect_leaves(session, cursor, hooks, utc_now() - SEEN_AFTER)
            return more_leaves or (newest is not None and newest > cursor.last_event)

    def deliver(self) -> float | None:
        """Send the messages that are due, several at a time; after each failed attempt the pause is longer.

        Returns after how many seconds the next message is due, None where none waits.
        """
        busy = self._busy()
        free = THREADS - sum(busy.values())
        with transaction(self.database) as session:
            now = utc_now()
            due = self._claim(session, now, busy, free) if free else []
            hooks = {delivery.id: session.get_one(Webhook, delivery.webhook_id) for delivery in due}
            waiting = select(func.min(WebhookDelivery.next_at)).where(WebhookDelivery.state == "waiting")
            next_at = session.scalar(waiting)
        for delivery in due:
            sending = self._pool.submit(self._deliver_one, delivery, hooks[delivery.id])
            self._under_way[sending] = delivery.webhook_id
        if due or busy:
            wait(self._under_way, timeout=ROUND_S)
            return 0.0  # more may be due, and the next attempts of these
        return None if next_at is None else max(0.0, (next_at - now).total_seconds())

    def _busy(self) -> Counter[uuid.UUID]:
        """How many messages are under way to each webhook."""
        self._under_way = {sending: hook for sending, hook in self._under_way.items() if not sending.done()}
        return Counter(self._under_way.values())

    def _claim(
        self, session: Session, now: datetime, busy: Mapping[uuid.UUID, int], free: int
    ) -> list[WebhookDelivery]:
        """Messages that are due and may be sent now, so claimed that nobody else sends them for a while."""
        place = func.row_number().over(partition_by=WebhookDelivery.webhook_id, order_by=WebhookDelivery.next_at)
        ranked = (
            select(WebhookDelivery.id, WebhookDelivery.webhook_id, place.label("place"))
            .where(WebhookDelivery.state == "waiting", WebhookDelivery.next_at <= now)
            .subquery()
        )
        taken = case(dict(busy), value=ranked.c.webhook_id, else_=0) if busy else literal(0)
        due = list(
            session.scalars(
                select(WebhookDelivery)
                .join(ranked, ranked.c.id == WebhookDelivery.id)
                .where(ranked.c.place + taken <= MOST_OF_ONE)
                # Once more of the row that is locked: another control loop may have claimed it since it was ranked.
                .where(WebhookDelivery.state == "waiting", WebhookDelivery.next_at <= now)
                .order_by(WebhookDelivery.next_at)
                .limit(free)
                .with_for_update(skip_locked=True, of=WebhookDelivery)
            )
        )
        for delivery in due:
            delivery.next_at, delivery.attempts = now + CLAIM, delivery.attempts + 1
        return due

    def _deliver_one(self, delivery: WebhookDelivery, hook: Webhook) -> None:
        result = self._send(delivery, hook)
        try:
            with transaction(self.database) as session:
                self._record(session, delivery, result)
        except LacunaError as exc:  # it is sent again when its claim has run out
            logger.warning("the outcome of webhook message %s is not recorded: %s", delivery.id, exc.detail)

    def _send(self, delivery: WebhookDelivery, hook: Webhook) -> client.DeliveryResult:
        if hook.disabled_at is not None:
            return client.DeliveryResult(None, "The webhook was disabled.")
        try:
            secrets = [self.keys.open(hook.secret, hook.secret_key, f"webhook/{hook.id}")]
            if hook.old_secret and hook.old_secret_key and hook.old_until and hook.old_until > utc_now():
                secrets.append(self.keys.open(hook.old_secret, hook.old_secret_key, f"webhook/{hook.id}"))
        except IntegrityFailure:
            return client.DeliveryResult(None, "The webhook's secret cannot be unsealed.")
        message, timestamp = message_id(delivery), int(utc_now().timestamp())
        signature = client.sign(secrets, message, timestamp, delivery.body)
        return client.send(
            hook.url, self.hosts, message, timestamp, delivery.body, signature, allow_loopback=self.allow_loopback
        )

    def _record(self, session: Session, delivery: WebhookDelivery, result: client.DeliveryResult) -> None:
        """Write the outcome of an attempt, unless another control loop has taken the message up since."""
        row = session.get_one(WebhookDelivery, delivery.id, with_for_update=True)
        if row.attempts != delivery.attempts or row.state != "waiting":
            return
        row.status, row.error = result.status, result.error
        if result.delivered:
            row.state, row.next_at = "delivered", None
        elif row.attempts > len(client.PAUSES_S):
            row.state, row.next_at = "given_up", None
            logger.warning("webhook message %s is given up after %d attempts", row.id, row.attempts)
        else:
            row.next_at = utc_now() + timedelta(seconds=client.PAUSES_S[row.attempts - 1])
