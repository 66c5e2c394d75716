"""What was sealed for a change that is refused is destroyed; what was filed or changed stays, whatever happens."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from services.request.imports import jobs as imports_jobs
from services.request.imports.jobs import ImportJobRunner
from services.request.retention.jobs import Shredder
from services.request.retention.service import Retention
from services.request.tickets import intake
from shared.artifacts.subject_material import open_material
from shared.crypto.keyring import KeyRing
from shared.db.repositories import audit_log, tickets
from shared.db.session import transaction
from shared.errors import Conflict, LacunaError, StoreUnavailable, Unavailable
from shared.storage.local import LocalStore
from tests.services.request.imports.test_jobs import HEADER, sent
from tests.services.request.retention.test_service import ticket_of
from tests.support.api import People

DUPLICATES = "reopen_duplicates"  # the last step of an edit


class Sealed:
    """The payloads that are in the store, and the shredding keys that are in their folder."""

    def __init__(self, people: People, store: LocalStore, folder: Path) -> None:
        self.people, self.store, self.folder = people, store, folder

    def now(self) -> tuple[list[str], set[str]]:
        """Both, after a round of the control loop."""
        Shredder(self.people.control, Retention(timedelta(days=30))).run()
        return sorted(self.store.list("payloads/")), {file.name for file in self.folder.iterdir()}


@pytest.fixture
def sealed(people: People, store: LocalStore, shredding_folder: Path) -> Sealed:
    return Sealed(people, store, shredding_folder)


def test_refused_filing_leaves_neither_object_nor_key(
    people: People, sealed: Sealed, ticket_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two requests with one reference at once: the second is refused by the database, when its material is sealed."""
    body = ticket_body | {"source": "crm", "external_ref": "case-1"}
    assert people["olivia"].post("/v1/tickets", body).status_code == 201
    before = sealed.now()
    monkeypatch.setattr(intake, "_is_referenced", lambda *_: False)
    assert people["olivia"].post("/v1/tickets", body).status_code == 409
    assert sealed.now() == before


def test_filing_of_which_nobody_knows_whether_it_was_committed_stays(
    people: People,
    sealed: Sealed,
    store: LocalStore,
    keys: KeyRing,
    ticket_body: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection is lost when the transaction was committed: whoever destroyed the payload would lose a ticket."""
    run_once = "services.request.api.idempotency.Mutation.run_once"

    def lost(mutation: Any, work: Any) -> Any:
        with transaction(mutation.context.database) as session:
            work(session)
        raise Unavailable("The database cannot be reached.")

    with monkeypatch.context() as patched:
        patched.setattr(run_once, lost)
        assert people["olivia"].post("/v1/tickets", ticket_body).status_code == 503
    sealed.now()
    (ticket_id,) = (item["id"] for item in people["olivia"].get("/v1/tickets").json()["items"])
    assert list(open_material(store, keys, ticket_of(people, ticket_id)).names) == ["Mara Lindqvist"]


def test_key_that_a_ticket_needs_is_destroyed_for_nobody(
    people: People, sealed: Sealed, store: LocalStore, keys: KeyRing, ticket_body: dict[str, Any]
) -> None:
    """Not even where a request service says by mistake that it was abandoned."""
    ticket_id = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    before = sealed.now()
    ticket = ticket_of(people, ticket_id)
    with transaction(people.context.database) as session:
        key = ticket.payload_wrapped_key
        session.execute(select(func.abandon_key(ticket.tenant_id, ticket.payload_key, key)))
    assert sealed.now() == before
    assert list(open_material(store, keys, ticket).names) == ["Mara Lindqvist"]


def test_batch_that_another_control_loop_files_leaves_nothing(
    people: People, sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sent(people, HEADER + "Mara Lindqvist,Marble & Finch,,case-1\n").status_code == 202
    before = sealed.now()
    prepare = ImportJobRunner._prepare
    other = ImportJobRunner(replace(people.context))

    def interrupted(runner: ImportJobRunner, *what: Any) -> Any:
        monkeypatch.setattr(ImportJobRunner, "_prepare", prepare)
        assert other.run()
        return prepare(runner, *what)

    monkeypatch.setattr(imports_jobs, "THREADS", 1)
    monkeypatch.setattr(ImportJobRunner, "_prepare", interrupted)
    ImportJobRunner(people.context).run()
    objects, names = sealed.now()
    assert len(objects) == len(before[0]) + 1
    assert len(names) == len(before[1])  # that of the ticket, and no longer that of the file


def refused(*_: Any) -> None:
    raise Conflict("Refused after the sealing.")


@pytest.mark.parametrize("error", [Conflict, StoreUnavailable])
def test_refused_edit_leaves_neither_object_nor_key_and_the_ticket_as_it_was(
    people: People,
    sealed: Sealed,
    store: LocalStore,
    keys: KeyRing,
    ticket_body: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    error: type[LacunaError],
) -> None:
    """Both where something of the change is refused at its end, and where the store fails before that."""

    def fails(*_: Any) -> None:
        raise error("Refused after the sealing.")

    ticket_id = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    before = sealed.now()
    with monkeypatch.context() as patched:
        patched.setattr(tickets if error is Conflict else LocalStore, DUPLICATES if error is Conflict else "put", fails)
        answer = people["olivia"].patch(f"/v1/tickets/{ticket_id}", {"names": ["Mara Lind"]})
    assert answer.status_code == error.status
    assert sealed.now() == before
    assert list(open_material(store, keys, ticket_of(people, ticket_id)).names) == ["Mara Lindqvist"]
    assert people["olivia"].patch(f"/v1/tickets/{ticket_id}", {"names": ["Mara Lind"]}).status_code == 200
    objects, names = sealed.now()
    assert (len(objects), len(names)) == (len(before[0]), len(before[1]))  # new ones in the place of the old ones
    assert list(open_material(store, keys, ticket_of(people, ticket_id)).names) == ["Mara Lind"]


def test_refused_letter_and_refused_import_leave_nothing(
    people: People, sealed: Sealed, ticket_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket_id = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    before = sealed.now(), sorted(sealed.store.list("imports/"))
    with monkeypatch.context() as patched:
        patched.setattr(audit_log, "append_leaf", refused)
        letter = people["olivia"].post(f"/v1/tickets/{ticket_id}/letters", {"kind": "receipt", "text": "Hello."})
        assert (letter.status_code, sent(people, HEADER + "Mara,,,\n").status_code) == (409, 409)
    assert (sealed.now(), sorted(sealed.store.list("imports/"))) == before


def test_store_that_fails_leaves_no_key_of_any_row_of_an_import(
    people: People, sealed: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are sealed by several threads: those that were stored before the failure are abandoned too."""
    assert sent(people, HEADER + "".join(f"Person {row},Marble & Finch,,\n" for row in range(8))).status_code == 202
    before, put = sealed.now(), LocalStore.put

    def sometimes(store: LocalStore, key: str, blob: bytes) -> None:
        if len(list(store.list("payloads/"))) > 2:
            raise StoreUnavailable("The object store cannot be reached.")
        put(store, key, blob)

    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "put", sometimes)
        with pytest.raises(StoreUnavailable):
            ImportJobRunner(people.context).run()
    assert sealed.now() == before


def test_store_that_is_away_does_not_hide_why_a_filing_was_refused(
    people: People, store: LocalStore, ticket_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = ticket_body | {"source": "crm", "external_ref": "case-1"}
    people["olivia"].post("/v1/tickets", body)
    monkeypatch.setattr(intake, "_is_referenced", lambda *_: False)

    def away(_: LocalStore, __: str) -> None:
        raise StoreUnavailable("The object store cannot be reached.")

    monkeypatch.setattr(LocalStore, "delete", away)
    assert people["olivia"].post("/v1/tickets", body).json()["title"] == Conflict.title
