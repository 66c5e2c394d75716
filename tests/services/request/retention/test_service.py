"""Retention: payloads go after the grace period, kits when a ticket is over, and nothing that is held or needed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.request.erasers import promotions
from services.request.retention import service as retention_service
from services.request.retention.jobs import Shredder
from services.request.retention.service import DueObject, Retention
from services.request.tickets import progress
from shared.artifacts.subject_material import KIT_SIDE, open_material
from shared.db.models.tickets import Ticket
from shared.db.session import transaction
from shared.errors import Conflict, NeedsResubmission, OnHold, StoreUnavailable
from shared.storage.local import LocalStore
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.pictures import png
from tests.support.workers import Worker

GROUND = {"ground": "consent_withdrawn", "names": ["Mara Lindqvist"]}
NOW = Retention(timedelta(0))


def run_jobs(people: People) -> None:
    for step in (promotions.promote_passed, progress.move_tickets):
        with transaction(people.context.database) as session:
            step(session, people.context.model_id)


def shred(people: People, keep: Retention = NOW, store: Any = None) -> list[DueObject]:
    """One run of the job; what was due."""
    context = replace(people.control, store=store or people.context.store)
    with transaction(context.database) as session:
        due = retention_service.due_for_shredding(session, context.model_id, keep)
    Shredder(context, keep).run()
    return due


def ticket_of(people: People, ticket: str) -> Ticket:
    with transaction(people.context.database) as session:
        return session.get_one(Ticket, ticket)


def show(people: People, ticket: str) -> dict[str, Any]:
    answer: dict[str, Any] = people["olivia"].get(f"/v1/tickets/{ticket}").json()
    return answer


@pytest.fixture
def erased(people: People, worker: Worker, ticket_body: dict[str, Any]) -> str:
    """A ticket that is completed."""
    body = ticket_body | {"urgent": True, "photos": [png(size=(900, 600))]}
    ticket = str(people["olivia"].post("/v1/tickets", body).json()["id"])
    assert people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND).status_code == 200
    worker.publish(ticket)
    run_jobs(people)
    worker.serve(1, 0)
    run_jobs(people)
    assert show(people, ticket)["state"] == "completed"
    return ticket


def test_payload_key_is_destroyed_after_the_grace_period_and_a_kit_stays(
    people: People, store: LocalStore, erased: str
) -> None:
    """Not earlier. Payload and key are gone then, and the kit has the same person in small pictures."""
    before = ticket_of(people, erased)
    blob = store.get(before.payload_key)
    assert shred(people, Retention(timedelta(days=30))) == []
    assert shred(people) == [DueObject(erased, "payload")]
    after = ticket_of(people, erased)
    assert (after.payload_wrapped_key, list(store.list("payloads/"))) == (None, [])
    assert list(store.list("kits/")) == [after.kit_key]
    person = open_material(store, people.context.keys, after)
    assert (person.names, person.facts[0].accept) == (("Mara Lindqvist",), ("Marble & Finch", "Marble and Finch"))
    assert max(person.photos[0].size) == KIT_SIDE
    seen = show(people, erased)
    assert (seen["payload"], seen["kit"], seen["events"][-1]["kind"]) == ("shredded", True, "payload.destroyed")
    assert (seen["disposals"][0]["sha256"], seen["disposals"][0]["reason"]) == (before.payload_sha256, "completed")
    steps = [seen["disposals"][0][step] for step in ("begun_at", "key_destroyed_at", "removed_at")]
    assert steps == sorted(steps)
    with transaction(people.context.database) as session:
        leaf = session.execute(text("SELECT detail FROM log_leaf WHERE kind = 'payload.destroyed'")).scalar_one()
    assert leaf == {"object": before.payload_key, "sha256": before.payload_sha256}
    assert shred(people) == []
    kit_key = after.kit_wrapped_key or b""
    with pytest.raises(Exception, match="cannot be opened"):
        people.context.keys.open(blob, kit_key, before.payload_key)


def test_held_ticket_is_not_shredded(people: People, store: LocalStore, erased: str) -> None:
    path = f"/v1/tickets/{erased}"
    people["olivia"].post(f"{path}/hold", {"reason": "a court asked for it"})
    assert shred(people) == []
    with pytest.raises(OnHold), transaction(people.context.database) as session:
        retention_service.shred_key(session, store, people.context.keys, erased, "payload")
    assert show(people, erased)["payload"] == "sealed"
    for who in ("olivia", "adam"):
        people[who].post(f"{path}/release", {"reason": "the court is done"})
    assert shred(people) == [DueObject(erased, "payload")]


def test_payload_that_is_still_needed_is_not_destroyed(
    people: People, store: LocalStore, ticket_body: dict[str, Any]
) -> None:
    ticket = str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])
    assert shred(people) == []
    with pytest.raises(Conflict, match="still needed"), transaction(people.context.database) as session:
        retention_service.shred_key(session, store, people.context.keys, ticket, "payload")


def test_rejected_ticket_keeps_neither_payload_nor_kit(
    people: People, store: LocalStore, ticket_body: dict[str, Any]
) -> None:
    ticket = str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])
    people["adam"].post(f"/v1/tickets/{ticket}/reject", {"code": "no_match", "note": "-"})
    assert shred(people) == [DueObject(ticket, "payload")]
    assert list(store.list("")) == []
    with pytest.raises(NeedsResubmission, match="no audit kit"):
        open_material(store, people.context.keys, ticket_of(people, ticket))


def test_kit_is_destroyed_after_withdrawal_and_after_its_own_retention(
    people: People, store: LocalStore, erased: str
) -> None:
    shred(people)
    assert shred(people, Retention(timedelta(0), kit=timedelta(days=1))) == []
    people["adam"].post(f"/v1/tickets/{erased}/withdraw", {"note": "asked to"})
    assert people["olivia"].post(f"/v1/tickets/{erased}/hold", {"reason": "a court"}).status_code == 200
    assert shred(people) == []
    for who in ("olivia", "adam"):
        people[who].post(f"/v1/tickets/{erased}/release", {"reason": "the court is done"})
    assert shred(people) == [DueObject(erased, "kit")]
    assert list(store.list("")) == []
    assert {disposal["object"] for disposal in show(people, erased)["disposals"]} == {"payload", "kit"}


def test_unreachable_store_delays_the_object_and_not_the_key(
    people: People, store: LocalStore, erased: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_self: Any, _key: str) -> None:
        raise StoreUnavailable("The object store cannot be reached.")

    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "delete", away)
        with pytest.raises(StoreUnavailable):
            shred(people)
    seen = show(people, erased)
    assert (seen["payload"], seen["disposals"][0]["removed_at"]) == ("shredded", None)
    assert list(store.list("payloads/")) != []
    shred(people)
    assert list(store.list("payloads/")) == []


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE ticket SET payload_wrapped_key = NULL", "without a disposal record"),
        ("UPDATE disposal SET sha256 = ''", "permission denied"),
        ("DELETE FROM disposal", "permission denied"),
    ],
)
def test_destruction_without_a_proof_is_refused_by_the_database(
    people: People, erased: str, statement: str, says: str
) -> None:
    with pytest.raises(Exception, match=says), transaction(people.context.database) as session:
        session.execute(text(statement))


def test_destroyed_key_cannot_be_restored(people: People, database: Databases, erased: str) -> None:
    key = ticket_of(people, erased).payload_wrapped_key
    shred(people)
    with pytest.raises(Exception, match="was destroyed"), transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE ticket SET payload_wrapped_key = :key"), {"key": key})
