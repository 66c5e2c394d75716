"""Everything that an audit needs, built once from the settings: by the worker, and by the attack command."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine as Database

from services.audit.suite import Suite
from services.audit.verdict import Thresholds
from shared.core.config import Settings
from shared.core.task_names import QUEUE_AUDIT
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Verifier
from shared.db.repositories.heartbeats import HeartbeatWriter
from shared.db.session import make_engine
from shared.evaluation.reference import model_reference
from shared.storage.base import ObjectStore
from shared.storage.factory import open_store
from shared.vlm.engine import Engine
from shared.vlm.loading import load


@dataclass(frozen=True)
class AuditContext:
    """The model with its suite, the limits, and where versions and tickets are read from.

    `suites` are those with a profile of the model, by its digest (profiled.py).
    """

    suite: Suite
    thresholds: Thresholds
    store: ObjectStore
    keys: KeyRing
    verifier: Verifier
    database: Database
    lease_s: float = 30.0
    nightly_s: float = 10800.0  # how long the nightly audit goes on with another ticket
    heartbeat: Callable[[], None] = lambda: None  # of the worker process, not of the audit's lease
    suites: dict[str, Suite] = field(default_factory=dict)


def context_from(settings: Settings) -> AuditContext:
    """Load the model and open everything."""
    database = make_engine(settings.database.url, settings.database.idle_s)
    return AuditContext(
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
        nightly_s=settings.nightly.audit_s,
        heartbeat=HeartbeatWriter(database, QUEUE_AUDIT),
    )
