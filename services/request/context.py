"""AppContext: what every part of the request service is given. AlarmThresholds: when something is overdue."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy import Engine

from shared.core.config import ControllerSettings, Settings
from shared.crypto.keyring import KeyRing
from shared.db.tenants import of_installation, of_tenant
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
    """The parts that the request service and its control loop work with, made once when the process starts.

    What a request is answered with, and what a job of the control loop works with, is the context of one tenant: its
    transactions see this tenant's rows alone (shared/db/tenants.py), and `model_id` is the model that it has in use.
    """

    database: Engine
    store: ObjectStore
    keys: KeyRing
    model_id: str  # of the operating tenant, where the context is of none
    regime: str = "gdpr"
    calendar: str = ""
    zone: str = "UTC"
    languages: tuple[str, ...] = ("en",)
    webhook_hosts: tuple[str, ...] = ("*",)
    webhook_loopback: bool = False  # for tests: plain HTTP to 127.0.0.1
    controller: ControllerSettings = field(default_factory=ControllerSettings)
    alarm_thresholds: AlarmThresholds = field(default_factory=AlarmThresholds)

    def of_tenant(self, tenant: str, model_id: str) -> "AppContext":
        """The context of one tenant."""
        return replace(self, database=of_tenant(self.database, tenant), model_id=model_id)

    def of_installation(self) -> "AppContext":
        """The context of the operating tenant without the bound of its transactions: they see all tenants."""
        return replace(self, database=of_installation(self.database))
