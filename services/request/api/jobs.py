"""Job of the control loop: delete old answers to idempotent requests."""

import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select

from services.request.context import AppContext
from shared.db.session import transaction

EVERY_S: Final = 60.0


@dataclass
class OldAnswers:
    """Deletes, once a minute, the answers that were kept for an Idempotency-Key for a day."""

    context: AppContext
    _next_at: float = 0.0

    def run(self) -> None:
        """Delete them where a minute has passed."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + EVERY_S
        with transaction(self.context.database) as session:
            session.execute(select(func.forget_old_answers()))
