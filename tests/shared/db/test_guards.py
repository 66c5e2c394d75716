"""What the database refuses on its own, whichever role asks: it does not take our services' word for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.request.audit_log.sequencer import Sequencer
from services.request.key_rotation.jobs import RewrapJob
from shared.crypto.keyring import KeyRing
from shared.crypto.shredding_keys import FolderKeys
from shared.db.models.transparency import LogLeaf
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import Conflict, OnHold
from shared.transparency.merkle_tree import leaf_hash
from tests.support.api import People
from tests.support.databases import Databases

ROLES = ("request", "control")
DETAILS: tuple[dict[str, Any], ...] = (
    {},
    {"b": 1, "a": [1, -2, {"z": None, "é": True, "A": False}], "ab": "x"},
    {"text": 'quotes " and \\ and / and \n\r\t\b\f and \x01\x1f\x7f and ü李🎈\u2028'},
    {"": "", "numbers": [0, -1, 2**53, 10**30], "nested": {"a": {"b": []}}},
    {"float": 0.1, "other": [1e-9, 2.0]},  # written differently: not compared
)


def refused(databases: Databases, role: str, statement: str, message: str, error: type[Exception] = Conflict) -> None:
    with pytest.raises(error, match=message), transaction(databases.engine(role)) as session:
        session.execute(text(statement))


@pytest.fixture
def held(people: People, ticket_body: dict[str, Any]) -> str:
    """A ticket under a legal hold."""
    ticket = str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])
    assert people["olivia"].post(f"/v1/tickets/{ticket}/hold", {"reason": "a lawsuit"}).status_code == 200
    return ticket


def test_database_computes_the_hash_of_a_leaf_as_the_log_does(
    people: People, database: Databases, sequencer: Sequencer
) -> None:
    with transaction(database.engine("request")) as session:
        for number, detail in enumerate(DETAILS):
            audit_log.append_leaf(session, 'olivia\'s "own" ü', "ticket.received", f"T-{number}\n", detail)
    assert sequencer.run_once() == 1 + len(DETAILS)
    with transaction(database.engine("request")) as session:
        for leaf in session.query(LogLeaf).order_by(LogLeaf.id):
            computed = session.scalar(text(f"SELECT leaf_hash_of(log_leaf) FROM log_leaf WHERE id = {leaf.id}"))  # noqa: S608
            expected = None if "float" in leaf.detail else leaf_hash(audit_log.leaf_bytes(leaf))
            assert computed == expected, leaf.detail


@pytest.mark.parametrize("role", ["control", "admin"])
def test_leaf_with_the_hash_of_another_or_out_of_place_is_refused(
    people: People, database: Databases, sequencer: Sequencer, happen: Callable[[int], None], role: str
) -> None:
    sequencer.run_once()
    happen(2)
    place = "UPDATE log_leaf SET position = {at}, leaf_hash = {hash} WHERE id = (SELECT max(id) FROM log_leaf)"
    another = "(SELECT leaf_hash_of(other) FROM log_leaf AS other ORDER BY id LIMIT 1)"
    refused(database, role, place.format(at=1, hash=another), "that of another")
    refused(database, role, place.format(at=1, hash="sha256('')"), "that of another")
    refused(database, role, place.format(at=7, hash="leaf_hash_of(log_leaf)"), "follow one another")
    refused(database, role, place.format(at=2**53, hash="leaf_hash_of(log_leaf)"), "follow one another")
    assert sequencer.run_once() == 2


@pytest.mark.parametrize("role", ["control", "admin"])
@pytest.mark.parametrize("size", [2, 2**53, 2**63 - 1])
def test_checkpoint_over_leaves_that_there_are_not_is_refused(
    people: People, database: Databases, sequencer: Sequencer, role: str, size: int
) -> None:
    sequencer.run_once()
    insert = f"INSERT INTO log_checkpoint VALUES ({size}, sha256(''), 'x', now())"  # noqa: S608
    refused(database, role, insert, "covers leaves that there are")


@pytest.mark.parametrize("role", ROLES)
def test_key_of_held_material_is_not_written_over(held: str, database: Databases, role: str) -> None:
    garbage = "UPDATE ticket SET payload_wrapped_key = '\\x00'"
    refused(database, role, garbage, "key rotation alone")
    refused(database, role, "UPDATE ticket SET payload_sha256 = 'x'", "key rotation alone")
    refused(database, role, f"{garbage}, payload_key = 'elsewhere'", "legal hold", OnHold)
    refused(database, role, "UPDATE ticket SET payload_wrapped_key = NULL", "legal hold", OnHold)


def test_key_rotation_wraps_held_material_anew_under_the_role_of_the_control_loop_alone(
    people: People, held: str, database: Databases, keys: KeyRing, shredding_folder: Path
) -> None:
    assert people["rosa"].post("/v1/rewraps").status_code == 202
    refused(database, "request", "UPDATE ticket SET payload_wrapped_key = '\\x00'", "key rotation alone")
    shredding = FolderKeys(shredding_folder)
    new = KeyRing(bytes(range(1, 33)), old=[bytes(range(32))], index=bytes(range(32)), shredding=shredding)
    RewrapJob(database.engine("control"), people.context.store, new).run()
    with transaction(database.engine("request")) as session:
        wrapped = session.scalar(text("SELECT payload_wrapped_key FROM ticket"))
    assert new.wrapping_key_name(bytes(wrapped)) == new.current_wrapping_key()


@pytest.mark.parametrize("role", ROLES)
def test_ticket_in_force_or_rejected_without_a_decision_is_refused(
    people: People, ticket_body: dict[str, Any], database: Databases, role: str
) -> None:
    people["olivia"].post("/v1/tickets", ticket_body)
    refused(database, role, "UPDATE ticket SET state = 'approved'", "without a decision")
    refused(database, role, "UPDATE ticket SET state = 'rejected'", "without a decision")
    decided = "decided_by = 'nobody', decided_at = now(), decision_code = 'no_match'"
    refused(database, role, f"UPDATE ticket SET state = 'rejected', {decided}", "without a decision")  # noqa: S608


@pytest.mark.parametrize("table", ["ticket_event", "promotion", "person", "person_name", "material_check"])
def test_history_is_deleted_by_no_role(people: People, database: Databases, table: str) -> None:
    refused(database, "admin", f"DELETE FROM {table}", "append-only")  # noqa: S608


def test_certificate_of_a_ticket_that_is_not_completed_is_refused(held: str, database: Databases) -> None:
    insert = (
        "INSERT INTO certificate (id, ticket_id, number, status, reason, sha256, envelope, issued_at) "  # noqa: S608
        f"VALUES (gen_random_uuid(), '{held}', {{number}}, 'suspended', 'x', 'x', '{{{{}}}}', now())"
    )
    refused(database, "control", insert.format(number=7), "follow one another")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE person SET roles = '{admin}'",
        "UPDATE api_key SET revoked_at = now()",
        "INSERT INTO access_grant (id) VALUES (gen_random_uuid())",
        "UPDATE access_grant SET confirmed_at = now()",
        "UPDATE kit_access SET allowed_at = now()",
        "UPDATE restore_acceptance SET confirmed_at = now()",
        "UPDATE break_glass SET confirmed_at = now()",
        "INSERT INTO rewrap (id) VALUES (gen_random_uuid())",
        "UPDATE tenant SET set_up_at = NULL",
    ],
)
def test_control_loop_gives_nobody_access(people: People, database: Databases, statement: str) -> None:
    refused(database, "control", statement, "permission denied", Exception)
