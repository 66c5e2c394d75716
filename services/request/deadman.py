"""Notices what did not happen: a night without its refit, a process without a pulse, an order that nobody carries out.

`look` only reads, so whoever is asked for the status can tell even while the clerk is dead. The clerk raises each alarm
once, with a log leaf and a webhook message (`alarm.raised`, `alarm.cleared`). Where clerk or house are dead nobody here
can tell: for that there is `ping`, a dead-man's switch outside that is heard as long as all is well.
"""

import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.request import webhooks
from services.request.deliveries import queue
from shared.clock import utc_now
from shared.config import Settings, read_pairs
from shared.db import repository as rows
from shared.db.models import Alarm, AuditRun, Model, Outbox, RefitRun, Webhook
from shared.db.pulse import pulses
from shared.errors import BadInput
from shared.lifecycle import CLERK
from shared.nightly import came_at, latest_night, night_run

logger = logging.getLogger(__name__)
BEATING: Final = {
    "clerk": "The clerk does nothing: no ticket moves",
    "relay": "Orders do not go out: the queue cannot be reached",
    "sequencer": "The log gets no places and no signatures",
    "refit": "No refit worker takes orders",
    "audit": "No audit worker takes orders",
}
NAMES: Final = (*BEATING, "inference", "nightly", "beat", "orders", "runs")
MOST_ATTEMPTS: Final = 5
REFITTED: Final = ("succeeded", "nothing_to_do")


@dataclass(frozen=True)
class Periods:
    """How long each may be silent, and how often monitors are told that all is well."""

    nightly_hour: int = 2
    nightly: timedelta = timedelta(hours=2)
    pulse: timedelta = timedelta(minutes=2)
    order: timedelta = timedelta(hours=1)
    ping_every_s: float = 60.0

    @classmethod
    def from_settings(cls, settings: Settings) -> "Periods":
        """As the operator set them."""
        return cls(
            settings.nightly_hour,
            timedelta(seconds=settings.nightly_grace_s),
            timedelta(seconds=settings.pulse_grace_s),
            timedelta(seconds=settings.order_grace_s),
            settings.deadman_every_s,
        )


def read_urls(text: str) -> dict[str, str]:
    """LACUNA_DEADMAN_URLS: name -> URL; raises BadInput for a name that nobody watches."""
    urls = read_pairs("LACUNA_DEADMAN_URLS", text)
    if unknown := sorted(set(urls) - {*NAMES, "all"}):
        raise BadInput(f"LACUNA_DEADMAN_URLS: {', '.join(unknown)} is not one of {', '.join((*NAMES, 'all'))}.")
    return urls


@dataclass(frozen=True)
class Silence:
    """Something that did not happen, and since when that counts."""

    name: str
    sentence: str
    since: datetime


def look(session: Session, model_id: str, periods: Periods) -> list[Silence]:
    """All that did not happen in time."""
    model = session.get(Model, model_id)
    if model is None:
        return []
    now = utc_now()
    return [
        *_pulses(session, model, now - periods.pulse),
        *_inference(session, model_id, now),
        *_nightly(session, model, periods, now),
        *_orders(session, now, periods.order),
    ]


def _pulses(session: Session, model: Model, oldest: datetime) -> Iterator[Silence]:
    known = pulses(session)
    for name, sentence in BEATING.items():
        last = known.get(name, model.created_at)
        if last < oldest:
            yield Silence(name, f"{sentence}, since {_at(last)}.", last)


def _inference(session: Session, model_id: str, now: datetime) -> Iterator[Silence]:
    state = rows.desired_state(session, model_id)
    if state is not None and not rows.live_replicas(session, model_id):
        yield Silence("inference", f"No replica of {model_id} is alive.", now)


def _nightly(session: Session, model: Model, periods: Periods, now: datetime) -> Iterator[Silence]:
    night = latest_night(now, periods.nightly_hour)
    came = came_at(night, periods.nightly_hour)
    if model.created_at > came:
        return
    order = night_run(model.id, night)
    run = session.get(RefitRun, order)
    if run is not None and run.status == "failed":
        yield Silence("nightly", f"The refit of the night of {night} failed: {run.error}", run.finished_at or came)
    elif now > came + periods.nightly and (run is None or run.status not in REFITTED):
        what = "was never begun" if run is None else f"is still {run.status}"
        yield Silence("nightly", f"The refit of the night of {night} {what}.", came)
    if session.get(Outbox, order) is not None:
        yield Silence("beat", f"Nobody rang for the night of {night}; the clerk ordered its refit.", came)


def _orders(session: Session, now: datetime, grace: timedelta) -> Iterator[Silence]:
    done = [
        exists().where(run.id == Outbox.id, or_(run.status.in_((*REFITTED, "failed")), run.lease_until > now))
        for run in (RefitRun, AuditRun)
    ]
    old = select(func.count(), func.min(Outbox.created_at)).where(
        Outbox.created_at < now - grace, *(~one for one in done)
    )
    again = select(func.count()).where(RefitRun.attempt >= MOST_ATTEMPTS, RefitRun.status.in_(("running", "waiting")))
    if begun := session.scalar(again):
        yield Silence(
            "runs", f"{begun} refits were begun {MOST_ATTEMPTS} times or more and do not come to an end.", now
        )
    number, oldest = session.execute(old).one()
    if number:
        yield Silence(
            "orders", f"{number} orders wait and nobody carries them out, the oldest since {_at(oldest)}.", oldest
        )


def watch(session: Session, model_id: str, periods: Periods) -> None:
    """Raise what is new and clear what is over, each once, whatever number of clerks there is."""
    silent = {one.name: one for one in look(session, model_id, periods)}
    for one in silent.values():
        made = session.execute(
            insert(Alarm)
            .values(id=uuid.uuid4(), name=one.name, sentence=one.sentence, raised_at=utc_now())
            .on_conflict_do_nothing()
            .returning(Alarm.id)
        ).first()
        if made is not None:
            logger.error("alarm: %s", one.sentence)
            _tell(session, model_id, "raised", made.id, one.name, one.sentence)
    over = select(Alarm).where(Alarm.cleared_at.is_(None), Alarm.name.not_in(list(silent)))
    for alarm in session.scalars(over.with_for_update(skip_locked=True)):
        alarm.cleared_at = utc_now()
        logger.warning("alarm is over: %s", alarm.sentence)
        _tell(session, model_id, "cleared", alarm.id, alarm.name, alarm.sentence)


def _tell(session: Session, model_id: str, what: str, alarm: uuid.UUID, name: str, sentence: str) -> None:
    rows.log(session, CLERK, f"alarm.{what}", name, {"alarm": str(alarm)})
    tenant = session.get_one(Model, model_id).tenant_id
    hooks = select(Webhook).where(Webhook.tenant_id == tenant, Webhook.disabled_at.is_(None))
    for hook in session.scalars(hooks):
        if f"alarm.{what}" in hook.events or "*" in hook.events:
            data = {"alarm": name, "model": model_id, "sentence": sentence}
            queue(session, hook, f"alarm.{what}", data, utc_now().isoformat())


def ping(
    urls: Mapping[str, str], silent: Sequence[Silence], *, allow_loopback: bool = False
) -> dict[str, webhooks.Outcome]:
    """Tell the monitors of all that is well, never of what is silent. Under the guard of webhooks; never raises."""
    down = {one.name for one in silent}
    well = {name: url for name, url in urls.items() if (not down if name == "all" else name not in down)}
    at = int(utc_now().timestamp())
    return {
        name: webhooks.send(url, ("*",), f"ping_{uuid.uuid4().hex}", at, "{}", "", allow_loopback=allow_loopback)
        for name, url in well.items()
    }


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
