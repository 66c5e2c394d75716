"""The invariants of the chaos harness name every kind of loss and of double effect that is planted by hand."""

from typing import Any

import pytest
from sqlalchemy import text

from benchmarks.chaos.invariants import FORBIDDEN, UNFINISHED, Invariants
from shared.db.session import transaction
from shared.storage.local import LocalStore
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.workers import Worker


@pytest.fixture
def invariants(people: People, database: Databases, store: LocalStore) -> Invariants:
    """The invariants of a bootstrapped database without versions."""
    return Invariants(database.admin_url, store)


def plant(database: Databases, *statements: str) -> None:
    """Execute SQL as the administrator."""
    with transaction(database.engine("admin")) as session:
        for statement in statements:
            session.execute(text(statement))


def test_fresh_database_has_no_violations_and_unfinished_work(invariants: Invariants) -> None:
    assert invariants.violations({}) == []
    assert invariants.unfinished({"T-NOBODY00": "completed"})[0] == "T-NOBODY00 is None, not completed"
    assert any(item.startswith("messages not sent: 1") for item in invariants.unfinished({}))


def test_duplicate_version_leaf_and_lost_object_are_named(
    invariants: Invariants, worker: Worker, database: Databases
) -> None:
    for _ in range(2):
        worker.publish()
    leaf = "INSERT INTO log_leaf (at, actor, kind, subject, detail) VALUES (now(), 'x', 'x', 'x', '{}')"
    plant(database, leaf, leaf, "UPDATE refit_run SET fence = fence + 1")
    descriptions = {problem.partition(":")[0] for problem in invariants.violations({})}
    assert descriptions >= {
        "two consecutive versions cover the same tickets",
        "one event has two leaves",
        "a fence differs from the number of attempts",
        "the object erasers/1 is lost",
    }


def test_answered_ticket_that_is_missing_or_filed_twice_is_named(
    invariants: Invariants, people: People, ticket_body: dict[str, Any]
) -> None:
    first = people["olivia"].post("/v1/tickets", ticket_body | {"source": "once"}).json()["id"]
    problems = invariants.violations({"once": first, "never": "T-NOBODY00"})
    assert "never was answered as T-NOBODY00 and exists as []" in problems
    assert not any(problem.startswith("once") for problem in problems)
    people["olivia"].post("/v1/tickets", ticket_body | {"source": "once"})
    problems = invariants.violations({"once": first})
    assert any(problem.startswith(f"once was answered as {first} and exists as") for problem in problems)


def test_fence_that_decreases_is_remembered(invariants: Invariants, worker: Worker, database: Databases) -> None:
    worker.publish()
    invariants.unfinished({})
    plant(database, "UPDATE refit_run SET fence = 0, attempt = 0")
    invariants.unfinished({})
    assert any("decreased" in problem for problem in invariants.violations({}))


@pytest.mark.parametrize("query", [*UNFINISHED.values(), *FORBIDDEN.values()], ids=[*UNFINISHED, *FORBIDDEN])
def test_query_is_valid_in_todays_schema(invariants: Invariants, query: str) -> None:
    invariants.scalar(query)
