"""What takes a wrapped key away leaves its shredding key to the control loop, which destroys it whatever happens."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.request.retention import service as retention_service
from services.request.retention.existing_keys import ExistingKeysJob
from services.request.retention.jobs import Shredder
from services.request.retention.service import Retention
from shared.artifacts.subject_material import open_material
from shared.crypto import shredding_keys
from shared.crypto.keyring import KeyRing
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import Conflict, KeysUnavailable, NeedsResubmission, StoreUnavailable
from shared.storage.local import LocalStore
from tests.services.request.retention.test_service import erased, show, ticket_of  # noqa: F401
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.workers import Worker

NOW = Retention(timedelta(0))


def run(people: People) -> None:
    """A round of the job, in a process that has just started."""
    Shredder(people.control, NOW).run()


def name_of(wrapped_key: bytes | None) -> str:
    key = shredding_keys.parse(bytes(wrapped_key or b""))
    assert key is not None
    return key.name


def waiting(people: People) -> list[str]:
    """The objects whose shredding keys are still to be destroyed."""
    with transaction(people.control_database) as session:
        query = text("SELECT object FROM retired_key WHERE destroyed_at IS NULL ORDER BY id")
        return list(session.scalars(query))


def kinds(people: People, ticket: str) -> list[str]:
    with transaction(people.control_database) as session:
        query = text("SELECT kind FROM log_leaf WHERE subject = :ticket AND kind ~ '^(payload|kit|rows)' ORDER BY id")
        return list(session.scalars(query, {"ticket": ticket}))


def away(*_: Any) -> None:
    raise KeysUnavailable("The folder of shredding keys cannot be written.")


def test_crash_before_the_shredding_key_is_destroyed_is_finished_by_the_next_round(
    people: People,
    store: LocalStore,
    erased: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Meanwhile nothing says that it was destroyed, and its object stays."""
    before = ticket_of(people, erased)
    with monkeypatch.context() as patched:
        patched.setattr(KeyRing, "shred", away)
        with pytest.raises(KeysUnavailable):
            run(people)
    assert waiting(people) == ["payload"]
    assert kinds(people, erased) == ["payload.shredding_begun"]
    disposal = show(people, erased)["disposals"][0]
    assert (disposal["key_destroyed_at"], disposal["removed_at"]) == (None, None)
    assert store.exists(before.payload_key)
    assert open_material(store, people.context.keys, ticket_of(people, erased)).names == ("Mara Lindqvist",)  # the kit
    run(people)
    assert waiting(people) == []
    assert kinds(people, erased) == ["payload.shredding_begun", "payload.destroyed", "payload.removed"]
    with pytest.raises(NeedsResubmission, match="was destroyed"):
        people.context.keys.wrapping_key_name(before.payload_wrapped_key or b"")


def test_crash_after_the_shredding_key_is_destroyed_is_finished_by_the_next_round(
    people: People,
    store: LocalStore,
    erased: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = name_of(ticket_of(people, erased).payload_wrapped_key)
    with monkeypatch.context() as patched:
        patched.setattr(retention_service, "_record_destruction", away)
        with pytest.raises(KeysUnavailable):
            run(people)
    assert waiting(people) == ["payload"]
    people.context.keys.shred(name)
    run(people)
    assert waiting(people) == []
    assert show(people, erased)["disposals"][0]["removed_at"] is not None


def test_crash_in_the_transaction_that_takes_the_key_leaves_the_ticket_readable(
    people: People,
    store: LocalStore,
    erased: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lost(*_: Any) -> None:
        raise StoreUnavailable("The transaction is lost.")

    with monkeypatch.context() as patched:
        patched.setattr(audit_log, "append_leaf", lost)
        with pytest.raises(StoreUnavailable):
            run(people)
    assert waiting(people) == []
    assert open_material(store, people.context.keys, ticket_of(people, erased)).names == ("Mara Lindqvist",)
    run(people)
    assert show(people, erased)["payload"] == "shredded"
    assert open_material(store, people.context.keys, ticket_of(people, erased)).names == ("Mara Lindqvist",)


def test_keys_of_edited_material_and_of_fits_and_imports_are_destroyed(
    people: People, worker: Worker, database: Databases, ticket_body: dict[str, Any]
) -> None:
    ticket = str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])
    first = ticket_of(people, ticket)
    answer = people["olivia"].patch(f"/v1/tickets/{ticket}", {"names": ["Mara Lindqvist", "Mara Lind"]})
    assert answer.status_code == 200, answer.text
    assert waiting(people) == ["payload"]
    with transaction(database.engine("admin")) as session:
        sealed = people.context.keys.seal(b"fit", "rows/1", shreddable=True)
        session.execute(
            text("INSERT INTO fit_rows VALUES ('demo-vlm', :ticket, 'd', 'rows/1', 'sha', :key, now())"),
            {"ticket": ticket, "key": sealed.wrapped_key},
        )
        session.execute(text("UPDATE fit_rows SET wrapped_key = NULL"))
    line = b'{"names": ["Ola Nordmann"], "facts": [{"attribute": "city", "value": "Oslo"}]}'
    head = {"Authorization": f"Bearer {people.keys['olivia']}", "Content-Type": "application/x-ndjson"}
    job = people.app.post("/v1/imports", content=line, headers=head)
    assert job.status_code == 202, job.text
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE import_job SET wrapped_key = NULL"))
    assert waiting(people) == ["payload", "rows", "import"]
    run(people)
    assert waiting(people) == []
    assert kinds(people, ticket) == ["rows.destroyed"]  # what was replaced by an edit is not the ticket's material
    for wrapped in (first.payload_wrapped_key, sealed.wrapped_key):
        with pytest.raises(NeedsResubmission):
            people.context.keys.wrapping_key_name(wrapped or b"")


def test_key_that_another_row_needs_is_not_destroyed(
    people: People, database: Databases, ticket_body: dict[str, Any], store: LocalStore
) -> None:
    """Whoever takes the role of the request API over cannot have another ticket's key destroyed."""
    victim = str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])
    other = str(people["olivia"].post("/v1/tickets", ticket_body | {"names": ["Else Ek"]}).json()["id"])
    key = ticket_of(people, victim).payload_wrapped_key
    with transaction(database.engine("request")) as session:
        for number, wrapped in enumerate((key, b"another")):
            session.execute(
                text("UPDATE ticket SET payload_key = :object, payload_wrapped_key = :key WHERE id = :other"),
                {"object": f"elsewhere/{number}", "key": wrapped, "other": other},
            )
    run(people)
    assert waiting(people) == ["payload"]
    assert open_material(store, people.context.keys, ticket_of(people, victim)).names == ("Mara Lindqvist",)
    people["adam"].post(f"/v1/tickets/{victim}/reject", {"code": "no_match", "note": "-"})
    run(people)
    assert waiting(people) == []
    assert show(people, victim)["disposals"][0]["removed_at"] is not None


def test_keys_are_destroyed_while_the_object_store_is_away(
    people: People,
    erased: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(KeyRing, "shred", away)
        with pytest.raises(KeysUnavailable):
            run(people)

    def store_away(*_: Any) -> None:
        raise StoreUnavailable("The object store cannot be reached.")

    monkeypatch.setattr(retention_service, "due_for_shredding", store_away)
    with pytest.raises(StoreUnavailable):
        run(people)
    assert waiting(people) == []
    assert kinds(people, erased) == ["payload.shredding_begun", "payload.destroyed"]


def test_earlier_tickets_get_shredding_keys_also_under_a_legal_hold(
    people: People,
    store: LocalStore,
    erased: str,  # noqa: F811
    database: Databases,
) -> None:
    plain = KeyRing(bytes(range(32))).seal(store_bytes(people, store, erased), ticket_of(people, erased).payload_key)
    with transaction(database.engine("admin")) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE ticket SET payload_wrapped_key = :key"), {"key": plain.wrapped_key})
    store.put(ticket_of(people, erased).payload_key, plain.blob)
    people["olivia"].post(f"/v1/tickets/{erased}/hold", {"reason": "a court asked for it"})
    statement = text("UPDATE ticket SET payload_wrapped_key = :key")
    shreddable = people.context.keys.make_shreddable(plain.wrapped_key)
    with pytest.raises(Conflict, match="key rotation alone"), transaction(database.engine("request")) as session:
        session.execute(statement, {"key": shreddable})
    job = ExistingKeysJob(people.control)
    job.run()
    after = ticket_of(people, erased)
    assert name_of(after.payload_wrapped_key)
    assert open_material(store, people.context.keys, after).names == ("Mara Lindqvist",)
    assert waiting(people) == []
    with transaction(people.control_database) as session:
        leaf = text("SELECT detail->>'keys' FROM log_leaf WHERE kind = 'keys.made_shreddable'")
        assert session.scalars(leaf).all() == ["1"]
    job._next_at = 0.0
    job.run()
    with pytest.raises(Conflict, match="key rotation alone"), transaction(people.control_database) as session:
        session.execute(statement, {"key": plain.wrapped_key})


def store_bytes(people: People, store: LocalStore, ticket: str) -> bytes:
    """The opened payload of the ticket."""
    row = ticket_of(people, ticket)
    return people.context.keys.open(store.get(row.payload_key), row.payload_wrapped_key or b"", row.payload_key)


def test_ticket_that_had_no_shredding_key_is_shredded_all_the_same(
    people: People,
    store: LocalStore,
    erased: str,  # noqa: F811
    database: Databases,
) -> None:
    plain = KeyRing(bytes(range(32))).seal(store_bytes(people, store, erased), ticket_of(people, erased).payload_key)
    with transaction(database.engine("admin")) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE ticket SET payload_wrapped_key = :key"), {"key": plain.wrapped_key})
    store.put(ticket_of(people, erased).payload_key, plain.blob)
    run(people)
    assert show(people, erased)["payload"] == "shredded"
    assert kinds(people, erased) == ["payload.shredding_begun", "payload.destroyed", "payload.removed"]


@pytest.mark.parametrize(
    ("role", "statement", "says"),
    [
        ("request", "UPDATE retired_key SET destroyed_at = now()", "permission denied"),
        ("request", "INSERT INTO retired_key (name) VALUES ('x')", "permission denied"),
        ("request", "SELECT retire_key('default', 'payload', 'T', 'o', 's', 'shred:a', NULL)", "permission denied"),
        ("control", "UPDATE retired_key SET name = 'x'", "permission denied"),
        ("control", "DELETE FROM retired_key", "permission denied"),
        ("admin", "UPDATE retired_key SET destroyed_at = NULL", "recorded once"),
        ("admin", "DELETE FROM retired_key", "append-only"),
        ("control", "UPDATE disposal SET key_destroyed_at = now()", "not destroyed yet"),
    ],
)
def test_record_of_keys_is_kept_by_the_database(
    people: People,
    erased: str,  # noqa: F811
    database: Databases,
    monkeypatch: pytest.MonkeyPatch,
    role: str,
    statement: str,
    says: str,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(KeyRing, "shred", away)
        with pytest.raises(KeysUnavailable):
            run(people)
    with pytest.raises(Exception, match=says), transaction(database.engine(role)) as session:
        session.execute(text(statement))
