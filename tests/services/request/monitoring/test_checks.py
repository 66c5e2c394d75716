"""What does not happen is noticed: nights, pulses, orders. It is told once, and a monitor hears silence."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest
from celery import Celery
from sqlalchemy import CursorResult, text

from services.request.context import AlarmThresholds
from services.request.monitoring import alarms, checks
from services.request.monitoring.alarms import update_alarms
from services.request.monitoring.checks import NAMES, find_overdue
from services.request.monitoring.jobs import Watch
from services.request.monitoring.pings import ping, read_urls
from services.request.refits import nightly
from services.request.worker.loop import ControlLoop, Job
from services.request.worker.outbox import Relay
from shared.core.clock import utc_now
from shared.core.messaging import celery_app
from shared.db.repositories.heartbeats import HeartbeatWriter, last_heartbeats
from shared.db.session import make_engine, transaction
from shared.devstack.backends import Backends
from shared.domain.nightly import latest_run_date, nightly_run_id, scheduled_at
from shared.errors import BadInput, Unavailable
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.workers import Worker

MODEL = "demo-vlm"
HOUR, AFTER = 2, timedelta(minutes=15)
EARLY = AlarmThresholds(nightly_hour=HOUR)


def sql(people: People, statement: str, **values: Any) -> Any:
    with transaction(people.context.database) as session:
        found = session.execute(text(statement), values)
        return found.all() if cast(CursorResult[Any], found).returns_rows else None


@pytest.fixture
def old(people: People, database: Databases, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A house that is a week old, whose clock stands at 09:00 UTC; all pulses are fresh."""
    now = datetime(2026, 11, 24, 9, tzinfo=UTC)
    for module in (checks, alarms, nightly):
        monkeypatch.setattr(module, "utc_now", lambda: now)
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE model SET created_at = :at"), {"at": now - timedelta(days=7)})
        session.execute(text("UPDATE outbox SET created_at = :at"), {"at": now})
        for name in checks.BEATING:
            session.execute(text("INSERT INTO pulse VALUES (:name, :at)"), {"name": name, "at": now})
    return people


def names(people: People, periods: AlarmThresholds = EARLY) -> set[str]:
    with transaction(people.context.database) as session:
        return {one.name for one in find_overdue(session, MODEL, periods)}


def refitted(database: Databases, night: date, status: str = "succeeded") -> None:
    with transaction(database.engine("admin")) as session:
        session.execute(
            text(
                "INSERT INTO refit_run (id, model_id, kind, period, status, attempt, fence, started_at, finished_at, "
                "error) VALUES (:id, :model, 'nightly', :period, :status, 1, 1, now(), now(), 'no reason')"
            ),
            {"id": nightly_run_id(MODEL, night), "model": MODEL, "period": night.isoformat(), "status": status},
        )


def catch_up(people: People) -> date | None:
    with transaction(people.context.database) as session:
        return nightly.order_missed_nightly_refit(session, MODEL, HOUR, AFTER)


def ordered(people: People) -> list[str]:
    return [row[0] for row in sql(people, "SELECT kwargs->>'period' FROM outbox WHERE kwargs->>'kind' = 'nightly'")]


def test_a_night_is_that_of_the_hour_that_came() -> None:
    """Also for a message that waited past midnight, and whatever the zone of the clock."""
    assert latest_run_date(datetime(2026, 11, 24, 2, tzinfo=UTC), 2) == date(2026, 11, 24)
    assert latest_run_date(datetime(2026, 11, 24, 1, 59, tzinfo=UTC), 2) == date(2026, 11, 23)
    assert latest_run_date(datetime.fromisoformat("2026-11-24T03:30:00+02:00"), 2) == date(2026, 11, 23)
    assert scheduled_at(date(2026, 11, 24), 2) == datetime(2026, 11, 24, 2, tzinfo=UTC)
    assert nightly_run_id("m", date(2026, 11, 24)) != nightly_run_id("n", date(2026, 11, 24))


def test_a_missed_night_is_caught_up_once_and_only_the_newest(old: Any) -> None:
    assert catch_up(old) == catch_up(old) == date(2026, 11, 24)
    assert ordered(old) == ["2026-11-24"]
    assert len(sql(old, "SELECT 1 FROM log_leaf WHERE kind = 'refit.ordered'")) == 1
    assert names(old) == {"beat", "nightly"}


def test_a_night_that_beat_rang_for_is_not_ordered_again(old: Any, database: Databases) -> None:
    refitted(database, date(2026, 11, 24), "running")
    assert catch_up(old) == date(2026, 11, 24)
    assert ordered(old) == []


def test_before_the_grace_and_before_the_model_there_is_nothing_to_catch_up(
    old: Any, database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "utc_now", lambda: datetime(2026, 11, 24, 2, 10, tzinfo=UTC))
    assert (catch_up(old), ordered(old)) == (None, [])
    monkeypatch.setattr(nightly, "utc_now", lambda: datetime(2026, 11, 24, 9, tzinfo=UTC))
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE model SET created_at = '2026-11-24 08:00Z'"))
    assert (catch_up(old), ordered(old), names(old)) == (date(2026, 11, 24), [], set())


def test_two_clerks_catch_up_on_a_night_once(old: Any) -> None:
    start, engine = threading.Barrier(2), old.context.database

    def work() -> None:
        with transaction(engine) as session:
            start.wait(10)
            nightly.order_missed_nightly_refit(session, MODEL, HOUR, AFTER)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert ordered(old) == ["2026-11-24"]


def test_a_night_without_a_finished_refit_is_an_alarm(old: Any, database: Databases) -> None:
    assert names(old) == {"nightly"}
    assert names(old, AlarmThresholds(nightly_hour=HOUR, nightly=timedelta(hours=8))) == set()
    refitted(database, date(2026, 11, 24), "failed")
    assert names(old, AlarmThresholds(nightly_hour=HOUR, nightly=timedelta(hours=8))) == {
        "nightly"
    }  # it need not be waited for
    sql_admin = "UPDATE refit_run SET status = 'nothing_to_do'"
    with transaction(database.engine("admin")) as session:
        session.execute(text(sql_admin))
    assert names(old) == set()


@pytest.mark.parametrize("name", checks.BEATING)
def test_whoever_is_silent_is_named(old: Any, database: Databases, name: str) -> None:
    refitted(database, date(2026, 11, 24))
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE pulse SET at = at - interval '3 minutes' WHERE name = :name"), {"name": name})
    assert names(old) == {name}


def test_an_order_that_nobody_carries_out_is_an_alarm(old: Any, worker: Worker, database: Databases) -> None:
    refitted(database, date(2026, 11, 24))
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE outbox SET created_at = '2026-11-24 07:00Z'"))
        order = str(session.execute(text("SELECT id FROM outbox")).scalar_one())
    assert names(old) == {"orders"}
    worker.claim(order, "initial", lease_s=10**8)  # however long it takes: somebody is at it
    assert names(old) == set()


def test_a_run_that_is_begun_again_and_again_is_an_alarm(old: Any, worker: Worker, database: Databases) -> None:
    """A refit that kills its worker each time: somebody is always at it, and it never ends."""
    refitted(database, date(2026, 11, 24))
    run, _ = worker.claim()
    for attempt in range(2, checks.MOST_ATTEMPTS + 1):
        assert names(old) == set()
        with transaction(database.engine("admin")) as session:
            session.execute(
                text("UPDATE refit_run SET lease_until = now() - interval '1 second' WHERE id = :id"), {"id": run}
            )
        assert worker.claim(run).fence == attempt
    assert names(old) == {"runs"}


def test_an_alarm_is_told_once_and_its_end_too(old: Any, database: Databases) -> None:
    hook = {"url": "https://hooks.example.org/x", "events": ["alarm.raised", "alarm.cleared"]}
    assert old["rosa"].post("/v1/webhooks", hook).status_code == 201
    assert old["rosa"].post("/v1/webhooks", hook | {"events": ["ticket.completed"]}).status_code == 201
    for _ in range(3):
        with transaction(old.context.database) as session:
            update_alarms(session, MODEL, EARLY)
    refitted(database, date(2026, 11, 24))
    for _ in range(2):
        with transaction(old.context.database) as session:
            update_alarms(session, MODEL, EARLY)
    told = [json.loads(row[0]) for row in sql(old, "SELECT body FROM webhook_delivery ORDER BY created_at")]
    assert [one["type"] for one in told] == ["alarm.raised", "alarm.cleared"]
    assert told[0]["data"]["alarm"] == "nightly"
    leaves = sql(old, "SELECT kind, subject FROM log_leaf WHERE kind LIKE 'alarm.%' ORDER BY id")
    assert [tuple(row) for row in leaves] == [("alarm.raised", "nightly"), ("alarm.cleared", "nightly")]


def test_the_status_names_alarms_even_where_no_clerk_runs(people: People, database: Databases) -> None:
    assert people["oscar"].get("/v1/status").json()["alarms"] == []
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE model SET created_at = now() - interval '5 minutes'"))
    alarms = people["oscar"].get("/v1/status").json()["alarms"]
    assert {one["name"] for one in alarms} >= set(checks.BEATING)
    assert all(one["sentence"].endswith(".") for one in alarms)


@pytest.fixture
def queue(backends: Backends) -> Iterator[Celery]:
    app = celery_app("control-loop", backends.redis_url)
    yield app
    app.close()


def test_heartbeats_of_a_round_name_only_what_went_well(people: People, queue: Celery, backends: Backends) -> None:
    def run_round(with_queue: Celery) -> set[str]:
        relay = Job("outbox", Relay(people.context.database, with_queue).run, heartbeat="relay")
        ControlLoop([relay], Watch(people.context).report).run_once()
        with transaction(people.context.database) as session:
            return set(last_heartbeats(session))

    away = celery_app("control-loop", backends.redis_url.rpartition(":")[0] + ":1/0")
    assert run_round(away) == {"clerk"}
    away.close()
    assert run_round(queue) == {"clerk", "relay"}


def test_a_worker_writes_its_pulse_now_and_then_and_survives_an_outage(database: Databases) -> None:
    beats = HeartbeatWriter(database.engine("refit"), "refit", every_s=3600)
    beats()
    with transaction(database.engine("request")) as session:
        first = last_heartbeats(session)["refit"]
    beats()
    with transaction(database.engine("request")) as session:
        assert last_heartbeats(session)["refit"] == first
    nowhere = make_engine("postgresql://lacuna:x@127.0.0.1:1/x")
    HeartbeatWriter(nowhere, "refit")()
    nowhere.dispose()


def test_a_monitor_hears_of_what_is_well_and_silence_of_what_is_not() -> None:
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    urls = {name: f"http://127.0.0.1:{server.server_port}/{name}" for name in ("clerk", "nightly", "all")}
    silent = [checks.OverdueCheck("nightly", "It did not happen.", utc_now())]
    assert ping(urls, silent, allow_loopback=True).keys() == {"clerk"}
    ping(urls, [], allow_loopback=True)
    server.shutdown()
    server.server_close()
    assert sorted(heard) == ["/all", "/clerk", "/clerk", "/nightly"]
    refused = ping(urls, [])["all"]  # in real life: https and public addresses only, as for webhooks
    assert refused.status is None


def test_only_what_is_watched_can_be_pinged() -> None:
    assert read_urls("all=https://hc.example.org/x?a=b") == {"all": "https://hc.example.org/x?a=b"}
    assert read_urls("") == {}
    with pytest.raises(BadInput, match=NAMES[0]):
        read_urls("postgres=https://hc.example.org/x")


def test_a_transaction_whose_process_stands_still_is_ended(people: People, database: Databases) -> None:
    """Else a frozen worker would hold its row against whoever takes over, for as long as its connection lives."""
    frozen = make_engine(database.url("request"), idle_s=0.2)

    def stand_still() -> None:
        with transaction(frozen) as session:
            session.execute(text("SELECT id FROM outbox FOR UPDATE"))
            with transaction(database.engine("request")) as other:  # waits for the row, and gets it
                assert other.execute(text("SELECT id FROM outbox FOR UPDATE")).scalar_one()
            session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        stand_still()
    frozen.dispose()
