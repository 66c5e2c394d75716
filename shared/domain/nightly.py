"""Which night it is, and which refit belongs to it. Nights are days in UTC; knows no database and no clock.

Whoever asks gets the same run for the same night, so that beat, a second beat and the clerk's catching up order one.
"""

import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

NAMESPACE: Final = uuid.UUID("6f1c4a52-0f2e-4d0a-9d3f-5a0c7b9f1e11")


def latest_run_date(now: datetime, hour: int) -> date:
    """The newest night that has come at `now`: today's from `hour` (UTC) on, yesterday's before."""
    today = now.astimezone(UTC)
    return today.date() if today.hour >= hour else today.date() - timedelta(days=1)


def scheduled_at(night: date, hour: int) -> datetime:
    """When the night of that day came."""
    return datetime.combine(night, time(hour), UTC)


def nightly_run_id(model_id: str, night: date) -> uuid.UUID:
    """The one refit of that night: the id of its order and of its run."""
    return uuid.uuid5(NAMESPACE, f"{model_id}/{night.isoformat()}")
