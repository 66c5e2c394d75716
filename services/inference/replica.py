"""Loads the model and runs the watcher. Imported in the background, because it imports torch."""

import threading

from sqlalchemy import Engine as Database

from services.inference.active_eraser import ActiveEraser
from services.inference.engines.base import AnswerEngine
from services.inference.engines.local import LocalEngine
from services.inference.engines.metered import MeteredEngine
from services.inference.watcher import Watcher
from shared.core.config import Settings
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Verifier
from shared.db.notifications import DESIRED_STATE, Listener
from shared.domain.prompts import Prompt
from shared.storage.factory import open_store
from shared.vlm.engine import Engine
from shared.vlm.loading import load


def open_engine(settings: Settings) -> LocalEngine:
    """Load the model, warm it up, and start the engine's thread."""
    engine = Engine(load(settings.model.source, device=settings.device or None))
    engine.generate([Prompt.ask("Hello!")], max_new_tokens=2)
    return LocalEngine(engine)


def metered(engine: AnswerEngine) -> AnswerEngine:
    """The engine with its answers counted and traced."""
    return MeteredEngine(engine)


def watch(
    local: LocalEngine, active_eraser: ActiveEraser, database: Database, settings: Settings, done: threading.Event
) -> None:
    """Follow the desired state until `done` is set."""
    changed = threading.Event()
    Listener(database, DESIRED_STATE, changed.set).start()
    Watcher(
        active_eraser=active_eraser,
        site=local.engine.vlm.site,
        database=database,
        store=open_store(settings),
        keys=KeyRing.from_settings(settings),
        verifier=Verifier.from_settings(settings),
        model_id=settings.model.id,
        replica=settings.replica,
        lease_s=settings.replica_lease_s,
    ).watch(done, settings.poll_s, changed)
