"""Sends the message that starts the nightly refit. Start: `celery -A services.refit.beat beat`.

The message only says that it is time. Which refit that is, and that there is at most one a day, is in PostgreSQL.
"""

from celery.schedules import crontab

from shared.core.config import load_settings
from shared.core.messaging import celery_app
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
