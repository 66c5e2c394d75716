"""Jobs of the control loop: heartbeats, alarms, and the pings of a dead man's switch."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.request.context import AppContext
from services.request.monitoring import alarms, checks, pings
from shared.db.repositories.heartbeats import record_heartbeat
from shared.db.session import transaction

logger = logging.getLogger(__name__)
EVERY_S: Final = 5.0


@dataclass
class Watch:
    """Writes the heartbeats of what went well and updates the alarms, every few seconds.

    At first it only writes: after a downtime every process is given as long as a heartbeat may take.
    """

    context: AppContext
    _next_at: float = 0.0
    _started: float = field(default_factory=time.monotonic)

    def report(self, heartbeats: Sequence[str]) -> None:
        """`heartbeats` went well in this round; raises Unavailable."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + EVERY_S
        thresholds = self.context.alarm_thresholds
        with transaction(self.context.database) as session:
            record_heartbeat(session, heartbeats)
            if time.monotonic() - self._started >= thresholds.pulse.total_seconds():
                alarms.update_alarms(session, self.context.model_id, thresholds)


@dataclass
class Pinger:
    """Sends a ping to the monitor of everything that is well, every `AlarmThresholds.ping_every_s`."""

    context: AppContext
    urls: Mapping[str, str]
    _next_at: float = 0.0

    def run(self) -> float:
        """Ping where it is time; raises Unavailable."""
        if (early_s := self._next_at - time.monotonic()) > 0:
            return early_s
        context = self.context
        self._next_at = time.monotonic() + context.alarm_thresholds.ping_every_s
        with transaction(context.database) as session:
            overdue = checks.find_overdue(session, context.model_id, context.alarm_thresholds)
        for name, result in pings.ping(self.urls, overdue, allow_loopback=context.webhook_loopback).items():
            if not result.delivered:
                logger.warning("the monitor of %s could not be pinged: %s", name, result.error)
        return context.alarm_thresholds.ping_every_s
