"""The clerk: sends what the outbox holds, moves tickets on, promotes, sends again what was lost. `python -m ...clerk`.

Everything it knows stands in PostgreSQL; it may be killed and started at any time, and two of them do no harm.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from sqlalchemy import Engine, func, select

from services.request.audit_log.sequencer import Sequencer, log_signer
from services.request.audit_log.timestamper import Timestamper
from services.request.break_glass import service as break_glass_service
from services.request.certificates.issuer import CertificateIssuer
from services.request.context import AlarmThresholds, AppContext
from services.request.erasers import promotions
from services.request.imports.jobs import ImportJobRunner
from services.request.key_rotation.jobs import RewrapJob
from services.request.monitoring import alarms, checks, pings
from services.request.refits import nightly as refits_nightly
from services.request.restores import jobs as restores_jobs
from services.request.retention import service as retention_service
from services.request.retention.service import Retention
from services.request.tickets import escalations, identity_checks, progress
from services.request.tickets.progress import Limits
from services.request.webhooks.jobs import WebhookDispatcher
from services.request.worker import outbox
from services.request.worker.outbox import OutboxMessage
from shared.artifacts.high_water_mark import HighWaterMark
from shared.core.clock import utc_now
from shared.core.config import load_settings
from shared.core.logging import MESSAGE_HEADER, configure_logging
from shared.core.messaging import celery_app
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer
from shared.db.models.operations import Outbox
from shared.db.repositories.heartbeats import record_heartbeat
from shared.db.session import make_engine, transaction
from shared.domain.nightly import latest_run_date
from shared.errors import LacunaError, StaleRestore, Unavailable
from shared.storage.base import ObjectStore
from shared.storage.factory import open_store
from shared.transparency.checkpoints import read_keys

logger = logging.getLogger(__name__)
PAUSE_S = 0.4
FIRST_RETRY_S, LONGEST_RETRY_S = 3.0, 120.0
WATCH_EVERY_S, WHOLE_EVERY_S = 5.0, 60.0
RECENT = timedelta(days=2)
PULSES = {"relay": "relay", "sequence": "sequencer"}  # step -> whose pulse it is


@dataclass
class Clerk:
    """One round is `turn()`."""

    database: Engine
    queue: Celery
    model_id: str
    auto_promote: bool
    limits: Limits = field(default_factory=Limits)
    context: tuple[ObjectStore, KeyRing] | None = None  # where the high-water mark is kept, and payloads
    deliverer: WebhookDispatcher | None = None
    importer: ImportJobRunner | None = None
    retention: Retention = field(default_factory=Retention)
    certifier: CertificateIssuer | None = None  # with its sequencer
    anchor: Timestamper | None = None
    rewrapper: RewrapJob | None = None
    identity: timedelta | None = timedelta(days=30)  # how long a doubted identity may stay unproved
    lost_after: timedelta = outbox.LOST_AFTER
    nightly: tuple[int, timedelta] | None = None  # the hour, and how long after it a night is caught up on
    periods: AlarmThresholds = field(default_factory=AlarmThresholds)
    deadman_urls: Mapping[str, str] = field(default_factory=dict)
    _forget_at: float = 0.0
    _watch_at: float = 0.0
    _whole_at: float = 0.0
    _began: float = field(default_factory=time.monotonic)
    _night: date | None = None  # settled
    _mark: HighWaterMark | None = None
    _shred_at: float = 0.0
    _retry: dict[str, tuple[float, float]] = field(default_factory=dict)  # id -> (not before, pause)

    def turn(self) -> None:
        """Look at the mark, then every step in its order; what is away waits for the next turn."""
        well = {"clerk"}
        every = (
            self.keep,
            self.night,
            self.relay,
            self.mend,
            self.promote,
            self.move,
            self.escalate,
            self.expire,
            self.shred,
            self.recover,
        )
        for step in (*every, self.forget, self.sequence, self.certify):
            try:
                step()
                well.add(PULSES.get(step.__name__, "clerk"))
            except StaleRestore as exc:
                logger.error("%s", exc.detail)
                return
            except LacunaError as exc:
                logger.warning("%s: %s", step.__name__, exc.detail)
            except (OperationalError, RedisError, OSError) as exc:
                logger.warning("%s: the queue cannot be reached (%s)", step.__name__, type(exc).__name__)
        self._watch(well)

    def _watch(self, well: set[str]) -> None:
        """Every few seconds: write the pulse of what went well, and look for what did not happen.

        At first it only writes: after a downtime everybody is given as long as a pulse may take.
        """
        if time.monotonic() < self._watch_at:
            return
        self._watch_at = time.monotonic() + WATCH_EVERY_S
        try:
            with transaction(self.database) as session:
                record_heartbeat(session, sorted(well))
                if time.monotonic() - self._began >= self.periods.pulse.total_seconds():
                    alarms.update_alarms(session, self.model_id, self.periods)
        except LacunaError as exc:
            logger.warning("nobody watches: %s", exc.detail)

    def keep(self) -> None:
        """Raise the high-water mark; raises StaleRestore where the database is below it: then nothing is done."""
        if self.context is not None:
            with transaction(self.database) as session:
                self._mark = restores_jobs.raise_high_water_mark(
                    session, *self.context, self.model_id, self._mark, self._signer()
                )

    def _signer(self) -> Signer | None:
        return self.certifier.sequencer.signer if self.certifier is not None else None

    def night(self) -> None:
        """See nights."""
        if self.nightly is None or latest_run_date(utc_now(), self.nightly[0]) == self._night:
            return
        with transaction(self.database) as session:
            settled = refits_nightly.order_missed_nightly_refit(session, self.model_id, *self.nightly)
        self._night = settled

    def mend(self) -> None:
        """End what two people allowed for a time (glass.py)."""
        with transaction(self.database) as session:
            break_glass_service.expire(session, self.model_id)

    def escalate(self) -> None:
        """Tell how much of the statutory time is used."""
        with transaction(self.database) as session:
            escalations.escalate(session, self.model_id)

    def expire(self) -> None:
        """See expiry."""
        if self.identity is not None:
            with transaction(self.database) as session:
                identity_checks.expire_unverified(session, self.model_id, self.identity)

    def relay(self) -> None:
        """Send every message of the outbox once; a crash in between sends it twice, which is harmless."""
        with transaction(self.database) as session:
            waiting = select(Outbox).where(Outbox.published_at.is_(None)).order_by(Outbox.created_at).limit(50)
            for message in session.scalars(waiting.with_for_update(skip_locked=True)):
                self._send(
                    OutboxMessage(
                        str(message.id), message.queue, message.task, dict(message.kwargs), message.correlation
                    )
                )
                message.published_at = utc_now()
                message.attempts += 1

    def promote(self) -> None:
        """See reconciler."""
        if self.auto_promote:
            with transaction(self.database) as session:
                promotions.promote_passed(session, self.model_id)

    def move(self) -> None:
        """See reconciler."""
        with transaction(self.database) as session:
            progress.move_tickets(session, self.model_id, self.limits)

    def shred(self) -> None:
        """Destroy what is no longer needed, now and then; what cannot be destroyed stops nothing else."""
        if self.context is None or time.monotonic() < self._shred_at:
            return
        with transaction(self.database) as session:
            found = retention_service.due_for_shredding(session, self.model_id, self.retention)
        self._shred_at = time.monotonic() + (
            0.0 if len(found) >= retention_service.AT_ONCE else self.retention.look_every_s
        )
        for ticket, thing in found:
            try:
                with transaction(self.database) as session:
                    retention_service.shred_key(session, *self.context, ticket, thing)
            except Unavailable:
                raise
            except LacunaError as exc:
                logger.warning("the %s of %s is not destroyed: %s", thing, ticket, exc.detail)
        with transaction(self.database) as session:
            retention_service.delete_object(session, self.context[0])

    def recover(self) -> None:
        """Send again what was lost, less and less often; once a minute also what was ordered long ago."""
        now = time.monotonic()
        if whole := now >= self._whole_at:
            self._whole_at = now + WHOLE_EVERY_S
        with transaction(self.database) as session:
            found = outbox.lost(session, self.model_id, self.lost_after, None if whole else RECENT)
        self._retry = {one.id: self._retry.get(one.id, (now, FIRST_RETRY_S)) for one in found}
        for one in found:
            due, pause = self._retry[one.id]
            if now >= due:
                self._send(one)
                self._retry[one.id] = (now + pause, min(2 * pause, LONGEST_RETRY_S))

    def forget(self) -> None:
        """Once a minute: answers kept for an Idempotency-Key are forgotten after a day."""
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + 60
            with transaction(self.database) as session:
                session.execute(select(func.forget_old_answers()))

    def sequence(self) -> None:
        """See sequencer."""
        if self.certifier is not None:
            self.certifier.sequencer.turn()

    def certify(self) -> None:
        """See certifier."""
        if self.certifier is not None:
            self.certifier.turn()

    def beside(self) -> list[tuple[str, Callable[[], object], float]]:
        """What has a thread of its own, with its pause in seconds: whoever is slow outside holds up no ticket."""
        found: list[tuple[str, Callable[[], object], float]] = []
        if self.deliverer is not None:
            found.append(("webhooks", self.tell, PAUSE_S))
        if self.importer is not None:
            found.append(("import", self.importer.turn, PAUSE_S))
        if self.anchor is not None:
            found.append(("time-stamp", self.anchor.turn, PAUSE_S))
        if self.rewrapper is not None:
            found.append(("rewrap", self.rewrap, PAUSE_S))
        if self.deadman_urls:
            found.append(("monitors", self.ping, self.periods.ping_every_s))
        return found

    def tell(self) -> None:
        """Webhooks: what is new, then what is due."""
        if self.deliverer is not None:
            self.deliverer.collect()
            self.deliverer.deliver()

    def rewrap(self) -> None:
        """All that waits; wrapping by Vault takes its time."""
        while self.rewrapper is not None and self.rewrapper.turn():
            pass

    def ping(self) -> None:
        """Tell the monitors of what is well."""
        with transaction(self.database) as session:
            silent = checks.find_overdue(session, self.model_id, self.periods)
        loopback = self.deliverer is not None and self.deliverer.allow_loopback
        for name, outcome in pings.ping(self.deadman_urls, silent, allow_loopback=loopback).items():
            if not outcome.delivered:
                logger.warning("the monitor of %s was not told that all is well: %s", name, outcome.error)

    def _send(self, message: OutboxMessage) -> None:
        self.queue.send_task(
            message.task,
            kwargs=message.kwargs,
            queue=message.queue,
            task_id=message.id,
            retry=False,
            headers={MESSAGE_HEADER: message.correlation} if message.correlation else {},
        )


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    configure_logging()
    settings = load_settings()
    settings.need("database_url", "redis_url", "kek", "log_key", "log_verify_keys")
    store, database, keys = (
        open_store(settings),
        make_engine(settings.database_url, settings.database_idle_s),
        KeyRing.from_settings(settings),
    )
    log_keys = read_keys(settings.log_verify_keys)
    sequencer = Sequencer(database, store, log_signer(settings), log_keys, log_keys[0].name)
    clerk = Clerk(
        database,
        celery_app("clerk", settings.redis_url),
        settings.model_id,
        settings.auto_promote,
        Limits(settings.audit_told_trained, settings.audit_told_test),
        (store, keys),
        WebhookDispatcher(database, keys, settings.webhook_host_list, settings.webhook_allow_loopback),
        ImportJobRunner(
            AppContext(
                database,
                store,
                keys,
                settings.model_id,
                regime=settings.regime,
                calendar=settings.calendar,
                zone=settings.zone,
            )
        ),
        Retention(
            timedelta(days=settings.shred_after_days),
            timedelta(days=settings.kit_days) if settings.kit_days else None,
        ),
        certifier=CertificateIssuer(sequencer, settings.model_id),
        anchor=Timestamper.from_settings(settings, database, store),
        rewrapper=RewrapJob(database, store, keys),
        identity=timedelta(days=settings.identity_days) if settings.identity_days else None,
        lost_after=timedelta(seconds=settings.lost_after_s),
        nightly=(settings.nightly_hour, timedelta(seconds=settings.nightly_catch_up_s)),
        periods=AlarmThresholds.from_settings(settings),
        deadman_urls=pings.read_urls(settings.deadman_urls),
    )
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    logger.info("the clerk is at work")
    for name, work, pause_s in clerk.beside():
        threading.Thread(target=_again, args=(name, work, pause_s, done), daemon=True).start()  # killed without harm
    while not done.is_set():
        clerk.turn()
        done.wait(PAUSE_S)


def _again(name: str, work: Callable[[], object], pause_s: float, done: threading.Event) -> None:
    while not done.wait(pause_s):
        try:
            work()
        except LacunaError as exc:
            logger.warning("%s: %s", name, exc.detail)


if __name__ == "__main__":
    main()
