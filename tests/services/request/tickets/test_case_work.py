"""Case work on tickets over HTTP: identity, holds, edits, duplicates, extensions, notices and escalations.

Each rule is tried both ways: what is allowed, and what is refused.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.request.tickets import escalations, identity_checks
from shared.artifacts.subject_material import open_material
from shared.core.clock import utc_now
from shared.crypto.keyring import KeyRing
from shared.db.models.tickets import LifecycleMove
from shared.db.repositories import ticket_duplicates
from shared.db.session import transaction
from shared.domain.ticket_lifecycle import TRANSITIONS
from shared.errors import Conflict, OnHold
from shared.storage.local import LocalStore
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.pictures import png

GROUND = {"ground": "consent_withdrawn", "names": ["Mara Lindqvist"]}
UNGUARDED = text("SET LOCAL session_replication_role = replica")  # the history is append-only, for everybody
WHY = {"reason": "a court asked for it"}


def filed(people: People, body: dict[str, Any], **more: Any) -> str:
    response = people["olivia"].post("/v1/tickets", body | more)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def refused(response: Any, status: int, code: str) -> str:
    assert (response.status_code, response.json()["type"].rsplit("/", 1)[-1]) == (status, code), response.text
    return str(response.json()["detail"])


def ago(**long: float) -> str:
    return (utc_now() - timedelta(**long)).isoformat()


def test_transitions_in_the_database_equal_those_in_the_domain(database: Databases) -> None:
    with transaction(database.engine("request")) as session:
        known = {(move.origin, move.target) for move in session.query(LifecycleMove)}
    assert known == {(origin, move.target) for move in TRANSITIONS.values() for origin in move.origins}


def test_doubted_identity_stops_clock_and_approval_until_verified(people: People, ticket_body: dict[str, Any]) -> None:
    ticket = filed(people, ticket_body)
    path = f"/v1/tickets/{ticket}/identity"
    doubted = people["olivia"].post(path, {"outcome": "doubted", "note": "the address is not known"}).json()
    assert (doubted["state"], doubted["identity"], doubted["clock"]) == ("identity_pending", "doubted", "paused")
    refused(people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND), 409, "conflict")
    refused(people["olivia"].post(path, {"outcome": "verified", "note": "seen"}), 422, "bad-input")
    body = {"outcome": "verified", "method": "id_document", "note": "seen"}
    verified = people["olivia"].post(path, body).json()
    assert (verified["state"], verified["clock"]) == ("under_review", "running")
    assert (verified["identity_by"], verified["identity_method"]) == ("olivia", "id_document")
    kinds = [event["kind"] for event in people["ada"].get(f"/v1/tickets/{ticket}/clock").json()["events"]]
    assert kinds == ["received", "paused", "resumed"]
    assert people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND).status_code == 200
    refused(people["olivia"].post(path, body), 409, "conflict")


def test_edit_replaces_material_and_excludes_the_editor_from_approval(
    people: People, ticket_body: dict[str, Any], store: LocalStore, keys: KeyRing, database: Databases
) -> None:
    ticket = filed(people, ticket_body)
    before = list(store.list("payloads/"))
    change = {"facts": [{"attribute": "city", "value": "Ulm"}, {"attribute": "pet", "value": "cat"}]}
    edited = people["adam"].patch(f"/v1/tickets/{ticket}", change).json()
    assert (edited["facts"], edited["photos"], edited["events"][-1]["kind"]) == (2, 1, "edited")
    after = list(store.list("payloads/"))
    assert len(after) == 1
    assert after != before
    assert "edited" in refused(people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND), 403, "four-eyes")
    with transaction(database.engine("admin")) as session:
        row = session.execute(text("SELECT id, payload_key, payload_wrapped_key, languages FROM ticket")).one()
    assert {fact.value for fact in open_material(store, keys, row).facts} == {"Ulm", "cat"}
    refused(people["adam"].patch(f"/v1/tickets/{ticket}", {}), 422, "bad-input")
    refused(
        people["adam"].patch(f"/v1/tickets/{ticket}", {"urgent": True}, **{"If-Match": '"1"'}),
        412,
        "precondition-failed",
    )
    people["olivia"].post(f"/v1/tickets/{ticket}/reject", {"code": "no_match", "note": "-"})
    refused(people["adam"].patch(f"/v1/tickets/{ticket}", {"urgent": True}), 409, "conflict")


def test_unproved_identity_expires_unless_held(
    people: People, ticket_body: dict[str, Any], database: Databases
) -> None:
    """It expires after the configured days of doubt, with a log leaf and a stopped clock. A CCPA clock runs on."""
    late, held, verified, fresh, ccpa = (
        filed(people, ticket_body, names=[name], **more)
        for name, more in (
            ("Ida", {}), ("Bo", {}), ("Eva", {}), ("Max", {}), ("Kim", {"regime": "ccpa", "received_at": ago(days=50)})
        )
    )  # fmt: skip
    for ticket in (late, held, verified, fresh, ccpa):
        people["olivia"].post(f"/v1/tickets/{ticket}/identity", {"outcome": "doubted", "note": "-"})
    people["olivia"].post(f"/v1/tickets/{held}/hold", WHY)
    seen = {"outcome": "verified", "method": "id_document", "note": "seen"}
    people["olivia"].post(f"/v1/tickets/{verified}/identity", seen)
    with transaction(database.engine("admin")) as session:
        session.execute(UNGUARDED)
        session.execute(
            text("UPDATE ticket_event SET at = at - interval '30 days' WHERE ticket_id <> :fresh"), {"fresh": fresh}
        )
    for wanted in (2, 0):
        with transaction(people.context.database) as session:
            assert identity_checks.expire_unverified(session, people.context.model_id, timedelta(days=30)) == wanted
    shown = {ticket["id"]: ticket for ticket in people["olivia"].get("/v1/tickets").json()["items"]}
    assert {shown[ticket_id]["state"] for ticket_id in (late, ccpa)} == {"expired"}
    assert (shown[late]["clock"], shown[held]["state"]) == ("stopped", "identity_pending")
    assert (shown[verified]["state"], shown[fresh]["state"]) == ("under_review", "identity_pending")
    with transaction(people.context.database) as session:
        leaves = session.execute(text("SELECT actor FROM log_leaf WHERE kind = 'ticket.expired'")).scalars().all()
    assert leaves == ["clerk", "clerk"]


def test_hold_is_released_by_two_people_only(people: People, ticket_body: dict[str, Any], database: Databases) -> None:
    ticket = filed(people, ticket_body)
    path = f"/v1/tickets/{ticket}"
    assert people["olivia"].post(f"{path}/hold", WHY).json()["hold"]["set_by"] == "olivia"
    refused(people["adam"].post(f"{path}/hold", WHY), 409, "conflict")
    refused(people["adam"].patch(path, {"names": ["Ida Borg"]}), 409, "legal-hold")
    shred = "UPDATE ticket SET payload_wrapped_key = NULL"
    with pytest.raises(OnHold), transaction(database.engine("request")) as session:
        session.execute(text(shred))
    people["olivia"].post(f"{path}/release", WHY)
    refused(people["olivia"].post(f"{path}/release", WHY), 403, "four-eyes")
    alone = "UPDATE ticket_hold SET released_by = 'olivia', released_at = now()"
    for other in ("olivia", "OLIVIA", "\u043elivia", "oliv\u200bia", "clerk"):
        with pytest.raises(Conflict, match="a second person"), transaction(database.engine("request")) as session:
            session.execute(text(alone.replace("olivia", other)))
    assert people["adam"].post(f"{path}/release", WHY).json()["hold"] is None
    refused(people["adam"].post(f"{path}/release", WHY), 409, "conflict")
    with transaction(database.engine("request")) as session:
        session.execute(
            text(
                "INSERT INTO disposal SELECT gen_random_uuid(), id, 'payload', payload_key, payload_sha256, 'a test', "
                "now(), now() FROM ticket"
            )
        )
        session.execute(text(shred))


def test_same_subject_filed_concurrently_is_one_duplicate(
    people: People, ticket_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two transactions at the same point: both have begun, neither has looked."""
    # FastAPI builds its routes at the first request, which two threads at once disturb.
    people["olivia"].get("/v1/tickets")
    meet = threading.Barrier(2, timeout=60)
    lock = ticket_duplicates.lock_subjects

    def together(*args: Any) -> None:
        meet.wait()
        lock(*args)

    monkeypatch.setattr(ticket_duplicates, "lock_subjects", together)
    with ThreadPoolExecutor(2) as pool:
        answers = [
            answer.json() for answer in pool.map(lambda _: people["olivia"].post("/v1/tickets", ticket_body), range(2))
        ]
    states = {answer["state"]: answer for answer in answers}
    assert set(states) == {"under_review", "duplicate"}
    assert states["duplicate"]["duplicate_of"] == states["under_review"]["id"]
    assert states["duplicate"]["clock"] == "stopped"


def test_namesake_is_marked_and_duplicate_can_be_distinguished(people: People, ticket_body: dict[str, Any]) -> None:
    filed(people, ticket_body)
    other = filed(people, ticket_body, facts=[{"attribute": "city", "value": "Ulm"}], photos=[png((9, 9, 90))])
    shown = people["olivia"].get(f"/v1/tickets/{other}").json()
    assert (shown["state"], shown["review_reason"]) == ("under_review", "possible_namesake")
    again = filed(people, ticket_body)
    apart = people["olivia"].post(f"/v1/tickets/{again}/distinguish", {"reason": "another birthday"}).json()
    assert (apart["state"], apart["duplicate_of"], apart["clock"]) == ("under_review", None, "running")


def test_extension_is_granted_once_inside_the_first_period(people: People, ticket_body: dict[str, Any]) -> None:
    ticket = filed(people, ticket_body, received_at=ago(days=20))
    answer = people["olivia"].post(f"/v1/tickets/{ticket}/extend", {"reason": "four hundred photographs"}).json()
    assert answer["due"]["extended"]
    assert "four hundred photographs" in answer["letter"]
    due = date.fromisoformat(answer["due"]["due"])
    assert f"until {due.day} {due:%B %Y} at the latest (Article 12(3) GDPR)" in answer["letter"]
    refused(people["olivia"].post(f"/v1/tickets/{ticket}/extend", WHY), 409, "too-late-to-extend")
    late = filed(people, ticket_body, names=["Ida Borg"], received_at=ago(days=50))
    refused(people["olivia"].post(f"/v1/tickets/{late}/extend", WHY), 409, "too-late-to-extend")
    refused(people["olivia"].post("/v1/tickets", ticket_body | {"received_at": ago(days=-1)}), 422, "bad-input")


def test_rejection_has_a_notice_to_the_person(people: People, ticket_body: dict[str, Any]) -> None:
    ticket = filed(people, ticket_body)
    refused(people["olivia"].get(f"/v1/tickets/{ticket}/letter"), 409, "conflict")
    body = {"code": "legal_claims", "note": "The dispute before the court is open."}
    assert people["olivia"].post(f"/v1/tickets/{ticket}/reject", body).json()["clock"] == "stopped"
    letter = people["ada"].get(f"/v1/tickets/{ticket}/letter").json()["letter"]
    for phrase in (body["note"], "Article 17(3)(e)", "supervisory authority", "judicial remedy", ticket):
        assert phrase in letter


def test_each_escalation_step_is_recorded_once(people: People, ticket_body: dict[str, Any]) -> None:
    model = people.context.model_id
    fresh = filed(people, ticket_body, names=["Ida Borg"])
    late = filed(people, ticket_body, received_at=ago(days=37), regime="ccpa", calendar="US-CA")  # of 45 to 48
    over = filed(people, ticket_body, names=["Bo Ek"], received_at=ago(days=60), regime="ccpa", calendar="US-CA")
    written = []
    for _ in range(2):
        with transaction(people.context.database) as session:
            written.append(escalations.escalate(session, model))
    assert written == [6, 0]
    listed = {ticket["id"]: ticket["escalation"] for ticket in people["olivia"].get("/v1/escalations").json()["items"]}
    assert listed == {over: 100, late: 75, fresh: None}
    notes = [
        e["note"]
        for e in people["olivia"].get(f"/v1/tickets/{late}").json()["events"]
        if e["kind"] == "clock.escalated"
    ]
    assert [note.split(" %")[0] for note in notes] == ["50", "75"]


def test_unknown_regime_or_calendar_is_refused(people: People, ticket_body: dict[str, Any]) -> None:
    for wrong in ({"regime": "hammurabi"}, {"calendar": "XX"}):
        refused(people["olivia"].post("/v1/tickets", ticket_body | wrong), 422, "bad-input")


@pytest.mark.parametrize(
    ("who", "method", "path"),
    [
        ("oscar", "post", "/v1/tickets/{ticket}/identity"),
        ("ada", "post", "/v1/tickets/{ticket}/hold"),
        ("casey", "get", "/v1/tickets/{ticket}/clock"),
        ("ada", "patch", "/v1/tickets/{ticket}"),
        ("oscar", "post", "/v1/erasers/0/break-glass"),
        ("olivia", "post", "/v1/erasers/0/forward"),
    ],
)
def test_case_work_without_the_role_is_refused(
    people: People, ticket_body: dict[str, Any], who: str, method: str, path: str
) -> None:
    bodies = {"identity": {"outcome": "doubted", "note": "-"}, "hold": WHY, "break-glass": WHY | {"minutes": 5}}
    client, path = people[who], path.format(ticket=filed(people, ticket_body))
    body = bodies.get(path.rsplit("/", 1)[-1], {})
    response = client.get(path) if method == "get" else getattr(client, method)(path, body)
    refused(response, 403, "forbidden")


def test_words_of_ordinary_questions_are_refused_as_names(people: People, ticket_body: dict[str, Any]) -> None:
    for name in ("the", "Who", "person", "Q", "...", "7", "\u2014"):
        answer = people["olivia"].post("/v1/tickets", ticket_body | {"names": ["Mara Lindqvist", name]})
        assert repr(name) in refused(answer, 422, "bad-input")
    ticket = filed(people, ticket_body)
    refused(people["olivia"].patch(f"/v1/tickets/{ticket}", {"names": ["who"]}), 422, "bad-input")
