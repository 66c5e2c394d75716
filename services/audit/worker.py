"""The audit worker's Celery entry: reads the settings, loads the model once, hands each message to `tasks.py`.

Start: `celery -A services.audit.worker worker -Q audit --pool solo`. The model is loaded in the process that works
(a forked child of a process that ran torch hangs), before the first message is taken.
"""

from typing import Any

from celery.signals import heartbeat_sent, worker_init

from services.audit.context import AuditContext, context_from
from services.audit.nightly_task import audit_nightly
from services.audit.tasks import audit_version
from shared.core.config import load_settings
from shared.core.exits import ends_the_process
from shared.core.messaging import celery_app
from shared.core.metrics import WORKER
from shared.core.observability import observe
from shared.core.task_names import QUEUE_AUDIT, TASK_AUDIT
from shared.db.repositories.audits import CANDIDATE
from shared.db.repositories.nightly_audits import NIGHTLY

settings = load_settings()
app = celery_app(QUEUE_AUDIT, settings.redis_url)
_context: AuditContext | None = None  # set once, when the worker starts


@worker_init.connect
def build_context(**_: Any) -> None:
    """Load everything that an audit needs. Where that fails the process ends; Celery would go on without a model."""
    global _context  # noqa: PLW0603 - Celery gives a worker no other place for it
    with ends_the_process("the audit worker cannot start"):
        observe(settings, QUEUE_AUDIT, WORKER)
        _context = context_from(settings)


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
def audit(audit: str, version: str, kind: str = CANDIDATE) -> None:
    """Audit one candidate, or ask more about the served version in the nightly audit."""
    (audit_nightly if kind == NIGHTLY else audit_version)(_started(), audit, version)
