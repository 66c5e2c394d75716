"""The harness sees what it is there to see: each kind of loss or double effect, planted by hand, is named."""

from typing import Any

import pytest
from sqlalchemy import text

from benchmarks.chaos.invariants import NEVER, UNREST, Truth
from shared.db.session import transaction
from shared.storage.local import LocalStore
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.workers import Worker


@pytest.fixture
def truth(people: People, database: Databases, store: LocalStore) -> Truth:
    return Truth(database.admin_url, store)


def plant(database: Databases, *statements: str) -> None:
    with transaction(database.engine("admin")) as session:
        for one in statements:
            session.execute(text(one))


def test_a_fresh_house_has_broken_nothing_and_is_not_at_rest(truth: Truth) -> None:
    assert truth.broken({}) == []
    assert truth.unrest({"T-NOBODY00": "completed"})[0] == "T-NOBODY00 is None, not completed"
    assert any(one.startswith("messages not sent: 1") for one in truth.unrest({}))


def test_what_was_made_twice_is_named(truth: Truth, worker: Worker, database: Databases) -> None:
    for _ in range(2):
        worker.publish()
    leaf = "INSERT INTO log_leaf (at, actor, kind, subject, detail) VALUES (now(), 'x', 'x', 'x', '{}')"
    plant(database, leaf, leaf, "UPDATE refit_run SET fence = fence + 1")
    found = {one.partition(":")[0] for one in truth.broken({})}
    assert found >= {"two versions in a row cover the same", "one event has two leaves"}
    assert "a fence is not the number of its attempts" in found
    assert "the object erasers/1 is lost" in found


def test_a_ticket_that_was_answered_and_is_not_there_is_named(truth: Truth, people: People, ticket_body: Any) -> None:
    """And one that was filed twice for one answer."""
    first = people["olivia"].post("/v1/tickets", ticket_body | {"source": "once"}).json()["id"]
    wrong = truth.broken({"once": first, "never": "T-NOBODY00"})
    assert "never was answered as T-NOBODY00 and exists as []" in wrong
    assert not any(one.startswith("once") for one in wrong)
    people["olivia"].post("/v1/tickets", ticket_body | {"source": "once"})
    assert any(one.startswith(f"once was answered as {first} and exists as") for one in truth.broken({"once": first}))


def test_a_fence_that_goes_back_is_remembered(truth: Truth, worker: Worker, database: Databases) -> None:
    worker.publish()
    truth.unrest({})
    plant(database, "UPDATE refit_run SET fence = 0, attempt = 0")
    truth.unrest({})
    assert any("went back" in one for one in truth.broken({}))


def test_every_question_can_be_asked(truth: Truth) -> None:
    for query in (*UNREST.values(), *NEVER.values()):
        truth.one(query)
