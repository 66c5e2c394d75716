"""Sends the message that starts the nightly refit. Start: `celery -A services.refit.beat beat`.

The message only says that it is time. Which refit that is, and that there is at most one a day, is in PostgreSQL.
"""

from typing import Any

from celery.schedules import crontab
from celery.signals import beat_init

from shared.core.config import load_settings
from shared.core.exits import ends_the_process
from shared.core.messaging import celery_app
from shared.core.metrics import MESSAGES
from shared.core.observability import observe
from shared.core.task_names import QUEUE_REFIT, TASK_NIGHTLY

settings = load_settings()
app = celery_app(QUEUE_REFIT, settings.redis_url)
app.conf.beat_schedule = {
    "nightly-refit": {
        "task": TASK_NIGHTLY,
        "schedule": crontab(hour=settings.nightly.hour, minute=0),
        "options": {"queue": QUEUE_REFIT},
    }
}


@beat_init.connect
def _observe(**_: Any) -> None:
    with ends_the_process("the beat cannot start"):
        observe(settings, "beat", MESSAGES)
