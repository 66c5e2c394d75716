"""What every start of the officer's service makes sure of."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.request.bootstrap import bootstrap
from shared.db.session import transaction
from tests.support.api import MODEL
from tests.support.databases import Databases

ORDERS = "SELECT id FROM outbox WHERE kwargs->>'kind' = 'initial' ORDER BY created_at"
RUN = """
INSERT INTO refit_run (id, model_id, kind, status, attempt, fence, started_at)
VALUES (:id, :model, 'initial', :status, 1, 1, now())
"""


def started(database: Databases, tmp_path: Path) -> list[Any]:
    """The orders of version 0 after one more start."""
    bootstrap(database.engine("request"), MODEL, "models/demo-vlm", tmp_path / "keys.json")
    with transaction(database.engine("admin")) as session:
        return list(session.scalars(text(ORDERS)))


def ended(database: Databases, order: uuid.UUID, status: str) -> None:
    with transaction(database.engine("admin")) as session:
        session.execute(text(RUN), {"id": order, "model": MODEL, "status": status})


def test_first_version_is_ordered_once(database: Databases, tmp_path: Path) -> None:
    assert len(started(database, tmp_path)) == 1
    assert len(started(database, tmp_path)) == 1


@pytest.mark.parametrize(("status", "orders"), [("failed", 2), ("waiting", 1), ("running", 1)])
def test_first_version_that_came_to_nothing_is_ordered_again_at_the_next_start(
    database: Databases, tmp_path: Path, status: str, orders: int
) -> None:
    ended(database, started(database, tmp_path)[0], status)
    assert len(started(database, tmp_path)) == orders
    assert len(started(database, tmp_path)) == orders
