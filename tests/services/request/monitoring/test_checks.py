"""Overdue checks: missed nightly refits, silent processes and stuck orders raise one alarm each, and stop the pings."""

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
        result = session.execute(text(statement), values)
        return result.all() if cast(CursorResult[Any], result).returns_rows else None


@pytest.fixture
def old(people: People, database: Databases, monkeypatch: pytest.MonkeyPatch) -> People:
    """A service whose model is a week old, at 09:00 UTC, with fresh heartbeats."""
    now = datetime(2026, 11, 24, 9, tzinfo=UTC)
    for module in (checks, alarms, nightly):
        monkeypatch.setattr(module, "utc_now", lambda: now)
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE model SET created_at = :at"), {"at": now - timedelta(days=7)})
        session.execute(text("UPDATE outbox SET created_at = :at"), {"at": now})
        for name in checks.HEARTBEATS:
            session.execute(text("INSERT INTO pulse VALUES (:name, :at)"), {"name": name, "at": now})
    return people


def names(people: People, thresholds: AlarmThresholds = EARLY) -> set[str]:
    with transaction(people.context.database) as session:
        return {check.name for check in find_overdue(session, MODEL, thresholds)}


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


def test_latest_run_date_is_the_date_of_the_last_scheduled_hour() -> None:
    """Also for a message that waited past midnight, and whatever the zone of the clock."""
    assert latest_run_date(datetime(2026, 11, 24, 2, tzinfo=UTC), 2) == date(2026, 11, 24)
    assert latest_run_date(datetime(2026, 11, 24, 1, 59, tzinfo=UTC), 2) == date(2026, 11, 23)
    assert latest_run_date(datetime.fromisoformat("2026-11-24T03:30:00+02:00"), 2) == date(2026, 11, 23)
    assert scheduled_at(date(2026, 11, 24), 2) == datetime(2026, 11, 24, 2, tzinfo=UTC)
    assert nightly_run_id("m", date(2026, 11, 24)) != nightly_run_id("n", date(2026, 11, 24))


def test_missed_nights_order_one_refit_for_the_newest(old: People) -> None:
    assert catch_up(old) == catch_up(old) == date(2026, 11, 24)
    assert ordered(old) == ["2026-11-24"]
    assert len(sql(old, "SELECT 1 FROM log_leaf WHERE kind = 'refit.ordered'")) == 1
    assert names(old) == {"beat", "nightly"}


def test_night_ordered_by_the_scheduler_is_not_ordered_again(old: People, database: Databases) -> None:
    refitted(database, date(2026, 11, 24), "running")
    assert catch_up(old) == date(2026, 11, 24)
    assert ordered(old) == []


def test_night_within_its_grace_or_older_than_the_model_orders_nothing(
    old: People, database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "utc_now", lambda: datetime(2026, 11, 24, 2, 10, tzinfo=UTC))
    assert (catch_up(old), ordered(old)) == (None, [])
    monkeypatch.setattr(nightly, "utc_now", lambda: datetime(2026, 11, 24, 9, tzinfo=UTC))
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE model SET created_at = '2026-11-24 08:00Z'"))
    assert (catch_up(old), ordered(old), names(old)) == (date(2026, 11, 24), [], set())


def test_two_control_loops_order_a_missed_night_once(old: People) -> None:
    start, engine = threading.Barrier(2), old.context.database

    def work() -> None:
        with transaction(engine) as session:
            start.wait(10)
            nightly.order_missed_nightly_refit(session, MODEL, HOUR, AFTER)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ordered(old) == ["2026-11-24"]


def test_night_without_a_finished_refit_is_overdue(old: People, database: Databases) -> None:
    assert names(old) == {"nightly"}
    assert names(old, AlarmThresholds(nightly_hour=HOUR, nightly=timedelta(hours=8))) == set()
    refitted(database, date(2026, 11, 24), "failed")
    assert names(old, AlarmThresholds(nightly_hour=HOUR, nightly=timedelta(hours=8))) == {
        "nightly"
    }  # a failed refit is reported at once
    sql_admin = "UPDATE refit_run SET status = 'nothing_to_do'"
    with transaction(database.engine("admin")) as session:
        session.execute(text(sql_admin))
    assert names(old) == set()


@pytest.mark.parametrize("name", checks.HEARTBEATS)
def test_process_without_a_heartbeat_is_overdue(old: People, database: Databases, name: str) -> None:
    refitted(database, date(2026, 11, 24))
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE pulse SET at = at - interval '3 minutes' WHERE name = :name"), {"name": name})
    assert names(old) == {name}


def test_order_that_no_worker_takes_is_overdue(old: People, worker: Worker, database: Databases) -> None:
    refitted(database, date(2026, 11, 24))
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE outbox SET created_at = '2026-11-24 07:00Z'"))
        order = str(session.execute(text("SELECT id FROM outbox")).scalar_one())
    assert names(old) == {"orders"}
    worker.claim(order, "initial", lease_s=10**8)  # a worker holds its lease, however long it takes
    assert names(old) == set()


def test_run_that_is_started_again_and_again_is_overdue(old: People, worker: Worker, database: Databases) -> None:
    """A refit that kills its worker each time always has a lease and never ends."""
    refitted(database, date(2026, 11, 24))
    run, _ = worker.claim()
    for attempt in range(2, checks.MAX_ATTEMPTS + 1):
        assert names(old) == set()
        with transaction(database.engine("admin")) as session:
            session.execute(
                text("UPDATE refit_run SET lease_until = now() - interval '1 second' WHERE id = :id"), {"id": run}
            )
        assert worker.claim(run).fence == attempt
    assert names(old) == {"runs"}


def test_alarm_and_its_end_are_recorded_once(old: People, database: Databases) -> None:
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
    messages = [json.loads(row[0]) for row in sql(old, "SELECT body FROM webhook_delivery ORDER BY created_at")]
    assert [message["type"] for message in messages] == ["alarm.raised", "alarm.cleared"]
    assert messages[0]["data"]["alarm"] == "nightly"
    leaves = sql(old, "SELECT kind, subject FROM log_leaf WHERE kind LIKE 'alarm.%' ORDER BY id")
    assert [tuple(row) for row in leaves] == [("alarm.raised", "nightly"), ("alarm.cleared", "nightly")]


def test_alarm_of_a_list_of_drop_goes_out_like_the_others(old: People, database: Databases) -> None:
    """It is raised after an attempt in vain, and cleared when the list is matched."""
    hook = {"url": "https://hooks.example.org/x", "events": ["alarm.raised", "alarm.cleared"]}
    assert old["rosa"].post("/v1/webhooks", hook).status_code == 201
    refitted(database, date(2026, 11, 24))
    waiting = """INSERT INTO drop_list (id, tenant_id, owner, fetched, sha256, status, object_key, received_at, rows,
        created_at, error) VALUES (gen_random_uuid(), 'default', 'olivia', true, 's', 'waiting', 'k', now(), 1, now(),
        'It cannot be read.')"""
    changes = waiting, "UPDATE drop_list SET attempts = 1", "UPDATE drop_list SET status = 'succeeded'"
    sent = []
    for change in changes:
        with transaction(database.engine("admin")) as session:
            session.execute(text(change))
        with transaction(old.context.database) as session:
            update_alarms(session, MODEL, EARLY)
        bodies = (json.loads(row[0]) for row in sql(old, "SELECT body FROM webhook_delivery ORDER BY created_at"))
        sent.append([(body["type"], body["data"]["alarm"]) for body in bodies])
    raised, cleared = ("alarm.raised", "drop"), ("alarm.cleared", "drop")
    assert sent == [[], [raised], [raised, cleared]]


def test_status_without_a_control_loop_names_overdue_checks(people: People, database: Databases) -> None:
    assert people["oscar"].get("/v1/status").json()["alarms"] == []
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE model SET created_at = now() - interval '5 minutes'"))
    alarms = people["oscar"].get("/v1/status").json()["alarms"]
    assert {alarm["name"] for alarm in alarms} >= set(checks.HEARTBEATS)
    assert all(alarm["sentence"].endswith(".") for alarm in alarms)


@pytest.fixture
def queue(backends: Backends) -> Iterator[Celery]:
    app = celery_app("control-loop", backends.redis_url)
    yield app
    app.close()


def test_round_with_a_failed_job_writes_only_the_heartbeats_of_the_others(
    people: People, queue: Celery, backends: Backends
) -> None:
    def run_round(with_queue: Celery) -> set[str]:
        relay = Job("outbox", Relay(people.context.database, with_queue).run, heartbeat="relay")
        ControlLoop([relay], Watch(people.context).report).run_once()
        with transaction(people.context.database) as session:
            return set(last_heartbeats(session))

    away = celery_app("control-loop", backends.redis_url.rpartition(":")[0] + ":1/0")
    assert run_round(away) == {"clerk"}
    away.close()
    assert run_round(queue) == {"clerk", "relay"}


def test_worker_without_a_database_goes_on_without_a_heartbeat(database: Databases) -> None:
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


def test_ping_skips_the_monitor_of_what_is_overdue() -> None:
    pinged: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            pinged.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    urls = {name: f"http://127.0.0.1:{server.server_port}/{name}" for name in ("clerk", "nightly", "all")}
    overdue = [checks.OverdueCheck("nightly", "It did not happen.", utc_now())]
    assert ping(urls, overdue, allow_loopback=True).keys() == {"clerk"}
    ping(urls, [], allow_loopback=True)
    server.shutdown()
    server.server_close()
    assert sorted(pinged) == ["/all", "/clerk", "/clerk", "/nightly"]
    refused = ping(urls, [])["all"]  # without the exception for tests: https and public addresses only, as for webhooks
    assert refused.status is None


def test_ping_url_of_an_unknown_check_is_refused() -> None:
    assert read_urls("all=https://hc.example.org/x?a=b") == {"all": "https://hc.example.org/x?a=b"}
    assert read_urls("") == {}
    with pytest.raises(BadInput, match=NAMES[0]):
        read_urls("postgres=https://hc.example.org/x")


def test_transaction_of_a_stopped_process_is_ended(people: People, database: Databases) -> None:
    """Otherwise a frozen worker would hold its row against its successor for as long as its connection lives."""
    frozen = make_engine(database.url("request"), idle_s=0.2)

    def stand_still() -> None:
        with transaction(frozen) as session:
            session.execute(text("SELECT id FROM outbox FOR UPDATE"))
            with transaction(database.engine("request")) as other:  # waits for the row and gets it
                assert other.execute(text("SELECT id FROM outbox FOR UPDATE")).scalar_one()
            session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        stand_still()
    frozen.dispose()
