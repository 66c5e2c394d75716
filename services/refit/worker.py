"""The refit worker's Celery entry: reads the settings, loads the model once, hands each message to `tasks.py`.

Start: `celery -A services.refit.worker worker -Q refit --pool solo`. The model is loaded in the process that works
(a forked child of a process that ran torch hangs), before the first message is taken.
"""

from typing import Any

from celery.signals import heartbeat_sent, worker_init

from services.refit.context import RefitContext
from services.refit.tasks import nightly, run_order
from shared.core.clock import utc_now
from shared.core.config import load_settings
from shared.core.exits import ends_the_process
from shared.core.messaging import celery_app
from shared.core.metrics import WORKER
from shared.core.observability import observe
from shared.core.task_names import QUEUE_REFIT, TASK_NIGHTLY, TASK_REFIT
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer
from shared.db.repositories.heartbeats import HeartbeatWriter
from shared.db.session import make_engine
from shared.domain.nightly import latest_run_date
from shared.erasure.recipe import Recipe
from shared.evaluation.reference import model_reference
from shared.storage.factory import open_store
from shared.vlm.engine import Engine
from shared.vlm.loading import load

settings = load_settings()
app = celery_app(QUEUE_REFIT, settings.redis_url)
_context: RefitContext | None = None  # set once, when the worker starts


@worker_init.connect
def build_context(**_: Any) -> None:
    """Load everything that a refit needs. Where that fails the process ends; Celery would go on without a model."""
    global _context  # noqa: PLW0603 - Celery gives a worker no other place for it
    with ends_the_process("the refit worker cannot start"):
        observe(settings, QUEUE_REFIT, WORKER)
        _context = _load()


def _load() -> RefitContext:
    database = make_engine(settings.database.url, settings.database.idle_s)
    return RefitContext(
        engine=Engine(load(settings.model.source, device=settings.device or None)),
        reference=model_reference(settings),
        recipe=Recipe.named(settings.recipe),
        model_id=settings.model.id,
        source=settings.model.source,
        reader_blocks=settings.reader_blocks,
        profiles=settings.data / "profiles",
        store=open_store(settings),
        keys=KeyRing.from_settings(settings),
        signer=Signer.from_settings(settings),
        database=database,
        lease_s=settings.refit_lease_s,
        heartbeat=HeartbeatWriter(database, QUEUE_REFIT),
    )


@heartbeat_sent.connect
def _heartbeat(**_: Any) -> None:
    """The worker is waiting for messages; while a task runs, the renewal of its lease writes the heartbeat."""
    if _context is not None:
        _context.heartbeat()


def _started() -> RefitContext:
    if _context is None:
        raise RuntimeError("The worker has not started: no model is loaded.")
    return _context


@app.task(name=TASK_REFIT)
def refit_task(run: str, model: str, kind: str, period: str | None = None, recipe: str | None = None) -> None:
    """Carry out one order."""
    run_order(_started(), run, model, kind, period, recipe)


@app.task(name=TASK_NIGHTLY)
def nightly_task() -> None:
    """Carry out the refit of the latest night: a message may have waited past midnight."""
    nightly(_started(), latest_run_date(utc_now(), settings.nightly.hour))
