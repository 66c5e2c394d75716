"""The clerk: what was ordered arrives, however often the queue, the workers or the clerk itself go down."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from redis import Redis
from sqlalchemy import text

from services.request.worker.loop import Clerk
from shared.core.messaging import celery_app
from shared.core.task_names import QUEUE_REFIT
from shared.db.repositories import refits
from shared.db.session import transaction
from shared.devstack.backends import Backends
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.workers import Worker

GROUND = {"ground": "consent_withdrawn"}


@pytest.fixture
def redis(backends: Backends) -> Iterator[Redis]:
    """The broker, empty."""
    client = Redis.from_url(backends.redis_url)
    client.flushdb()
    yield client
    client.close()


@pytest.fixture
def queue(backends: Backends, redis: Redis) -> Iterator[Celery]:
    app = celery_app("clerk", backends.redis_url)
    yield app
    app.close()


def messages(redis: Redis) -> list[dict[str, Any]]:
    return [json.loads(raw) for raw in redis.lrange(QUEUE_REFIT, 0, -1)]


def ids(redis: Redis) -> list[str]:
    return [message["headers"]["id"] for message in messages(redis)]


def unpublished(people: People) -> int:
    with transaction(people.context.database) as session:
        return int(session.execute(text("SELECT count(*) FROM outbox WHERE published_at IS NULL")).scalar_one())


def clerk(people: People, queue: Celery) -> Clerk:
    return Clerk(people.context.database, queue, people.context.model_id, auto_promote=True)


def test_an_approved_urgent_ticket_becomes_one_message_of_ids_alone(
    people: People, queue: Celery, redis: Redis, ticket_body: dict[str, Any]
) -> None:
    ticket = people["olivia"].post("/v1/tickets", ticket_body | {"urgent": True}).json()["id"]
    people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND)
    for _ in range(3):
        clerk(people, queue).turn()
    assert len(ids(redis)) == len(set(ids(redis))) == 2  # version 0 and the ticket's
    assert all(message["content-type"] == "application/json" for message in messages(redis))
    assert "Mara" not in str(redis.lrange(QUEUE_REFIT, 0, -1))


def test_without_the_queue_orders_wait_and_go_out_when_it_is_back(
    people: People, queue: Celery, redis: Redis, backends: Backends, caplog: pytest.LogCaptureFixture
) -> None:
    away = celery_app("clerk", backends.redis_url.rpartition(":")[0] + ":1/0")
    clerk(people, away).turn()
    away.close()
    assert "the queue cannot be reached" in caplog.text
    assert unpublished(people) == 1
    clerk(people, queue).turn()
    assert (unpublished(people), len(ids(redis))) == (0, 1)


def test_two_clerks_send_each_order_once(people: People, queue: Celery, redis: Redis) -> None:
    """While one holds an order, the other passes it by."""
    first, second = clerk(people, queue), clerk(people, queue)
    with transaction(people.context.database) as session:
        session.execute(text("SELECT 1 FROM outbox FOR UPDATE"))
        second.relay()
        assert ids(redis) == []
    first.relay()
    second.relay()
    assert len(ids(redis)) == 1


def test_a_run_whose_worker_died_is_ordered_again(people: People, worker: Worker, queue: Celery, redis: Redis) -> None:
    one = clerk(people, queue)
    one.turn()
    order = ids(redis)[0]
    redis.flushdb()
    worker.claim(order, "initial", lease_s=30)
    one.turn()
    assert ids(redis) == []
    with transaction(worker.database.engine("admin")) as session:
        session.execute(text("UPDATE refit_run SET lease_until = now() - interval '1 second'"))
    for _ in range(3):
        one.turn()
    assert ids(redis) == [order]
    assert worker.claim(order, "initial")[1] == 2


def test_a_run_that_waits_for_the_store_is_ordered_again_until_it_is_done(
    people: People, worker: Worker, queue: Celery, redis: Redis
) -> None:
    one = clerk(people, queue)
    one.turn()
    order = ids(redis)[0]
    _, fence = worker.claim(order, "initial")
    with transaction(worker.database.engine("refit")) as session:
        refits.finish_run(session, order, fence, "waiting", error="The object store cannot be reached.")
    redis.flushdb()
    one.turn()
    assert ids(redis) == [order]
    _, fence = worker.claim(order, "initial")
    with transaction(worker.database.engine("refit")) as session:
        refits.finish_run(session, order, fence, "nothing_to_do")
    redis.flushdb()
    clerk(people, queue).turn()
    assert ids(redis) == []


def test_a_message_that_the_queue_lost_is_sent_again(people: People, queue: Celery, redis: Redis) -> None:
    one = clerk(people, queue)
    one.turn()
    order = ids(redis)[0]
    redis.flushdb()
    with transaction(people.context.database) as session:
        session.execute(text("UPDATE outbox SET published_at = now() - interval '1 minute'"))
    one.turn()
    assert ids(redis) == [order]


WORKER = """
import logging, os
from celery.signals import worker_init
from shared.contracts import TASK_REFIT
from shared.correlation import log_with_ids
from shared.queue import celery_app

app = celery_app("probe", os.environ["LACUNA_REDIS_URL"])
worker_init.connect(lambda **_: log_with_ids(), weak=False)

@app.task(name=TASK_REFIT)
def refit(run, **_):
    logging.getLogger("probe").info("refit %s", run)
"""


def test_the_id_of_a_request_stands_in_the_workers_log(
    people: People, queue: Celery, redis: Redis, backends: Backends, ticket_body: dict[str, Any], tmp_path: Path
) -> None:
    """From the header through outbox and message into a worker of its own process, over the real Redis."""
    ticket = people["olivia"].post("/v1/tickets", ticket_body | {"urgent": True}).json()["id"]
    people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND, **{"X-Request-ID": "case-1042"})
    clerk(people, queue).relay()
    sent = {one["headers"].get("lacuna_correlation"): one["headers"]["id"] for one in messages(redis)}
    order = sent["case-1042"]
    (tmp_path / "probe.py").write_text(WORKER)
    env = os.environ | {"LACUNA_REDIS_URL": backends.redis_url, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}
    argv = [sys.executable, "-m", "celery", "-A", "probe", "worker", "-Q", QUEUE_REFIT, "--pool", "solo"]
    argv += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
    worker = subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        assert worker.stderr is not None
        assert any(f"[case-1042] refit {order}" in line for line in worker.stderr)
    finally:
        worker.kill()
        worker.communicate()


def test_an_order_is_carried_out_however_old_it_is(
    people: People, database: Databases, queue: Celery, redis: Redis
) -> None:
    """Workers and queue were away over a long weekend."""
    clerk(people, queue).turn()
    (order,) = ids(redis)
    redis.flushdb()
    with transaction(database.engine("admin")) as session:
        session.execute(
            text("UPDATE outbox SET created_at = now() - interval '5 days', published_at = now() - interval '4 days'")
        )
    clerk(people, queue).turn()
    assert ids(redis) == [order]
