"""The audit worker's Celery entry: reads the settings, loads the model once, hands each message to `tasks.py`.

Start: `celery -A services.audit.worker worker -Q audit --pool solo`. The model is loaded in the process that works
(a forked child of a process that ran torch hangs), before the first message is taken.
"""

from typing import Any

from celery.signals import heartbeat_sent, worker_init

from services.audit.suite import Suite
from services.audit.tasks import AuditContext, audit_version
from services.audit.verdict import Thresholds
from shared.core.config import load_settings
from shared.core.logging import configure_logging
from shared.core.messaging import celery_app
from shared.core.task_names import QUEUE_AUDIT, TASK_AUDIT
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Verifier
from shared.db.repositories.heartbeats import HeartbeatWriter
from shared.db.session import make_engine
from shared.evaluation.reference import model_reference
from shared.storage.factory import open_store
from shared.vlm.engine import Engine
from shared.vlm.loading import load

settings = load_settings()
app = celery_app(QUEUE_AUDIT, settings.redis_url)
_context: AuditContext | None = None  # set once, when the worker starts


@worker_init.connect
def build_context(**_: Any) -> None:
    """Load everything that an audit needs."""
    global _context  # noqa: PLW0603 - Celery gives a worker no other place for it
    configure_logging()
    database = make_engine(settings.database.url, settings.database.idle_s)
    _context = AuditContext(
        suite=Suite(
            Engine(load(settings.model.source, device=settings.device or None)),
            model_reference(settings),
        ),
        thresholds=Thresholds(
            revealed_trained=settings.audit.told_trained,
            revealed_test=settings.audit.told_test,
            revealed_attacks=settings.audit.told_attacks,
            identical_retain=settings.audit.identical_retain,
            identical_held_out=settings.audit.identical_held_out,
            identical_celebrity=settings.audit.identical_celebrity,
            identical_stranger=settings.audit.identical_stranger,
            identical_visible=settings.audit.identical_visible,
        ),
        store=open_store(settings),
        keys=KeyRing.from_settings(settings),
        verifier=Verifier.from_settings(settings),
        database=database,
        lease_s=settings.audit.lease_s,
        heartbeat=HeartbeatWriter(database, QUEUE_AUDIT),
    )


@heartbeat_sent.connect
def _heartbeat(**_: Any) -> None:
    """The worker is waiting for messages; while a task runs, the renewal of its lease writes the heartbeat."""
    if _context is not None:
        _context.heartbeat()


def _started() -> AuditContext:
    if _context is None:
        raise RuntimeError("The worker has not started: no model is loaded.")
    return _context


@app.task(name=TASK_AUDIT)
def audit(audit: str, version: str) -> None:
    """Audit one candidate."""
    audit_version(_started(), audit, version)
