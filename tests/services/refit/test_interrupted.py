"""A worker that is stopped in the middle of a run leaves a run that goes on, and not one that failed."""

import uuid
from types import SimpleNamespace
from typing import Any, cast

import pytest
from celery.worker import state
from sqlalchemy import text

from services.refit import tasks
from services.refit.context import RefitContext
from shared.core.messaging import is_stopping
from shared.db.session import transaction
from tests.support.api import People
from tests.support.databases import Databases


@pytest.fixture
def told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Celery's signal handler leaves its state: the exit code, 0."""
    monkeypatch.setattr(state, "should_terminate", 0)


def interrupted(*_: Any) -> None:
    """What Celery's handler raises inside a task of a solo pool."""
    raise NotImplementedError


def outcome(database: Databases, people: People) -> tuple[str, str]:
    context = SimpleNamespace(
        database=database.engine("refit"), model_id=people.context.model_id, lease_s=30.0, heartbeat=lambda: None
    )
    context.of_model = lambda _: context
    run_id = str(uuid.uuid4())
    tasks.run_order(cast(RefitContext, context), run_id, people.context.model_id, "initial")
    with transaction(database.engine("admin")) as session:
        query = text("SELECT status, error FROM refit_run WHERE id = :id")
        row = session.execute(query, {"id": run_id}).one()
        return row.status, row.error


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
