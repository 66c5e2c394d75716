"""RefitContext: dependencies and the statistics cache."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine as Database

from services.refit.base_statistics import compute_statistics, statistics_digest
from services.refit.progress import Report
from services.refit.retain_set import PhotoHashCache, RetainSide, select_retain_side
from services.refit.steering_vectors import Pulls, beside_model, compute_pulls, from_bytes, pulls_digest, to_bytes
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
    """All that a refit needs, made once at the worker's door. Keeps the statistics of the base model."""

    engine: Engine
    reference: Reference
    reference_folder: Path
    recipe: Recipe
    model_id: str
    store: ObjectStore
    keys: KeyRing
    signer: Signer
    database: Database
    lease_s: float = 30.0
    beat: Callable[[], None] = lambda: None  # the worker's pulse
    _statistics: dict[str, BaseStatistics] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._looks = PhotoHashCache(self.store, self.keys)

    def retained(self, found: RetainSet | None, tickets: Sequence[Ticket]) -> RetainSide:
        """Who is kept as they are in this fit: reference and set, without whoever `tickets` speak of."""
        rows = open_retain_set(self.store, self.keys, found) if found is not None else ()
        return select_retain_side(self.reference, found, rows, tickets, self.keys, self._looks)

    def digest(self, kept: RetainSide) -> str:
        """Of all that the statistics depend on."""
        return statistics_digest(self.engine, self.reference_folder, self.recipe, kept.key)

    def statistics(self, kept: RetainSide, report: Report) -> tuple[str, BaseStatistics]:
        """Digest and statistics; from memory, else from the store, else computed and stored."""
        digest = self.digest(kept)
        if digest not in self._statistics:
            stored = self._stored(statistics_key(self.model_id, digest), BaseStatistics.from_bytes)
            self._statistics = {digest: stored or self._new_statistics(digest, kept, report)}
        return digest, self._statistics[digest]

    def _new_statistics(self, digest: str, kept: RetainSide, report: Report) -> BaseStatistics:
        kept.check()
        found = self._pulls(kept, report)
        statistics = compute_statistics(
            self.engine,
            kept.reference,
            self.reference_folder,
            self.recipe,
            report.enter,
            own=kept.rows,
            count=lambda done, total: report.count(done, total, "people or prompts"),
            found=found,
        )
        self._put(statistics_key(self.model_id, digest), statistics.to_bytes())
        return statistics

    def _pulls(self, kept: RetainSide, report: Report) -> Pulls:
        """From beside the model, else from the store, else computed and stored: no retain set changes them."""
        report.enter("finding the pull")
        recipe, folder = self.recipe, self.reference_folder
        key = pulls_key(self.model_id, pulls_digest(self.engine, recipe, folder))
        found = beside_model(self.engine, recipe, folder) or self._stored(key, from_bytes)
        if found is None:
            found = compute_pulls(
                self.engine, kept.reference, recipe, lambda done, total: report.count(done, total, "steps")
            )
            self._put(key, to_bytes(found, recipe))
        return found

    def _stored(self, key: str, read: Callable[[bytes], T]) -> T | None:
        """What was made before; None where it is not there, or not what was stored."""
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
