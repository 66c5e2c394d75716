"""Job of the control loop: tell agents by callback what became of their requests, and forget old messages."""

import json
import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, func, or_, select

from services.request.context import AppContext
from services.request.drp import service
from services.request.webhooks import client
from shared.core.clock import utc_now
from shared.db.models.intake import DrpRequest
from shared.db.session import transaction

logger = logging.getLogger(__name__)
THREADS: Final = 8
AT_ONCE: Final = 200
CLAIM: Final = timedelta(seconds=60)  # longer than a call may take; another control loop leaves it alone
LOOK_EVERY_S: Final = 30.0
FORGET_EVERY_S: Final = 3600.0
OVER: Final = tuple(f"{status}%" for status in service.FINAL)


@dataclass
class CallbackSender:
    """Tells each change of a status once, again after a failure, and then gives up on that change."""

    context: AppContext
    _next_at: float = 0.0
    _forget_at: float = 0.0

    def run(self) -> float | None:
        """Send what changed; returns after how many seconds to look again."""
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + FORGET_EVERY_S
            with transaction(self.context.database) as session:
                session.execute(select(func.forget_old_messages()))
        if time.monotonic() < self._next_at:
            return self._next_at - time.monotonic()
        with ThreadPoolExecutor(THREADS) as pool:  # a slow agent holds up no other
            list(pool.map(self._tell, self._waiting()))
        self._next_at = time.monotonic() + LOOK_EVERY_S
        return LOOK_EVERY_S

    def _waiting(self) -> list[uuid.UUID]:
        """The requests whose agent has not been told of an end, and which are not waiting for another attempt."""
        now = utc_now()
        with transaction(self.context.database) as session:
            open_ones = select(DrpRequest).where(
                DrpRequest.status_callback.is_not(None),
                _is_due(now),
                *(DrpRequest.told.not_like(over) for over in OVER),
            )
            rows = session.scalars(open_ones.order_by(DrpRequest.received_at)).all()
            return [row.id for row in rows if service.status_of(session, row).word != row.told][:AT_ONCE]

    def _tell(self, number: uuid.UUID) -> None:
        with transaction(self.context.database) as session:
            due = select(DrpRequest).where(DrpRequest.id == number, _is_due(utc_now()))
            row = session.scalar(due.with_for_update(skip_locked=True))
            if row is None or row.status_callback is None:
                return
            status = service.status_of(session, row)
            if status.word == row.told:
                return
            row.callback_attempts += 1
            attempts, address = row.callback_attempts, row.status_callback
            row.callback_next_at = utc_now() + CLAIM
        result = client.send(
            address,
            self.context.webhook_hosts,
            str(number),
            int(time.time()),
            json.dumps(status.body()),
            "",
            allow_loopback=self.context.webhook_loopback,
        )
        with transaction(self.context.database) as session:
            row = session.get_one(DrpRequest, number, with_for_update=True)
            if row.callback_attempts != attempts:  # another control loop has taken it up since
                return
            if result.delivered or attempts > len(client.PAUSES_S):
                row.told, row.callback_attempts, row.callback_next_at = status.word, 0, None
                if not result.delivered:
                    logger.warning("the callback of request %s is given up after %d attempts", number, attempts)
            else:
                row.callback_next_at = utc_now() + timedelta(seconds=client.PAUSES_S[attempts - 1])


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Whether a request waits for no other attempt, and no other control loop is calling."""
    return or_(DrpRequest.callback_next_at.is_(None), DrpRequest.callback_next_at <= now)
