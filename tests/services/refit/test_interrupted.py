"""A worker that is stopped in the middle of a run leaves a run that goes on, and not one that failed."""

import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state
from sqlalchemy import text

from services.refit import tasks
from shared.core.messaging import is_stopping
from shared.db.session import transaction
from tests.support.api import People
from tests.support.databases import Databases


@pytest.fixture
def told_to_stop() -> Iterator[None]:
    """As Celery's signal handler leaves its state: the exit code, 0."""
    state.should_terminate = 0
    yield
    state.should_terminate = None


def interrupted(*_: Any) -> None:
    """What Celery's handler raises inside a task of a solo pool."""
    raise NotImplementedError


def outcome(database: Databases, people: People) -> tuple[str, str]:
    context = SimpleNamespace(
        database=database.engine("refit"), model_id=people.context.model_id, lease_s=30.0, heartbeat=lambda: None
    )
    run_id = str(uuid.uuid4())
    tasks.run_order(context, run_id, people.context.model_id, "initial")  # type: ignore[arg-type]
    with transaction(database.engine("admin")) as session:
        query = text("SELECT status, error FROM refit_run WHERE id = :id")
        return tuple(session.execute(query, {"id": run_id}).one())  # type: ignore[return-value]


@pytest.mark.usefixtures("told_to_stop")
def test_run_of_a_stopped_worker_waits(database: Databases, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "refit", interrupted)
    assert is_stopping()
    assert outcome(database, people) == ("waiting", "the worker was stopped")


def test_same_error_of_a_worker_that_goes_on_is_a_failure(
    database: Databases, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "refit", interrupted)
    assert not is_stopping()
    assert outcome(database, people) == ("failed", "unexpected: NotImplementedError")
