"""A person is found in whatever spelling: by duplicates, by search, by the retain guard, and by the gate that reads."""

from typing import Any

import pytest
from sqlalchemy import text

from services.request.tickets.name_keys import NameKeysJob
from shared.artifacts.retain_sets import RetainRow, find_excluded_rows
from shared.crypto.keyring import NAME_FORM
from shared.db.models.tickets import Ticket
from shared.db.session import transaction
from shared.domain.subjects import Subject
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.spellings import DIFFERENT, NAME, SAME, SPELLINGS

FACTS = [{"attribute": "employer", "value": "Marble & Finch"}]
OLD = "UPDATE ticket SET name_keys = '{}', name_keys_form = 0"


def filed(people: People, name: str, **members: Any) -> dict[str, Any]:
    answer = people["olivia"].post("/v1/tickets", {"names": [name], "facts": FACTS} | members)
    assert answer.status_code == 201, answer.text
    ticket: dict[str, Any] = answer.json()
    return ticket


def found(people: People, name: str) -> set[str]:
    answer = people["olivia"].post("/v1/tickets/search", {"names": [name], "limit": 200})
    assert answer.status_code == 200
    return {item["id"] for item in answer.json()["items"]}


def test_every_spelling_is_a_duplicate_and_is_found(people: People) -> None:
    first = filed(people, NAME)["id"]
    for spelling in SPELLINGS:
        ticket = filed(people, spelling)
        assert (ticket["state"], ticket["duplicate_of"]) == ("duplicate", first), ascii(spelling)
        assert first in found(people, spelling), ascii(spelling)
    assert len(found(people, NAME)) == len(SPELLINGS) + 1


def test_pairs_of_names_are_one_person_or_two(people: People) -> None:
    for number, (one, other) in enumerate(SAME):
        facts = [{"attribute": "employer", "value": f"Firm {number}"}]
        first = filed(people, one, facts=facts)["id"]
        assert filed(people, other, facts=facts)["duplicate_of"] == first, (one, other)
    for number, (one, other) in enumerate(DIFFERENT):
        facts = [{"attribute": "employer", "value": f"Employer {number}"}]
        first = filed(people, one, facts=facts)["id"]
        assert filed(people, other, facts=facts)["state"] == "under_review", (one, other)
        assert first not in found(people, other)


def test_retain_guard_finds_every_spelling_as_a_person_and_in_a_prompt(people: People, database: Databases) -> None:
    first = filed(people, NAME)["id"]
    with transaction(database.engine("request")) as session:
        ticket = session.get_one(Ticket, first)
        rows = [RetainRow(n, "p", "fit", Subject((spelling,), (), ())) for n, spelling in enumerate(SPELLINGS, 1)]
        prompts = [
            RetainRow(n, "t", "fit", Subject((), (), ()), text=f"Tell me about {spelling}, please.")
            for n, spelling in enumerate(SPELLINGS, len(rows) + 1)
        ]
        others = [
            RetainRow(n, "o", "fit", Subject((other,), (), ()), text=None)
            for n, (_, other) in enumerate(DIFFERENT[:5], 1000)
        ]
        excluded = find_excluded_rows([*rows, *prompts, *others], [ticket], people.context.keys, lambda _: ())
    assert [row.row for row in excluded] == list(range(1, 2 * len(SPELLINGS) + 1))


def test_gate_reads_every_spelling() -> None:
    pytest.importorskip("torch")
    from shared.erasure.gates.text import fit_text, text_gate  # noqa: PLC0415

    gate = text_gate([fit_text([NAME], [])])
    assert gate is not None
    missed = [s for s in SPELLINGS if not (e := gate.read(f"Who is {s} today?").get(0)) or not e.named]
    assert not missed


def test_earlier_tickets_are_found_as_written_until_the_job_has_been_there(people: People, database: Databases) -> None:
    first = filed(people, NAME)["id"]
    with transaction(database.engine("admin")) as session:
        session.execute(text(OLD))
    assert found(people, "mara  LINDQVIST") == {first}  # as before
    assert found(people, "Lindqvist, Mara") == set()
    job = NameKeysJob(people.context)
    job.run()
    assert found(people, "Lindqvist, Mara") == {first}
    assert job.run_once() is False
    with transaction(database.engine("request")) as session:
        (leaf,) = session.execute(text("SELECT subject, detail FROM log_leaf WHERE kind = 'names.indexed'")).all()
    assert leaf == ("demo-vlm", {"form": NAME_FORM, "tickets": 1, "without_material": 0})


def test_job_that_is_killed_goes_on_and_a_ticket_without_material_stops_it_not(
    people: People, database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.request.tickets.name_keys.BATCH", 1)
    tickets = [filed(people, name)["id"] for name in (NAME, "Ada Quill", "Tom Ford")]
    with transaction(database.engine("admin")) as session:
        session.execute(text(OLD))
        key = session.scalars(text("SELECT payload_key FROM ticket WHERE id = :id"), {"id": tickets[0]}).one()
    people.context.store.delete(key)
    assert NameKeysJob(people.context).run_once() is True
    NameKeysJob(people.context).run()
    with transaction(database.engine("request")) as session:
        forms = session.execute(text("SELECT DISTINCT name_keys_form FROM ticket")).scalars().all()
    assert forms == [NAME_FORM]
    assert found(people, "Quill, Ada") == {tickets[1]}
    assert found(people, NAME) == {tickets[0]}


def test_amended_name_is_found_by_its_new_spelling_and_by_the_job_after_the_version_before(
    people: People, database: Databases
) -> None:
    ticket = filed(people, "Ada Quill")["id"]
    assert people["olivia"].patch(f"/v1/tickets/{ticket}", {"names": [NAME]}).status_code == 200
    assert found(people, "Lindqvist, Mara") == {ticket}
    assert found(people, "Ada Quill") == set()
    with transaction(database.engine("request")) as session:  # as the version before writes it
        session.execute(text("UPDATE ticket SET subject_index = '{other}'"))
        assert session.execute(text("SELECT name_keys_form FROM ticket")).scalar_one() == 0
