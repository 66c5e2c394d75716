"""The languages and attributes of a ticket: filed, imported, amended, defaulted, and read by the workers."""

import dataclasses
import json
from typing import Any

import pytest
from sqlalchemy import text

from services.request.context import ticket_languages
from services.request.imports.parsing import parse_rows
from shared.artifacts.subject_material import open_material
from shared.core.config import Settings
from shared.db.models.tickets import Ticket
from shared.db.session import transaction
from shared.domain.subjects import fact_key
from shared.errors import BadInput
from shared.storage.local import LocalStore
from tests.services.request.tickets.test_endpoints import filed, problem
from tests.support.api import People
from tests.support.databases import Databases

SENTENCE = "Anna Kowalska wurde 2019 in der Charité wegen einer Depression behandelt."


def languages_of(people: People, ticket: str) -> list[str]:
    shown: list[str] = people["olivia"].get(f"/v1/tickets/{ticket}").json()["languages"]
    return shown


def test_ticket_without_languages_is_asked_about_in_english(people: People, ticket_body: dict[str, Any]) -> None:
    assert "languages" not in ticket_body
    ticket = filed(people, ticket_body)
    assert languages_of(people, ticket) == ["en"]
    assert people["olivia"].get("/v1/tickets").json()["items"][0]["languages"] == ["en"]


def test_languages_reach_the_workers(
    people: People, ticket_body: dict[str, Any], database: Databases, store: LocalStore
) -> None:
    """Each once, in order; and the bytes of the payload are those of before."""
    ticket = filed(people, ticket_body, languages=["de", "en", "de"])
    assert languages_of(people, ticket) == ["de", "en"]
    with transaction(database.engine("refit")) as session:
        row = session.get_one(Ticket, ticket)
        assert open_material(store, people.context.keys, row).languages == ("de", "en")
        assert row.payload_wrapped_key is not None
        blob = people.context.keys.open(store.get(row.payload_key), row.payload_wrapped_key, row.payload_key)
    assert set(json.loads(blob)) == {"schema", "names", "photos", "facts"}


@pytest.mark.parametrize("codes", [["xx"], ["de-AT"], ["DE"], [""], ["de", "{s}"], [], ["de"] * 21, "de", [1]])
def test_unknown_language_is_refused_with_those_there_are(
    people: People, ticket_body: dict[str, Any], codes: Any
) -> None:
    detail = problem(people["olivia"].post("/v1/tickets", ticket_body | {"languages": codes}), 422, "bad-input")
    assert "languages" in detail
    if codes in (["xx"], ["de-AT"], ["DE"], []):
        assert "de, en, es, fr, it, pl" in detail


def test_languages_are_amended_before_the_decision(people: People, ticket_body: dict[str, Any]) -> None:
    ticket = filed(people, ticket_body)
    edited = people["adam"].patch(f"/v1/tickets/{ticket}", {"languages": ["pl"]}).json()
    assert edited["languages"] == ["pl"]
    assert edited["events"][-1]["note"] == "languages"
    assert people["adam"].patch(f"/v1/tickets/{ticket}", {"urgent": True}).json()["languages"] == ["pl"]
    problem(people["adam"].patch(f"/v1/tickets/{ticket}", {"languages": ["xx"]}), 422, "bad-input")
    assert languages_of(people, ticket) == ["pl"]


def test_setting_is_the_default_of_tickets_and_is_checked_at_the_start(
    people: People, ticket_body: dict[str, Any]
) -> None:
    settings = Settings(ticket_languages=" de, en ")
    context = dataclasses.replace(people.context, languages=ticket_languages(settings))
    assert context.languages == ("de", "en")
    assert ticket_languages(Settings()) == ("en",)
    for wrong in ("", "xx", "de;en"):
        with pytest.raises(BadInput, match="LACUNA_TICKET_LANGUAGES"):
            ticket_languages(Settings(ticket_languages=wrong))


def test_file_of_tickets_has_a_column_of_languages() -> None:
    rows = list(
        parse_rows(
            "names,fact.criminal record,languages\nAnna,fraud,de|en\nEva,fraud,\nIda,fraud,xx\nJan,theft, pl \n", "csv"
        )
    )
    assert [row.body.languages if row.body else None for row in rows] == [["de", "en"], None, None, ["pl"]]
    assert "de, en, es, fr, it, pl" in (rows[2].problem or "")
    assert rows[0].body is not None
    assert rows[0].body.facts[0].attribute == "criminal record"


@pytest.mark.parametrize(
    "attribute",
    ["criminal record", "Arbeitgeber seit 2019", "Straße", "fecha_de_nacimiento", "l'adresse", "住所", "имя"],
)
def test_attribute_in_words_and_fact_as_a_sentence_are_filed(
    people: People, ticket_body: dict[str, Any], database: Databases, store: LocalStore, attribute: str
) -> None:
    facts = [{"attribute": attribute, "value": SENTENCE}]
    ticket = filed(people, ticket_body, facts=facts)
    with transaction(database.engine("refit")) as session:
        (fact,) = open_material(store, people.context.keys, session.get_one(Ticket, ticket)).facts
    assert (fact.attribute, fact.value) == (attribute, SENTENCE)


@pytest.mark.parametrize("attribute", ["", " ", "{s}", "a\nb", "<b>", "___", "1234", "x" * 81, "a\u001bb", "Employer!"])
def test_attribute_that_is_no_name_is_refused(people: People, ticket_body: dict[str, Any], attribute: str) -> None:
    body = ticket_body | {"facts": [{"attribute": attribute, "value": "x"}]}
    assert "attribute" in problem(people["olivia"].post("/v1/tickets", body), 422, "bad-input")


def test_character_that_turns_the_direction_of_writing_is_left_out(people: People, ticket_body: dict[str, Any]) -> None:
    filed(people, ticket_body | {"facts": [{"attribute": "employer", "value": "x"}]})
    again = people["olivia"].post(
        "/v1/tickets", ticket_body | {"facts": [{"attribute": "em\u202eployer", "value": "x"}]}
    )
    assert again.json()["state"] == "duplicate"


def test_same_fact_in_words_and_in_snake_case_is_one(people: People, ticket_body: dict[str, Any]) -> None:
    """Keys of facts with attributes in snake case are what they were, so earlier tickets are still found."""
    assert fact_key("birth_date", "1 May 1980") == "birth_date=1 May 1980"
    assert fact_key("Criminal record", "x") == fact_key("criminal_record", "x")
    twice = [{"attribute": "criminal record", "value": "Fraud"}, {"attribute": "criminal_record", "value": "fraud"}]
    assert "twice" in problem(people["olivia"].post("/v1/tickets", ticket_body | {"facts": twice}), 422, "bad-input")
    first = filed(people, ticket_body, facts=twice[:1])
    second = filed(people, ticket_body, facts=twice[1:], external_ref="other")
    assert people["olivia"].get(f"/v1/tickets/{second}").json()["duplicate_of"] == first


def test_row_of_the_version_before_is_in_english(
    database: Databases, people: People, ticket_body: dict[str, Any]
) -> None:
    """It names no languages; and a row without any is refused."""
    ticket = filed(people, ticket_body)
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE ticket SET languages = DEFAULT"))
        assert session.get_one(Ticket, ticket).languages == ["en"]
    for wrong in ("'{}'", "'{NULL}'", "NULL"):
        with (
            pytest.raises(Exception, match=r"ticket_languages_check|not-null"),
            transaction(database.engine("admin")) as session,
        ):
            session.execute(text(f"UPDATE ticket SET languages = {wrong}"))  # noqa: S608 - from the list above
