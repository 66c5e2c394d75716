"""AppContext: what every part of the request service is given. AlarmThresholds: when something is overdue."""

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Engine

from shared.core.config import ControllerSettings, Settings
from shared.crypto.keyring import KeyRing
from shared.errors import BadInput
from shared.probes.wordings import check_languages
from shared.storage.base import ObjectStore


@dataclass(frozen=True)
class AlarmThresholds:
    """How late each thing may be before an alarm is raised, and how often monitors are pinged."""

    nightly_hour: int = 2
    nightly: timedelta = timedelta(hours=2)
    pulse: timedelta = timedelta(minutes=2)
    order: timedelta = timedelta(hours=1)
    ping_every_s: float = 60.0

    @classmethod
    def from_settings(cls, settings: Settings) -> "AlarmThresholds":
        """The operator's thresholds."""
        return cls(
            settings.nightly.hour,
            timedelta(seconds=settings.nightly.grace_s),
            timedelta(seconds=settings.pulse_grace_s),
            timedelta(seconds=settings.order_grace_s),
            settings.deadman.every_s,
        )


def ticket_languages(settings: Settings) -> tuple[str, ...]:
    """The languages of a ticket that names none; raises BadInput where the setting names one that there is not."""
    try:
        return check_languages(settings.language_list)
    except BadInput as exc:
        raise BadInput(f"LACUNA_TICKET_LANGUAGES: {exc.detail}") from exc


@dataclass(frozen=True)
class AppContext:
    """The parts that the request service and its control loop work with, made once when the process starts."""

    database: Engine
    store: ObjectStore
    keys: KeyRing
    model_id: str
    regime: str = "gdpr"
    calendar: str = ""
    zone: str = "UTC"
    languages: tuple[str, ...] = ("en",)
    webhook_hosts: tuple[str, ...] = ("*",)
    webhook_loopback: bool = False  # for tests: plain HTTP to 127.0.0.1
    controller: ControllerSettings = field(default_factory=ControllerSettings)
    alarm_thresholds: AlarmThresholds = field(default_factory=AlarmThresholds)
