"""An order arrives, however often the queue, the workers or the control loop itself go down."""

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

from services.request.worker.loop import ControlLoop, Job
from services.request.worker.outbox import Redelivery, Relay
from shared.core.messaging import celery_app
from shared.core.task_names import QUEUE_REFIT
from shared.db.repositories import refits
from shared.db.session import transaction
from shared.devstack.backends import Backends
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.workers import Worker

GROUND = {"ground": "consent_withdrawn", "names": ["Mara Lindqvist"]}


@pytest.fixture
def redis(backends: Backends) -> Iterator[Redis]:
    """The broker, empty."""
    client = Redis.from_url(backends.redis_url)
    client.flushdb()
    yield client
    client.close()


@pytest.fixture
def queue(backends: Backends, redis: Redis) -> Iterator[Celery]:
    app = celery_app("control-loop", backends.redis_url)
    yield app
    app.close()


def messages(redis: Redis) -> list[dict[str, Any]]:
    return [json.loads(raw) for raw in redis.lrange(QUEUE_REFIT, 0, -1)]


def ids(redis: Redis) -> list[str]:
    return [message["headers"]["id"] for message in messages(redis)]


def unpublished(people: People) -> int:
    with transaction(people.context.database) as session:
        return int(session.execute(text("SELECT count(*) FROM outbox WHERE published_at IS NULL")).scalar_one())


def control_loop(people: People, queue: Celery) -> ControlLoop:
    """A loop of the two jobs that send messages."""
    context = people.context
    jobs = [
        Job("outbox", Relay(context.database, queue).run),
        Job("redelivery", Redelivery(context.database, queue).run),
    ]
    return ControlLoop(jobs, report=lambda _: None)


def test_approved_urgent_ticket_becomes_one_message_of_ids_alone(
    people: People, queue: Celery, redis: Redis, ticket_body: dict[str, Any]
) -> None:
    ticket = people["olivia"].post("/v1/tickets", ticket_body | {"urgent": True}).json()["id"]
    people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND)
    for _ in range(3):
        control_loop(people, queue).run_once()
    assert len(ids(redis)) == len(set(ids(redis))) == 2  # version 0 and the ticket's
    assert all(message["content-type"] == "application/json" for message in messages(redis))
    assert "Mara" not in str(redis.lrange(QUEUE_REFIT, 0, -1))


def test_orders_wait_while_the_queue_is_away_and_are_sent_when_it_is_back(
    people: People, queue: Celery, redis: Redis, backends: Backends, caplog: pytest.LogCaptureFixture
) -> None:
    away = celery_app("control-loop", backends.redis_url.rpartition(":")[0] + ":1/0")
    control_loop(people, away).run_once()
    away.close()
    assert "The queue cannot be reached" in caplog.text
    assert unpublished(people) == 1
    control_loop(people, queue).run_once()
    assert (unpublished(people), len(ids(redis))) == (0, 1)


def test_order_that_another_loop_holds_is_not_sent_twice(people: People, queue: Celery, redis: Redis) -> None:
    """While one loop holds an order, the other skips it."""
    first, second = Relay(people.context.database, queue), Relay(people.context.database, queue)
    with transaction(people.context.database) as session:
        session.execute(text("SELECT 1 FROM outbox FOR UPDATE"))
        second.run()
        assert ids(redis) == []
    first.run()
    second.run()
    assert len(ids(redis)) == 1


def test_run_whose_worker_died_is_sent_again(people: People, worker: Worker, queue: Celery, redis: Redis) -> None:
    loop = control_loop(people, queue)
    loop.run_once()
    order = ids(redis)[0]
    redis.flushdb()
    worker.claim(order, "initial", lease_s=30)
    loop.run_once()
    assert ids(redis) == []
    with transaction(worker.database.engine("admin")) as session:
        session.execute(text("UPDATE refit_run SET lease_until = now() - interval '1 second'"))
    for _ in range(3):
        loop.run_once()
    assert ids(redis) == [order]
    assert worker.claim(order, "initial")[1] == 2


def test_run_that_waits_for_the_store_is_sent_again_until_it_is_done(
    people: People, worker: Worker, queue: Celery, redis: Redis
) -> None:
    loop = control_loop(people, queue)
    loop.run_once()
    order = ids(redis)[0]
    _, fence = worker.claim(order, "initial")
    with transaction(worker.database.engine("refit")) as session:
        refits.finish_run(session, order, fence, "waiting", error="The object store cannot be reached.")
    redis.flushdb()
    loop.run_once()
    assert ids(redis) == [order]
    _, fence = worker.claim(order, "initial")
    with transaction(worker.database.engine("refit")) as session:
        refits.finish_run(session, order, fence, "nothing_to_do")
    redis.flushdb()
    control_loop(people, queue).run_once()
    assert ids(redis) == []


def test_message_that_the_queue_lost_is_sent_again(people: People, queue: Celery, redis: Redis) -> None:
    loop = control_loop(people, queue)
    loop.run_once()
    order = ids(redis)[0]
    redis.flushdb()
    with transaction(people.context.database) as session:
        session.execute(text("UPDATE outbox SET published_at = now() - interval '1 minute'"))
    loop.run_once()
    assert ids(redis) == [order]


WORKER = """
import logging, os
from celery.signals import worker_init
from shared.core.logging import configure_logging
from shared.core.messaging import celery_app
from shared.core.task_names import TASK_REFIT

app = celery_app("probe", os.environ["LACUNA_REDIS_URL"])
worker_init.connect(lambda **_: configure_logging(), weak=False)

@app.task(name=TASK_REFIT)
def refit(run, **_):
    logging.getLogger("probe").info("refit %s", run)
"""


def test_request_id_of_an_approval_is_in_the_log_of_the_worker(
    people: People, queue: Celery, redis: Redis, backends: Backends, ticket_body: dict[str, Any], tmp_path: Path
) -> None:
    """From the header through the outbox and the message into the process of a worker, over the real Redis."""
    ticket = people["olivia"].post("/v1/tickets", ticket_body | {"urgent": True}).json()["id"]
    people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND, **{"X-Request-ID": "case-1042"})
    Relay(people.context.database, queue).run()
    sent = {message["headers"].get("lacuna_correlation"): message["headers"]["id"] for message in messages(redis)}
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


def test_order_of_five_days_ago_is_sent_again(people: People, database: Databases, queue: Celery, redis: Redis) -> None:
    """Workers and queue were away over a long weekend."""
    control_loop(people, queue).run_once()
    (order,) = ids(redis)
    redis.flushdb()
    with transaction(database.engine("admin")) as session:
        session.execute(
            text("UPDATE outbox SET created_at = now() - interval '5 days', published_at = now() - interval '4 days'")
        )
    control_loop(people, queue).run_once()
    assert ids(redis) == [order]
