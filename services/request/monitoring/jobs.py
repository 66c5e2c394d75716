"""Jobs of the control loop: heartbeats, alarms, and the pings of a dead man's switch."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.request.context import AppContext
from services.request.monitoring import alarms, checks, pings
from shared.db.repositories.heartbeats import record_heartbeat
from shared.db.repositories.models import models_in_use
from shared.db.session import transaction
from shared.db.tenants import of_tenant

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
        context = self.context
        with transaction(context.database) as session:
            record_heartbeat(session, heartbeats)
            tenants = models_in_use(session)
        if time.monotonic() - self._started < context.alarm_thresholds.pulse.total_seconds():
            return
        for tenant in tenants:
            with transaction(of_tenant(context.database, tenant.tenant_id)) as session:
                alarms.update_alarms(session, tenant.model_id, context.alarm_thresholds)


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
            overdue = [
                check
                for tenant in models_in_use(session)
                for check in checks.find_overdue(session, tenant.model_id, context.alarm_thresholds)
            ]
        for name, result in pings.ping(self.urls, overdue, allow_loopback=context.webhook_loopback).items():
            if not result.delivered:
                logger.warning("the monitor of %s could not be pinged: %s", name, result.error)
        return context.alarm_thresholds.ping_every_s
