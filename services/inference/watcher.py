"""Follows the desired state in PostgreSQL: fetches the version, verifies it, serves it, acknowledges.

A change is announced (shared/db/notifications.py). The replica also looks on its own every few seconds: that renews its
lease, and finds a change whose announcement was lost.

A version that cannot be verified is not served. The one before it stays only while it covers everybody who must stay
forgotten; else the replica refuses every request.

Requests are answered only under a lease that stands in the database: what is served is confirmed after it was
acknowledged, from the time before. While a version is fetched, which may take long, the lease is renewed for the one in
memory (ADR 35).
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Engine as Database

from services.inference.active_eraser import ActiveEraser, Served
from shared.artifacts import high_water_mark
from shared.artifacts.erasers import load_verified_eraser
from shared.artifacts.high_water_mark import HighWaterMark
from shared.core import metrics
from shared.core.clock import utc_now
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Verifier
from shared.db.repositories import erasers, rollouts
from shared.db.session import transaction
from shared.erasure.eraser import Eraser
from shared.erasure.site import Site
from shared.errors import IntegrityFailure, LacunaError, StaleRestore, Unavailable
from shared.storage.base import ObjectStore

logger = logging.getLogger(__name__)
RETRY_S: Final = 0.5
STOP_S: Final = 1.0  # how long the end of the process may take


@dataclass
class Watcher:
    """Keeps the active eraser of one replica at the desired state of one model. `site`: of the model in memory."""

    active_eraser: ActiveEraser
    site: Site
    database: Database
    store: ObjectStore
    keys: KeyRing
    verifier: Verifier
    model_id: str
    replica: str
    lease_s: float = 15.0
    accepts: Callable[[Eraser], None] | None = None  # raises for a version that the engine cannot serve
    _mark: HighWaterMark | None = None  # how far the database had come: read at the start, raised since
    _failed: tuple[int, str] | None = None  # generation and reason of a version that could not be loaded

    def watch(self, done: threading.Event, every_s: float, changed: threading.Event | None = None) -> None:
        """Look when something has `changed`, and every `every_s` seconds, until `done` is set.

        A quarter of the lease and of the grace is the longest pause. After a look that failed, or where the promoted
        version could not be loaded, the next one comes after half a second.
        """
        changed = changed or threading.Event()
        longest_s = min(every_s, self.lease_s / 4, self.active_eraser.grace_s / 4)
        while not done.is_set():
            changed.clear()
            pause_s = min(RETRY_S, longest_s)
            try:
                self.look()
                if self._failed is None:
                    pause_s = longest_s
            except Unavailable as exc:
                logger.warning("the desired state cannot be read: %s", exc.detail)
            except LacunaError as exc:
                logger.error("the desired state cannot be followed: %s", exc.detail)
            until = time.monotonic() + pause_s
            while not done.is_set() and (left_s := until - time.monotonic()) > 0:
                if changed.wait(min(left_s, STOP_S)):
                    break

    def look(self) -> None:
        """Compare with the desired state once: load its version, keep the present one, or close; then acknowledge."""
        before = self.active_eraser.current_or_none()
        try:
            self._look()
        finally:
            after = self.active_eraser.current_or_none()
            metrics.VERSION.set(-1 if after is None else after.number)
            metrics.GENERATION.set(-1 if after is None else after.generation)
            if before is not after:
                metrics.SWAPS.labels("closed" if after is None else "served").inc()

    def _look(self) -> None:
        since = self.active_eraser.now()
        with transaction(self.database) as session:
            wanted = rollouts.desired_version(session, self.model_id)
            newest = wanted.newest if wanted else erasers.next_version_number(session, self.model_id) - 1
        if (stale := self._stale(HighWaterMark(wanted.generation if wanted else 0, newest, 0))) is not None:
            self.active_eraser.close(stale)
            if wanted is not None:
                self._failed = (wanted.generation, stale)
                self._acknowledge(wanted, None)
            return
        if wanted is None:
            self.active_eraser.close("No eraser version has been promoted yet.")
            return
        served = self.active_eraser.current_or_none()
        if served is None or served.generation != wanted.generation:
            served, since = self._follow(wanted, served)
        elif wanted.uncovered:
            self.active_eraser.close("The promoted version does not cover everybody who must stay forgotten.")
            served = None
        self._acknowledge(wanted, served)
        if served is not None:
            self.active_eraser.confirm(since)

    def _stale(self, here: HighWaterMark) -> str | None:
        """Why the database, which is as far as `here`, is not trusted, if so.

        It is behind the high-water mark in the object store or in memory.
        """
        try:
            if self._mark is None or self._mark.shortfalls(here):
                self._mark = self._checked_mark(here)
        except (StaleRestore, IntegrityFailure) as exc:
            logger.error("%s", exc.detail)
            return exc.detail
        except Unavailable as exc:
            if self._mark is None:
                return f"It cannot be known yet whether the database is the newest: {exc.detail}"
            return None if not self._mark.shortfalls(here) else "The database went back to an older state."
        self._mark = self._mark.raised_to(replace(here, epoch=self._mark.epoch))
        return None

    def _checked_mark(self, here: HighWaterMark) -> HighWaterMark:
        """The mark in the object store, without the size of the log, which a replica does not see.

        Raises StaleRestore where the database is below it, or below what this replica has seen and nobody accepted.
        """
        stored = high_water_mark.read(self.store, self.keys, self.model_id)
        stored.check(replace(here, log_size=stored.highest().log_size))
        if self._mark is not None and stored.lost(self._mark):
            behind = ", ".join(self._mark.shortfalls(here))
            raise StaleRestore(
                f"The database is older than what this replica has served, and so is its mark: {behind}. "
                f"{high_water_mark.WAY_OUT}"
            )
        return replace(stored.highest(), log_size=0)

    def _follow(self, wanted: rollouts.DesiredVersion, served: Served | None) -> tuple[Served | None, float]:
        """Load and serve the desired version; where that fails, keep the one in memory if it covers everybody.

        Returns what is served, and a time at which the database said that it may be.
        """
        since = self.active_eraser.now()
        if wanted.uncovered:
            self.active_eraser.close("The promoted version does not cover everybody who must stay forgotten.")
            return None, since
        try:
            with metrics.SWAP_SECONDS.time():
                eraser = self._load_under_lease(wanted, served)
        except Unavailable as exc:
            logger.warning("version %d cannot be fetched yet: %s", wanted.version.number, exc.detail)
            self._failed = (wanted.generation, exc.detail)
            return self._keep(exc.detail)
        except LacunaError as exc:
            logger.error("version %d is not served: %s", wanted.version.number, exc.detail)
            self._failed = (wanted.generation, exc.detail)
            return self._keep(exc.detail)
        fresh = Served(eraser, wanted.version.number, wanted.version.sha256, wanted.generation)
        since = self.active_eraser.now()
        if self._missing(fresh):  # others may have gone on while it was fetched
            self.active_eraser.close("The version that was fetched no longer covers everybody who must stay forgotten.")
            return None, since
        self.active_eraser.serve(fresh)
        self._failed = None
        if wanted.changed_at is not None:
            metrics.ROLLOUT_SECONDS.observe(max(0.0, (utc_now() - wanted.changed_at).total_seconds()))
        logger.info("version %d is served: %d tickets", fresh.number, len(eraser.tickets))
        return fresh, since

    def _load_under_lease(self, wanted: rollouts.DesiredVersion, served: Served | None) -> Eraser:
        """The verified eraser of the desired version, loaded in a thread of its own.

        Meanwhile the lease is renewed for the version in memory: the object store may take a minute to fail.
        """
        loaded: Future[Eraser] = Future()

        def load() -> None:
            try:
                eraser = load_verified_eraser(self.store, self.keys, self.verifier, wanted.version)
                eraser.site.check(self.site)
                if self.accepts is not None:
                    self.accepts(eraser)
                loaded.set_result(eraser)
            except BaseException as exc:  # noqa: BLE001 - raised again by `result`
                loaded.set_exception(exc)

        threading.Thread(target=load, name="fetch", daemon=True).start()  # killed without harm
        while True:
            try:
                return loaded.result(timeout=self.lease_s / 4)
            except TimeoutError:
                if loaded.done():
                    raise
                self._renew(wanted, served)

    def _renew(self, wanted: rollouts.DesiredVersion, served: Served | None) -> None:
        """Renew the lease of the version in memory, if it covers everybody still; else drop it."""
        since = self.active_eraser.now()
        try:
            if served is not None and self.active_eraser.current_or_none() is served and self._missing(served):
                self.active_eraser.close("The promoted version is being fetched, and the one before covers too few.")
            self._acknowledge(wanted, self.active_eraser.current_or_none(), state="loading")
        except LacunaError as exc:
            logger.warning("the lease cannot be renewed while version %d is fetched: %s",
                           wanted.version.number, exc.detail)  # fmt: skip
        else:
            self.active_eraser.confirm(since)

    def _keep(self, reason: str) -> tuple[Served | None, float]:
        """The version in memory, where it still covers everybody; else None, and no version is served."""
        metrics.SWAPS.labels("failed").inc()
        since, served = self.active_eraser.now(), self.active_eraser.current_or_none()
        if served is None or self._missing(served):
            self.active_eraser.close(f"The promoted version cannot be served: {reason}")
            return None, since
        return served, since

    def _missing(self, served: Served) -> int:
        with transaction(self.database) as session:
            return rollouts.count_uncovered(session, self.model_id, served.number)

    def _acknowledge(self, wanted: rollouts.DesiredVersion, served: Served | None, state: str | None = None) -> None:
        """Record what is served, under a new lease. The state follows from it where none is given."""
        current = served is not None and served.generation == wanted.generation
        error = None if current else (self._failed[1] if self._failed else "not covered")
        with transaction(self.database) as session:
            rollouts.record_replica_state(
                session,
                self.replica,
                self.model_id,
                generation=served.generation if served else wanted.generation,
                version_number=served.number if served else None,
                state=state or ("serving" if current else "failed"),
                error=None if state else error,
                lease_s=self.lease_s,
            )
