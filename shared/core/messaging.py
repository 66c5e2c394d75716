"""The message queue: a Celery application over Redis, with the same settings for senders and workers.

Messages are JSON and carry ids only; what has to be done is in PostgreSQL. A message that is lost or repeated therefore
costs time and nothing else.
"""

import atexit
import time
from contextlib import ExitStack
from typing import Any, Final

from celery import Celery
from celery.signals import after_task_publish, setup_logging, task_postrun, task_prerun
from celery.worker import state

from shared.core.exits import end_process
from shared.core.logging import MESSAGE_HEADER, bind_request_id, configure_logging
from shared.core.metrics import MESSAGES_SENT, TASK_AGE_SECONDS, TASK_SECONDS, TASKS
from shared.core.tracing import span

# Longer than any task may take: a message that is not acknowledged by then is delivered again.
VISIBILITY_TIMEOUT_S: Final = 6 * 3600
_began: dict[int, tuple[float, ExitStack]] = {}  # by the id of the task object: a worker carries out one task at a time


def celery_app(name: str, redis_url: str) -> Celery:
    """A Celery application named `name` with the broker at `redis_url`."""
    app = Celery(name, broker=redis_url)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_TIMEOUT_S,
            # Celery looks for messages of dead workers only every interval x throttle polls: look at each.
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 5,
        },
        timezone="UTC",
        enable_utc=True,
    )
    return app


def is_stopping() -> bool:
    """Whether Celery was told to end this worker.

    A second signal, or Ctrl+C, cancels the task that runs: with a solo pool Celery's handler then raises whatever comes
    first (NotImplementedError) inside the task. What the task did not finish is to be ordered again, and not failed.
    """
    return any(isinstance(flag, int) and flag is not False for flag in (state.should_stop, state.should_terminate))


@atexit.register
def _leave_at_once() -> None:
    """End a worker that was told to stop before Python takes everything in its memory apart, object by object.

    With a model loaded that is most of the work of a stop, and on a busy machine it takes longer than whoever stops the
    worker waits. Handlers that were registered later, which write what is still to be written, have run by now.
    """
    if is_stopping():
        end_process(0)


@setup_logging.connect
def _configure_logging(**_: Any) -> None:
    """Celery's own logging is not set up: there is one configuration."""
    configure_logging()


@task_prerun.connect
def _begin(task: Any = None, **_: Any) -> None:
    """The worker logs and orders under the id of the request that the message came from."""
    request = getattr(task, "request", None)
    bind_request_id((getattr(request, "headers", None) or {}).get(MESSAGE_HEADER))
    began = time.monotonic()
    traced = ExitStack()
    traced.enter_context(span(str(getattr(task, "name", ""))))
    _began[id(task)] = (began, traced)
    TASK_AGE_SECONDS.set_function(lambda: time.monotonic() - began)


@task_postrun.connect
def _end(task: Any = None, **_: Any) -> None:
    name = str(getattr(task, "name", ""))
    began, traced = _began.pop(id(task), (time.monotonic(), ExitStack()))
    traced.close()
    TASKS.labels(name).inc()
    TASK_SECONDS.labels(name).observe(time.monotonic() - began)
    TASK_AGE_SECONDS.set_function(lambda: 0.0)


@after_task_publish.connect
def _count(sender: Any = None, **_: Any) -> None:
    MESSAGES_SENT.labels(str(sender)).inc()
