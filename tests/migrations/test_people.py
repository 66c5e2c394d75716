"""Migration 0020 makes a person of each name that looks different, and keeps every spelling as that person's."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from alembic import command

from migrations.run import alembic_config
from tests.support.databases import Databases, empty_database

NAME = "lacuna_people"
SPELLINGS = ["olivia", "OLIVIA", "\u043elivia", "oliv\u200bia", "0livia"]


@pytest.fixture
def before(database: Databases) -> Iterator[str]:
    """The address of a database of the version before, with people under several spellings."""
    with empty_database(database, NAME) as url:
        command.upgrade(alembic_config(url), "0019")
        with psycopg.connect(url) as old:
            fill(old)
        yield url


def fill(old: psycopg.Connection[Any]) -> None:
    old.execute("INSERT INTO tenant (id) VALUES ('default'), ('empty')")
    old.execute("INSERT INTO model (id, tenant_id, source) VALUES ('m', 'default', 's')")
    keys = [
        ("olivia", ["officer"]), ("OLIVIA", ["approver"]), ("adam", ["approver"]), ("Rosa B", ["admin"]),
        ("ada", ["auditor"]), ("ADA", ["officer"]), ("system \u202e", ["admin"]), ("oidc:u-17", ["officer"]),
    ]  # fmt: skip
    for owner, roles in keys:
        old.execute(
            "INSERT INTO api_key (id, tenant_id, owner, key_sha256, roles) VALUES (%s, 'default', %s, %s, %s)",
            (uuid.uuid4(), owner, owner, roles),
        )
    old.execute(
        "INSERT INTO ticket (id, tenant_id, model_id, state, source, subject_index, payload_key, payload_sha256, "
        "photos, facts, urgent, submitted_by, submitted_at, last_edited_by) VALUES "
        "('T-1', 'default', 'm', 'under_review', 'api', '{}', 'k', 's', 0, 1, false, 'olivia', now(), 'olivia')"
    )
    for actor in (*SPELLINGS, "clerk", "oidc:only"):
        old.execute(
            "INSERT INTO ticket_event (ticket_id, at, actor, state) VALUES ('T-1', now(), %s, 'received')", (actor,)
        )


def test_each_skeleton_is_one_person_with_all_spellings(before: str) -> None:
    command.upgrade(alembic_config(before), "0020")
    with psycopg.connect(before) as now:
        people = {name: (id_, roles) for id_, name, roles in now.execute("SELECT id, name, roles FROM person")}
        owners: dict[str, uuid.UUID] = dict(now.execute("SELECT owner, person_id FROM api_key"))
        spellings: dict[str, uuid.UUID] = dict(now.execute("SELECT name, person_id FROM person_name"))
        subjects: dict[str, uuid.UUID] = dict(now.execute("SELECT subject, person_id FROM person_subject").fetchall())
        set_up: dict[str, bool] = dict(now.execute("SELECT id, set_up_at IS NOT NULL FROM tenant").fetchall())
    olivia = people["olivia"][0]
    assert {spellings[name] for name in SPELLINGS} == {olivia}
    assert sorted(people["olivia"][1]) == ["approver", "officer"]
    assert owners["OLIVIA"] == owners["olivia"] == olivia
    assert "clerk" not in spellings
    placeholder = next(name for name, (id_, _) in people.items() if id_ == owners["system \u202e"])
    assert placeholder.startswith("account ")
    assert {name for name in people if name != placeholder} == {
        "olivia", "adam", "rosa b", "ada", "oidc:u-17", "oidc:only"
    }  # fmt: skip
    assert people["ada"][1] == ["auditor"]  # and not an officer's: these exclude each other
    assert subjects == {"u-17": people["oidc:u-17"][0], "only": people["oidc:only"][0]}
    assert set_up == {"default": True, "empty": False}


@pytest.mark.parametrize("approver", [*SPELLINGS, "clerk", "nobody"])
def test_ticket_of_then_is_not_approved_under_another_spelling(before: str, approver: str) -> None:
    command.upgrade(alembic_config(before), "0020")
    decide = "UPDATE ticket SET state = 'approved', decided_by = %s, decided_at = now(), ground = 'x'"
    with psycopg.connect(before) as now:
        with pytest.raises(psycopg.Error, match="neither filed nor edited"), now.transaction():
            now.execute(decide, (approver,))
        with pytest.raises(psycopg.Error, match="in force without a decision"), now.transaction():
            now.execute("UPDATE ticket SET state = 'approved'")
        with now.transaction():
            now.execute(decide, ("adam",))
