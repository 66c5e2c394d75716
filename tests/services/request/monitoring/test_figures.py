"""The figures of the database for Prometheus, against a real database in many states."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from services.request.monitoring.figures import DatabaseFigures
from shared.core.clock import utc_now
from shared.core.metrics import DATABASE_GAUGES
from shared.db.session import make_engine, transaction
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.workers import Worker

GROUND = {"ground": "consent_withdrawn", "names": ["Mara Lindqvist"]}


def read(figures: DatabaseFigures) -> dict[tuple[str, ...], float]:
    """Name and values of the labels -> value."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in figures.collect()
        for sample in family.samples
    }


@pytest.fixture
def figures(people: People) -> DatabaseFigures:
    return DatabaseFigures(people.context, kept_s=0)


def file(people: People, body: dict[str, Any], name: str) -> str:
    answer = people["olivia"].post("/v1/tickets", body | {"names": [name]})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_empty_installation_has_every_figure_that_is_not_by_ticket(figures: DatabaseFigures) -> None:
    found = read(figures)
    expected = {gauge.name for gauge in DATABASE_GAUGES} - {"lacuna_tickets", "lacuna_heartbeat_age_seconds"}
    assert {name[0] for name in found} == expected
    assert found["lacuna_database_readable",] == 1
    assert found["lacuna_promoted_version",] == -1
    assert found["lacuna_orders_waiting", "refit"] == 1  # version 0
    assert found["lacuna_alarm", "inference"] == 0


def test_tickets_are_counted_by_state_and_by_the_end_of_their_period(
    people: People, database: Databases, figures: DatabaseFigures, ticket_body: dict[str, Any]
) -> None:
    tickets = [file(people, ticket_body, f"Mara Lindqvist {letter}") for letter in ("Aaa", "Bbb", "Ccc")]
    with transaction(database.engine("admin")) as session:
        for ticket, days in zip(tickets, (-1, 3, 20), strict=True):
            values = {"id": ticket, "due": utc_now() + timedelta(days=days)}
            session.execute(text("UPDATE ticket SET due_at = :due WHERE id = :id"), values)
    found = read(figures)
    assert found["lacuna_tickets", "under_review"] == 3
    assert (found["lacuna_tickets_overdue",], found["lacuna_tickets_due_soon",]) == (1, 1)
    assert not any("Mara" in part or part.startswith("T-") for key in found for part in key)


def test_rollout_is_measured_until_every_replica_serves_the_promoted_version(
    people: People, worker: Worker, figures: DatabaseFigures
) -> None:
    number = worker.publish()
    people["oscar"].post(f"/v1/erasers/{number}/promote", {})
    worker.serve(0, 0)
    behind = read(figures)
    assert behind["lacuna_promoted_version",] == number
    assert (behind["lacuna_replicas", "yes"], behind["lacuna_replicas", "no"]) == (0, 1)
    assert behind["lacuna_rollout_age_seconds",] > 0
    worker.serve(1, number)
    done = read(figures)
    assert (done["lacuna_replicas", "yes"], done["lacuna_replicas", "no"]) == (1, 0)
    assert done["lacuna_rollout_age_seconds",] == 0


def test_orders_and_runs_have_an_age(people: People, worker: Worker, figures: DatabaseFigures) -> None:
    people["oscar"].post("/v1/refits", {})
    waiting = read(figures)
    assert waiting["lacuna_orders_waiting", "refit"] >= 1
    assert waiting["lacuna_order_age_seconds", "refit"] > 0
    assert waiting["lacuna_run_age_seconds", "refit"] == 0
    worker.claim()
    assert read(figures)["lacuna_run_age_seconds", "refit"] > 0


def test_database_that_is_away_leaves_one_figure(people: People) -> None:
    away = replace(people.context, database=make_engine("postgresql://nobody:x@127.0.0.1:1/none", 60))
    assert read(DatabaseFigures(away, kept_s=0)) == {("lacuna_database_readable",): 0}


def test_many_scrapes_at_once_read_the_database_once(people: People) -> None:
    begun = []
    event.listen(people.context.database, "begin", lambda _: begun.append(1))
    figures = DatabaseFigures(people.context)
    threads = [threading.Thread(target=read, args=(figures,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 1


def test_names_are_known_without_reading(people: People) -> None:
    begun = []
    event.listen(people.context.database, "begin", lambda _: begun.append(1))
    names = {family.name for family in DatabaseFigures(people.context).describe()}
    assert names == {gauge.name for gauge in DATABASE_GAUGES}
    assert begun == []
