"""The clerk: sends what the outbox holds, moves tickets on, promotes, sends again what was lost. `python -m ...clerk`.

Everything it knows stands in PostgreSQL; it may be killed and started at any time, and two of them do no harm.
"""

import logging
import signal
import threading
import time
from dataclasses import dataclass, field

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy import Engine, select

from services.request import reconciler
from services.request.reconciler import Resend
from shared.clock import utc_now
from shared.config import load_settings
from shared.db.models import Outbox
from shared.db.session import make_engine, transaction
from shared.errors import LacunaError
from shared.queue import celery_app

logger = logging.getLogger(__name__)
PAUSE_S = 0.4
FIRST_RETRY_S, LONGEST_RETRY_S = 3.0, 120.0


@dataclass
class Clerk:
    """One round is `turn()`."""

    database: Engine
    queue: Celery
    model_id: str
    auto_promote: bool
    _retry: dict[str, tuple[float, float]] = field(default_factory=dict)  # id -> (not before, pause)

    def turn(self) -> None:
        """Relay, promote, move, send again; a part that is away leaves the rest for the next turn."""
        for step in (self.relay, self.promote, self.move, self.recover):
            try:
                step()
            except LacunaError as exc:
                logger.warning("%s: %s", step.__name__, exc.detail)
            except (OperationalError, RedisError, OSError) as exc:
                logger.warning("%s: the queue cannot be reached (%s)", step.__name__, type(exc).__name__)

    def relay(self) -> None:
        """Send every message of the outbox once; a crash in between sends it twice, which is harmless."""
        with transaction(self.database) as session:
            waiting = select(Outbox).where(Outbox.published_at.is_(None)).order_by(Outbox.created_at).limit(50)
            for message in session.scalars(waiting.with_for_update(skip_locked=True)):
                self._send(Resend(str(message.id), message.queue, message.task, dict(message.kwargs)))
                message.published_at = utc_now()
                message.attempts += 1

    def promote(self) -> None:
        """See reconciler."""
        if self.auto_promote:
            with transaction(self.database) as session:
                reconciler.promote_passed(session, self.model_id)

    def move(self) -> None:
        """See reconciler."""
        with transaction(self.database) as session:
            reconciler.move_tickets(session, self.model_id)

    def recover(self) -> None:
        """Send again what was lost, less and less often."""
        with transaction(self.database) as session:
            found = reconciler.lost(session, self.model_id)
        now = time.monotonic()
        self._retry = {one.id: self._retry.get(one.id, (now, FIRST_RETRY_S)) for one in found}
        for one in found:
            due, pause = self._retry[one.id]
            if now >= due:
                self._send(one)
                self._retry[one.id] = (now + pause, min(2 * pause, LONGEST_RETRY_S))

    def _send(self, message: Resend) -> None:
        self.queue.send_task(message.task, kwargs=message.kwargs, queue=message.queue, task_id=message.id, retry=False)


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = load_settings()
    settings.need("database_url", "redis_url")
    clerk = Clerk(
        make_engine(settings.database_url),
        celery_app("clerk", settings.redis_url),
        settings.model_id,
        settings.auto_promote,
    )
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    logger.info("the clerk is at work")
    while not done.is_set():
        clerk.turn()
        done.wait(PAUSE_S)


if __name__ == "__main__":
    main()
