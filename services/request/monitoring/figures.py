"""Figures of the database for Prometheus: tickets, orders, runs, heartbeats, alarms, replicas, exposure.

The control loop's process reads them when it is scraped, at most every ten seconds, in one transaction. So several
scrapers, or a short interval, cost the database nothing more. Where it cannot be read, `lacuna_database_readable` is 0
and the other figures are absent, so that no rule takes an old figure for a new one.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from services.request.context import AppContext
from services.request.monitoring.checks import FINISHED, HEARTBEATS, NAMES, find_overdue
from shared.core.clock import utc_now
from shared.core.metrics import DATABASE_GAUGES
from shared.core.task_names import QUEUE_AUDIT, QUEUE_REFIT
from shared.db.models.audits import AuditRun
from shared.db.models.erasers import EraserVersion, Exposure
from shared.db.models.operations import Outbox
from shared.db.models.refits import RefitRun
from shared.db.models.tickets import Ticket
from shared.db.repositories import rollouts
from shared.db.repositories.heartbeats import last_heartbeats
from shared.db.repositories.models import models_in_use
from shared.db.session import transaction
from shared.domain.ticket_lifecycle import IN_PROGRESS, UNDECIDED
from shared.errors import LacunaError

logger = logging.getLogger(__name__)
KEPT_S: Final = 10.0
SOON: Final = timedelta(days=7)
OPEN: Final = (*UNDECIDED, *IN_PROGRESS)

Figure = tuple[str, tuple[str, ...], float]  # name of the gauge, values of its labels, value


class DatabaseFigures(Collector):
    """See the module."""

    def __init__(self, context: AppContext, kept_s: float = KEPT_S) -> None:
        self._context, self._kept_s = context, kept_s
        self._lock = threading.Lock()
        self._figures: list[Figure] = []
        self._read_at = float("-inf")

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The names, without reading anything."""
        return (GaugeMetricFamily(each.name, each.meaning, labels=each.labels) for each in DATABASE_GAUGES)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The figures, ten seconds old at most."""
        with self._lock:
            if time.monotonic() - self._read_at >= self._kept_s:
                self._figures, self._read_at = self._read(), time.monotonic()
            figures = list(self._figures)
        for gauge in DATABASE_GAUGES:
            family = GaugeMetricFamily(gauge.name, gauge.meaning, labels=gauge.labels)
            for name, labels, value in figures:
                if name == gauge.name:
                    family.add_metric(labels, value)
            yield family

    def _read(self) -> list[Figure]:
        try:
            with transaction(self._context.database) as session:
                return [("lacuna_database_readable", (), 1.0), *read_figures(session, self._context)]
        except LacunaError as exc:
            logger.warning("the figures cannot be read: %s", exc.detail)
            return [("lacuna_database_readable", (), 0.0)]


def read_figures(session: Session, context: AppContext) -> Iterator[Figure]:
    """Every figure of DATABASE_GAUGES but the first, over all tenants: who scrapes operates the installation."""
    models = [each.model_id for each in models_in_use(session)]
    yield from _tickets(session, models)
    for queue, run in ((QUEUE_REFIT, RefitRun), (QUEUE_AUDIT, AuditRun)):
        yield from _orders(session, queue, run)
    now = utc_now()
    known = last_heartbeats(session)
    for name in HEARTBEATS:
        if name in known:
            yield "lacuna_heartbeat_age_seconds", (name,), (now - known[name]).total_seconds()
    raised = {check.name for each in models for check in find_overdue(session, each, context.alarm_thresholds)}
    yield from (("lacuna_alarm", (name,), float(name in raised)) for name in NAMES)
    yield from _rollout(session, context.model_id, models)
    yield from _exposure(session)


def _tickets(session: Session, models: Sequence[str]) -> Iterator[Figure]:
    own = Ticket.model_id.in_(models)
    for state, count in session.execute(select(Ticket.state, func.count()).where(own).group_by(Ticket.state)).all():
        yield "lacuna_tickets", (state,), float(count)
    now = utc_now()

    def count_of(*conditions: ColumnElement[bool]) -> float:
        open_tickets = and_(own, Ticket.state.in_(OPEN), *conditions)
        return float(session.scalar(select(func.count()).select_from(Ticket).where(open_tickets)) or 0)

    yield "lacuna_tickets_due_soon", (), count_of(Ticket.due_at >= now, Ticket.due_at < now + SOON)
    yield "lacuna_tickets_overdue", (), count_of(Ticket.due_at < now)
    desired = [promoted for name in models if (promoted := rollouts.desired_state(session, name)) is not None]
    missed = sum(len(rollouts.uncovered_tickets(session, each.model_id, each.version_id)) for each in desired)
    yield "lacuna_tickets_uncovered", (), float(missed)


def _orders(session: Session, queue: str, run: type[RefitRun] | type[AuditRun]) -> Iterator[Figure]:
    over = exists().where(run.id == Outbox.id, or_(run.status.in_(FINISHED), run.status == "failed"))
    waiting = select(func.count(), func.min(Outbox.created_at)).where(Outbox.queue == queue, ~over)
    count, oldest = session.execute(waiting).one()
    now = utc_now()
    yield "lacuna_orders_waiting", (queue,), float(count)
    yield "lacuna_order_age_seconds", (queue,), (now - oldest).total_seconds() if oldest else 0.0
    began = session.scalar(select(func.min(run.started_at)).where(run.status == "running"))
    yield "lacuna_run_age_seconds", (queue,), (now - began).total_seconds() if began else 0.0


def _rollout(session: Session, operating: str, models: Sequence[str]) -> Iterator[Figure]:
    """The promoted version is that of the `operating` tenant's model; replicas are those of all models."""
    promoted = rollouts.desired_state(session, operating)
    number = session.get_one(EraserVersion, promoted.version_id).number if promoted else -1
    serving, behind, late_s = 0, 0, 0.0
    for model_id in models:
        state, replicas = rollouts.desired_state(session, model_id), rollouts.live_replicas(session, model_id)
        current = [each for each in replicas if state is not None and each.generation == state.generation]
        there = sum(each.state == "serving" for each in current)
        serving, behind = serving + there, behind + len(replicas) - there
        if state is not None and len(replicas) > there:
            late_s = max(late_s, (utc_now() - state.changed_at).total_seconds())
    yield "lacuna_promoted_version", (), float(number)
    yield "lacuna_replicas", ("yes",), float(serving)
    yield "lacuna_replicas", ("no",), float(behind)
    yield "lacuna_rollout_age_seconds", (), late_s


def _exposure(session: Session) -> Iterator[Figure]:
    now = utc_now()
    rows = session.execute(select(Exposure.started_at, Exposure.ended_at)).all()
    yield "lacuna_exposed_tickets", (), float(sum(ended is None for _, ended in rows))
    seconds = sum(((ended or now) - started).total_seconds() for started, ended in rows)
    yield "lacuna_exposure_seconds", (), float(seconds)
