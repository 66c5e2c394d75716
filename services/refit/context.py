"""RefitContext: what a refit depends on, the profile of its model, and the cache of the base model's statistics."""

import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine as Database

from services.refit.base_statistics import compute_statistics, statistics_digest
from services.refit.profile.run import STEPS, ProfiledModel, find_profile, make_profile
from services.refit.retain_set import PhotoHashCache, RetainSide, select_retain_side
from services.refit.steering_vectors import (
    SteeringVectors,
    compute_steering_vectors,
    load_beside_model,
    steering_vectors_digest,
)
from shared.artifacts.retain_sets import open_retain_set
from shared.core.progress import Progress
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer
from shared.db.models.retain_sets import RetainSet
from shared.db.models.tickets import Ticket
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.recipe import LACUNA, Recipe
from shared.errors import BadInput, IntegrityFailure, NotFound
from shared.evaluation.model_profile import ModelProfile
from shared.evaluation.profiled_reference import reference_for
from shared.evaluation.reference import Reference
from shared.storage.base import ObjectStore
from shared.storage.object_keys import profile_key, pulls_key, statistics_key
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
    source: str = ""  # where the model was loaded from; a profile names it
    profiles: Path | None = None  # folder of profiles; None: the model is never profiled
    profiled: ProfiledModel | None = None
    reader_blocks: int = 0  # the identity gate reads none but so many first blocks; 0: those that the recipe names
    _statistics: dict[str, BaseStatistics] = field(default_factory=dict)
    _of_models: "dict[str, RefitContext]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._photo_hashes = PhotoHashCache(self.store, self.keys)

    def of_model(self, model_id: str) -> "RefitContext":
        """The context for refits of `model_id`, which another tenant may have in use.

        Tenants share the base model in memory and nothing else: statistics depend on a tenant's retain set.
        """
        if model_id == self.model_id:
            return self
        if model_id not in self._of_models:
            self._of_models[model_id] = replace(self, model_id=model_id, _statistics={}, _of_models={})
        return self._of_models[model_id]

    def ensure_profile(self, progress: Progress) -> None:
        """Settle the recipe: what the model's profile says, at the blocks that a reader has."""
        self._take_profile(progress)
        self.recipe = self._at_reader_blocks(self.recipe)

    def _at_reader_blocks(self, recipe: Recipe) -> Recipe:
        """The recipe with its gate at the reader's blocks, unless it reads none but these already."""
        if not self.reader_blocks or recipe.gate != "identity":
            return recipe
        if recipe.gate_layers is not None and max(recipe.gate_layers) < self.reader_blocks:
            return recipe
        return replace(recipe, gate_layers=tuple(range(self.reader_blocks)))

    def _take_profile(self, progress: Progress) -> None:
        """Take over what the model's profile says: the recipe, whom the model knows, its not-knowing answer.

        The profile is read from the folder of profiles or from the store, or made: minutes, once for each model. A
        model with vectors of its own beside it has been searched already, and other recipes state every choice.

        Raises Unavailable while another process makes the profile: the refit waits.
        """
        ships_choices = load_beside_model(self.engine, LACUNA, self.reference) is not None
        if self.profiles is None or self.profiled is not None or self.recipe != LACUNA or ships_choices:
            return None
        progress.enter("profiling the model")
        key = profile_key(self.model_id, self.engine.vlm.site.digest)
        profiled = find_profile(self.profiles, self.engine.vlm.site.digest)
        if profiled is None and (profiled := self._stored_profile(key)) is not None:
            return self._use_profile(profiled)
        if profiled is None:
            steps = len(STEPS)

            def report(step: str, done: int, total: int) -> None:
                progress.count(STEPS.index(step) * 100 + 100 * done // max(total, 1), steps * 100, f"per cent ({step})")

            with _writable(self.profiles) as folder:
                source = self.source or self.model_id
                profiled = make_profile(self.engine, source, self.reference, folder, report, maker="A refit worker")
        self._put(key, json.dumps(profiled.profile.to_json()).encode())
        self._put(f"{key}.vectors", profiled.vectors.to_bytes(profiled.recipe))
        return self._use_profile(profiled)

    def recipe_named(self, name: str) -> Recipe:
        """`Recipe.named`, with the profile's choices for the recipe `lacuna`."""
        if self.profiled is not None and name == LACUNA.name:
            return self._at_reader_blocks(self.profiled.recipe)
        return self._at_reader_blocks(Recipe.named(name))

    def profile_digest(self) -> str | None:
        """sha256 (hex) of the profile that the recipe comes from, for the manifest; None where there is none."""
        if self.profiled is None or self.recipe != self._at_reader_blocks(self.profiled.recipe):
            return None
        return self.profiled.profile.digest

    def _use_profile(self, profiled: ProfiledModel) -> None:
        profile = profiled.profile
        self.profiled, self.recipe = profiled, profiled.recipe
        self.reference = reference_for(self.reference, profile.knowledge, profile.declining.sentence)
        logger.info("profile of %s: %d figures known", profile.loading.source, len(profile.knowledge.known))

    def _stored_profile(self, key: str) -> ProfiledModel | None:
        try:
            stored = self._stored(key, lambda blob: ModelProfile.from_json(json.loads(blob)))
        except BadInput as exc:  # that of another version of Lacuna
            logger.warning("the profile is made anew: %s", exc.detail)
            return None
        vectors = self._stored(f"{key}.vectors", SteeringVectors.from_bytes)
        return None if stored is None or vectors is None else ProfiledModel(stored, vectors)

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
        if self.profiled is not None and self.recipe == self._at_reader_blocks(self.profiled.recipe):
            return self.profiled.vectors
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


@contextmanager
def _writable(folder: Path) -> Iterator[Path]:
    """The folder, or a temporary one where it cannot be written: the store keeps the profile in any case."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as exc:
        logger.warning("the folder of profiles cannot be written, and an interrupted profile starts anew: %s", exc)
    else:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="lacuna-profile-") as name:
        yield Path(name)
