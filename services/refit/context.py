"""RefitContext: what a refit depends on, and the cache of the base model's statistics."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Engine as Database

from services.refit.base_statistics import compute_statistics, statistics_digest
from services.refit.progress import Progress
from services.refit.retain_set import PhotoHashCache, RetainSide, select_retain_side
from services.refit.steering_vectors import (
    SteeringVectors,
    compute_steering_vectors,
    load_beside_model,
    steering_vectors_digest,
)
from shared.artifacts.retain_sets import open_retain_set
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer
from shared.db.models.retain_sets import RetainSet
from shared.db.models.tickets import Ticket
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.recipe import Recipe
from shared.errors import IntegrityFailure, NotFound
from shared.evaluation.reference import Reference
from shared.storage.base import ObjectStore
from shared.storage.object_keys import pulls_key, statistics_key
from shared.vlm.engine import Engine

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass
class RefitContext:
    """Everything that a refit needs; the worker builds it once. It keeps the statistics of the base model."""

    engine: Engine
    reference: Reference
    recipe: Recipe
    model_id: str
    store: ObjectStore
    keys: KeyRing
    signer: Signer
    database: Database
    lease_s: float = 30.0
    heartbeat: Callable[[], None] = lambda: None  # of the worker process, not of the run's lease
    _statistics: dict[str, BaseStatistics] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._photo_hashes = PhotoHashCache(self.store, self.keys)

    def retain_side(self, retain_set: RetainSet | None, tickets: Sequence[Ticket]) -> RetainSide:
        """Who is kept as they are in this fit: the reference and the operator's set, without the forgotten."""
        rows = open_retain_set(self.store, self.keys, retain_set) if retain_set is not None else ()
        return select_retain_side(self.reference, retain_set, rows, tickets, self.keys, self._photo_hashes)

    def statistics_digest(self, retain_side: RetainSide) -> str:
        """sha256 (hex) of all that the statistics depend on."""
        return statistics_digest(self.engine, self.reference, self.recipe, retain_side.key)

    def statistics(self, retain_side: RetainSide, progress: Progress) -> BaseStatistics:
        """From memory, else from the store, else computed and stored under their digest."""
        digest = self.statistics_digest(retain_side)
        if digest not in self._statistics:
            stored = self._stored(statistics_key(self.model_id, digest), BaseStatistics.from_bytes)
            self._statistics = {digest: stored or self._compute_statistics(digest, retain_side, progress)}
        return self._statistics[digest]

    def _compute_statistics(self, digest: str, retain_side: RetainSide, progress: Progress) -> BaseStatistics:
        retain_side.check()
        vectors = self._steering_vectors(retain_side, progress)
        statistics = compute_statistics(
            self.engine,
            retain_side.reference,
            self.recipe,
            progress.enter,
            operator_rows=retain_side.rows,
            count=lambda done, total: progress.count(done, total, "people or prompts"),
            vectors=vectors,
        )
        self._put(statistics_key(self.model_id, digest), statistics.to_bytes())
        return statistics

    def _steering_vectors(self, retain_side: RetainSide, progress: Progress) -> SteeringVectors:
        """From beside the model, else from the store, else computed and stored; the same for every retain set."""
        progress.enter("finding the steering vectors")
        key = pulls_key(self.model_id, steering_vectors_digest(self.engine, self.recipe, self.reference))
        vectors = load_beside_model(self.engine, self.recipe, self.reference) or self._stored(
            key, SteeringVectors.from_bytes
        )
        if vectors is None:
            vectors = compute_steering_vectors(
                self.engine,
                retain_side.reference,
                self.recipe,
                lambda done, total: progress.count(done, total, "steps"),
            )
            self._put(key, vectors.to_bytes(self.recipe))
        return vectors

    def _stored(self, key: str, read: Callable[[bytes], T]) -> T | None:
        """What an earlier run stored; None where nothing is there, or where it was altered."""
        try:
            return read(self.keys.open(self.store.get(key), self.store.get(f"{key}.key"), key))
        except NotFound:
            return None
        except IntegrityFailure as exc:
            logger.warning("%s is computed anew: %s", key, exc.detail)
            return None

    def _put(self, key: str, blob: bytes) -> None:
        sealed = self.keys.seal(blob, key)
        self.store.put(key, sealed.blob)
        self.store.put(f"{key}.key", sealed.wrapped_key)
