"""AppContext, AlarmThresholds."""

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Engine

from shared.core.config import Settings
from shared.crypto.keyring import KeyRing
from shared.storage.base import ObjectStore


@dataclass(frozen=True)
class AlarmThresholds:
    """How long each may be silent, and how often monitors are told that all is well."""

    nightly_hour: int = 2
    nightly: timedelta = timedelta(hours=2)
    pulse: timedelta = timedelta(minutes=2)
    order: timedelta = timedelta(hours=1)
    ping_every_s: float = 60.0

    @classmethod
    def from_settings(cls, settings: Settings) -> "AlarmThresholds":
        """As the operator set them."""
        return cls(
            settings.nightly.hour,
            timedelta(seconds=settings.nightly.grace_s),
            timedelta(seconds=settings.pulse_grace_s),
            timedelta(seconds=settings.order_grace_s),
            settings.deadman.every_s,
        )


@dataclass(frozen=True)
class AppContext:
    """All that the request service stands on, made once at its door."""

    database: Engine
    store: ObjectStore
    keys: KeyRing
    model_id: str
    regime: str = "gdpr"
    calendar: str = ""
    zone: str = "UTC"
    webhook_hosts: tuple[str, ...] = ("*",)
    webhook_loopback: bool = False  # for tests: plain HTTP to 127.0.0.1
    periods: AlarmThresholds = field(default_factory=AlarmThresholds)
