"""Loads the model, or a reader of it in front of another server, and runs the watcher.

Imported in the background, because it imports torch.
"""

import asyncio
import logging
import threading

from PIL import Image
from sqlalchemy import Engine as Database

from services.inference.active_eraser import ActiveEraser
from services.inference.engines.base import AnswerEngine
from services.inference.engines.local import LocalEngine
from services.inference.engines.messages import Pictures
from services.inference.engines.metered import MeteredEngine
from services.inference.engines.on_grid import EngineOnGrid
from services.inference.engines.remote import RemoteEngine
from services.inference.engines.upstream import Upstream
from services.inference.watcher import Watcher
from shared.core.config import Settings
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Verifier
from shared.db.notifications import DESIRED_STATE, Listener
from shared.domain.prompts import Prompt
from shared.errors import BadInput
from shared.storage.factory import open_store
from shared.vlm.engine import Engine
from shared.vlm.loading import load
from shared.vlm.reader import Reader

logger = logging.getLogger(__name__)
TRIAL_PICTURE = 64  # pixels of each side of the picture by which the server is tried


def open_engine(settings: Settings) -> LocalEngine | RemoteEngine:
    """The engine of this replica, ready to answer: another server where LACUNA_ENGINE_URL names one."""
    if settings.engine.url:
        return open_remote(settings)
    engine = Engine(load(settings.model.source, device=settings.device or None))
    engine.generate([Prompt.ask("Hello!")], max_new_tokens=2)
    return LocalEngine(engine)


def open_remote(settings: Settings) -> RemoteEngine:
    """Load the reader, and wait for the server until it says what it can do.

    Raises BadInput where it does not serve the model or refuses the key.
    """
    if not settings.engine.url.startswith(("http://", "https://")):
        raise BadInput("LACUNA_ENGINE_URL must be an http or https address with its version, as http://host:8000/v1.")
    reader = Reader.load(settings.model.source, settings.reader_blocks or None, device=settings.device or None)
    picture = Image.new("RGB", (TRIAL_PICTURE, TRIAL_PICTURE), (128, 128, 128))
    upstream = Upstream(settings.engine, settings.engine.model or settings.model.id)
    abilities = asyncio.run(upstream.find_abilities(Pictures().url(picture) if reader.reads_pictures else None))
    engine = RemoteEngine(reader, upstream, abilities, settings.engine.system_line)
    logger.info("the engine is another server: %s; the reader has %d blocks", abilities, reader.blocks)
    return engine


def for_clients(engine: AnswerEngine, settings: Settings) -> AnswerEngine:
    """The engine with its answers counted and traced, and handed out on a grid where the settings name one."""
    metered = MeteredEngine(engine)
    return EngineOnGrid(metered, settings.release_grid_s) if settings.release_grid_s else metered


def watch(
    engine: LocalEngine | RemoteEngine,
    active_eraser: ActiveEraser,
    database: Database,
    settings: Settings,
    done: threading.Event,
) -> None:
    """Follow the desired state until `done` is set."""
    changed = threading.Event()
    Listener(database, DESIRED_STATE, changed.set).start()
    Watcher(
        active_eraser=active_eraser,
        site=engine.site if isinstance(engine, RemoteEngine) else engine.engine.vlm.site,
        database=database,
        store=open_store(settings),
        keys=KeyRing.from_settings(settings),
        verifier=Verifier.from_settings(settings),
        model_id=settings.model.id,
        replica=settings.replica,
        lease_s=settings.replica_lease_s,
        accepts=engine.check if isinstance(engine, RemoteEngine) else None,
    ).watch(done, settings.poll_s, changed)
