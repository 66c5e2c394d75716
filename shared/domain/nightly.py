"""Which nightly refit or audit is due, and the id of its run. Run dates are days in UTC.

Everybody computes the same id for the same date, so that the scheduler, a second scheduler and the control loop, which
makes up for a missed run, order one refit together.
"""

import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

NAMESPACE: Final = uuid.UUID("6f1c4a52-0f2e-4d0a-9d3f-5a0c7b9f1e11")


def latest_run_date(now: datetime, hour: int) -> date:
    """The date of the newest nightly run that is due at `now`: today from `hour` (UTC) on, yesterday before."""
    today = now.astimezone(UTC)
    return today.date() if today.hour >= hour else today.date() - timedelta(days=1)


def scheduled_at(run_date: date, hour: int) -> datetime:
    """When the run of that date is due."""
    return datetime.combine(run_date, time(hour), UTC)


def nightly_run_id(model_id: str, run_date: date) -> uuid.UUID:
    """The id of the model's one refit of that date: of its order and of its run."""
    return uuid.uuid5(NAMESPACE, f"{model_id}/{run_date.isoformat()}")


def nightly_audit_id(model_id: str, run_date: date) -> uuid.UUID:
    """The id of the model's one nightly audit of that date: of its order and of its run."""
    return uuid.uuid5(NAMESPACE, f"audit/{model_id}/{run_date.isoformat()}")


def run_id_without(audit_id: uuid.UUID) -> uuid.UUID:
    """The id of the one refit that follows an audit which failed because of some tickets alone."""
    return uuid.uuid5(NAMESPACE, f"without/{audit_id}")


def run_id_after(run_id: uuid.UUID) -> uuid.UUID:
    """The id of the one refit that tries again what the first refit of a model could not do."""
    return uuid.uuid5(NAMESPACE, f"after/{run_id}")
