"""People: names that look like another's are refused, and one administrator is not two people."""

import uuid
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from services.request.bootstrap import bootstrap
from shared.db.models.transparency import LogLeaf
from shared.db.session import transaction
from shared.domain.accounts import INITIAL_ACCOUNTS
from shared.errors import Conflict
from tests.support.api import MODEL, People
from tests.support.databases import Databases

GROUND = {"ground": "consent_withdrawn", "names": ["Mara Lindqvist"]}


def problem(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["type"]) == (status, f"/v1/problems/{code}"), answer.text


def leaves(engine: Engine, kind: str) -> list[dict[str, Any]]:
    with transaction(engine) as session:
        return list(session.scalars(select(LogLeaf.detail).where(LogLeaf.kind == kind).order_by(LogLeaf.id)))


def person_id(people: People, name: str) -> str:
    return next(str(each["id"]) for each in people["rosa"].get("/v1/people").json()["items"] if each["name"] == name)


@pytest.mark.parametrize(
    "name", ["olivia", "OLIVIA", "Olivia", "0livia", "o1ivia", "ol\u0456via", "ｏｌｉｖｉａ", "a\u0501am", "adarn"]
)
def test_name_that_looks_like_another_is_refused(people: People, name: str) -> None:
    answer = people["rosa"].post("/v1/people", {"name": name, "roles": ["approver"]})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) in ((409, "conflict"), (422, "bad-input"))


@pytest.mark.parametrize(
    "name",
    ["o\u200blivia", "pa\u00adula", "pau\x1bla", "pau\u3164la", "<b>", "=1+1", "-x", "clerk", "SYSTEM",
     "c1erk", "sys-tem", "lacuna", "control loop", "x" * 81, "\u115f"],
)  # fmt: skip
def test_name_outside_the_alphabet_or_of_the_system_is_refused(people: People, name: str) -> None:
    problem(people["rosa"].post("/v1/people", {"name": name, "roles": ["approver"]}), 422, "bad-input")


def test_person_is_added_when_a_second_administrator_confirms(people: People) -> None:
    asked = people["rosa"].post("/v1/people", {"name": "Paula Berg", "roles": ["officer"]})
    assert (asked.status_code, asked.json()["state"], asked.json()["name"]) == (202, "asked", "paula berg")
    names = [person["name"] for person in people["ada"].get("/v1/people").json()["items"]]
    assert "paula berg" not in names
    confirm = f"/v1/grants/{asked.json()['id']}/confirm"
    problem(people["rosa"].post(confirm), 403, "four-eyes")
    assert people["viktor"].post(confirm).json()["state"] == "confirmed"
    problem(people["viktor"].post(confirm), 409, "conflict")
    person = next(p for p in people["ada"].get("/v1/people").json()["items"] if p["name"] == "paula berg")
    assert (person["id"], person["roles"]) == (asked.json()["person_id"], ["officer"])
    for kind in ("grant.asked", "grant.confirmed"):
        assert leaves(people.context.database, kind)[-1]["owner"] == "paula berg"


def test_key_for_another_person_is_useless_until_a_second_administrator_confirms(people: People) -> None:
    """The finding: an administrator made a key whose owner was the approver, and approved with it."""
    asked = people["rosa"].post("/v1/keys", {"owner": "adam", "roles": ["approver"]})
    assert (asked.status_code, asked.json()["kind"]) == (202, "key")
    first = asked.json()["key_part"]
    assert people.client_of(first).get("/v1/tickets").status_code == 401
    confirm = f"/v1/grants/{asked.json()['id']}/confirm"
    problem(people["rosa"].post(confirm), 403, "four-eyes")
    second = people["viktor"].post(confirm).json()["key_part"]
    for alone in (first, second, f"lk_{second}", f"{second}.{first}", f".{second}", f"{first}."):
        assert people.client_of(alone).get("/v1/tickets").status_code == 401
    assert people.client_of(f"{first}.{second}").get("/v1/tickets").status_code == 200
    created = leaves(people.context.database, "key.created")[-1]
    assert (created["owner"], created["person"]) == ("adam", person_id(people, "adam"))
    assert people["rosa"].get(f"/v1/grants/{asked.json()['id']}").json()["key_part"] is None


def test_second_key_of_one_person_is_not_a_second_person(people: People, ticket_body: dict[str, Any]) -> None:
    other = people.client_of(people.give_key("olivia", "approver"))
    ticket = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    problem(other.post(f"/v1/tickets/{ticket}/approve", GROUND), 403, "four-eyes")
    assert people["olivia"].post(f"/v1/tickets/{ticket}/hold", {"reason": "a lawsuit"}).status_code == 200
    assert people["olivia"].post(f"/v1/tickets/{ticket}/release", {"reason": "settled"}).status_code == 200
    problem(other.post(f"/v1/tickets/{ticket}/release", {"reason": "settled"}), 403, "four-eyes")


def test_own_key_is_created_at_once_and_gives_no_role_that_the_asking_key_has_not(people: People) -> None:
    own = people["rosa"].post("/v1/keys", {"owner": "ROSA", "roles": ["admin"]})
    assert (own.status_code, own.json()["owner"]) == (201, "rosa")
    problem(people["rosa"].post("/v1/keys", {"owner": "rosa", "roles": ["approver"]}), 403, "forbidden")


def test_key_for_nobody_and_for_a_role_that_the_person_has_not_is_refused(people: People) -> None:
    problem(people["rosa"].post("/v1/keys", {"owner": "paula", "roles": ["officer"]}), 404, "not-found")
    problem(people["rosa"].post("/v1/keys", {"owner": "adam", "roles": ["officer"]}), 403, "forbidden")


def test_duties_that_exclude_each_other_are_checked_by_person(people: People) -> None:
    """Not by key: an auditor's second key cannot be an officer's."""
    problem(people["rosa"].post("/v1/keys", {"owner": "ada", "roles": ["officer"]}), 403, "forbidden")
    roles = f"/v1/people/{person_id(people, 'ada')}/roles"
    problem(people["rosa"].post(roles, {"roles": ["auditor", "officer"]}), 403, "duties-mixed")
    people.confirmed(people["rosa"].post(roles, {"roles": ["officer"]}))
    people.forget_keys()
    assert people["ada"].get("/v1/log/checkpoints").status_code == 403  # the key of an auditor, of a person who is none


def test_role_is_given_when_a_second_administrator_confirms(people: People) -> None:
    asked = people["rosa"].post(f"/v1/people/{person_id(people, 'adam')}/roles", {"roles": ["approver", "officer"]})
    assert asked.status_code == 202
    problem(people["rosa"].post("/v1/keys", {"owner": "adam", "roles": ["officer"]}), 403, "forbidden")
    people.confirmed(asked)
    assert people.client_of(people.give_key("adam", "officer")).get("/v1/tickets").status_code == 200


def test_disabled_person_is_refused_and_enabled_by_two(people: People) -> None:
    adam = person_id(people, "adam")
    assert people["rosa"].post(f"/v1/people/{adam}/disable").json()["disabled_at"] is not None
    assert people["adam"].get("/v1/tickets").status_code == 401
    problem(people["rosa"].post("/v1/keys", {"owner": "adam", "roles": ["approver"]}), 403, "forbidden")
    people.confirmed(people["rosa"].post(f"/v1/people/{adam}/roles", {"roles": ["approver"]}))
    assert people["adam"].get("/v1/tickets").status_code == 200


def test_two_administrators_remain(people: People) -> None:
    viktor = person_id(people, "viktor")
    problem(people["rosa"].post(f"/v1/people/{viktor}/disable"), 409, "conflict")
    problem(people["rosa"].post(f"/v1/people/{viktor}/roles", {"roles": ["officer"]}), 409, "conflict")
    people.add("wanda", "admin")
    assert people["rosa"].post(f"/v1/people/{viktor}/disable").status_code == 200


def test_refused_or_lapsed_grant_is_not_confirmed(people: People, database: Databases) -> None:
    ended, lapsed = (people["rosa"].post("/v1/people", {"name": f"p{n}", "roles": ["officer"]}).json() for n in (1, 2))
    assert people["viktor"].post(f"/v1/grants/{ended['id']}/end").json()["state"] == "ended"
    problem(people["viktor"].post(f"/v1/grants/{ended['id']}/confirm"), 409, "conflict")
    with transaction(database.engine("admin")) as session:
        session.execute(text("ALTER TABLE access_grant DISABLE TRIGGER guard"))
        session.execute(text("UPDATE access_grant SET asked_at = now() - interval '25 hours' WHERE ended_at IS NULL"))
        session.execute(text("ALTER TABLE access_grant ENABLE TRIGGER guard"))
    assert people["viktor"].get(f"/v1/grants/{lapsed['id']}").json()["state"] == "lapsed"
    problem(people["viktor"].post(f"/v1/grants/{lapsed['id']}/confirm"), 409, "conflict")


@pytest.mark.parametrize(
    "more",
    [{}, {"scopes": ["keys:write"]}, {"expires_at": "2090-01-01T00:00:00Z", "scopes": ["keys:write"]},
     {"expires_at": "2030-01-01T00:00:00Z"}, {"expires_at": "2030-01-01T00:00:00Z", "scopes": ["log:read"]}],
)  # fmt: skip
def test_key_gives_no_more_than_it_has(people: People, more: dict[str, Any]) -> None:
    """The finding: an expiring key with the scope keys:write made an unscoped, everlasting administrator."""
    narrow = {"owner": "rosa", "roles": ["admin"], "scopes": ["keys:write"], "expires_at": "2031-01-01T00:00:00Z"}
    client = people.client_of(people["rosa"].post("/v1/keys", narrow).json()["key"])
    for owner, role in (("rosa", "admin"), ("adam", "approver")):
        refused = client.post("/v1/keys", {"owner": owner, "roles": [role]} | more)
        assert refused.status_code == 403, refused.text
    within = {"expires_at": "2030-12-31T00:00:00Z", "scopes": ["keys:write"]}
    assert client.post("/v1/keys", {"owner": "rosa", "roles": ["admin"]} | within).status_code == 201


def test_whoever_edited_at_any_time_may_not_approve(people: People, ticket_body: dict[str, Any]) -> None:
    """The finding: A replaced the names, B changed `urgent`, A approved."""
    ticket = f"/v1/tickets/{people['olivia'].post('/v1/tickets', ticket_body).json()['id']}"
    assert people["adam"].patch(ticket, {"names": ["Bruno Ito"]}).status_code == 200
    assert people["olivia"].patch(ticket, {"urgent": True}).status_code == 200
    problem(people["adam"].post(f"{ticket}/approve", GROUND), 403, "four-eyes")


def test_set_up_happens_once_and_is_on_record(people: People, tmp_path: Any) -> None:
    (set_up,) = leaves(people.context.database, "tenant.set_up")
    assert {each["owner"]: tuple(each["roles"]) for each in set_up["people"]} == INITIAL_ACCOUNTS
    with transaction(people.context.database) as session:
        session.execute(text("UPDATE api_key SET revoked_at = now()"))
    bootstrap(people.context.database, MODEL, "models/demo-vlm", tmp_path / "again.json")
    assert not (tmp_path / "again.json").exists()
    assert len(leaves(people.context.database, "tenant.set_up")) == 1


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("INSERT INTO person VALUES (:id, 'default', 'eve', 'eve', '{admin}', now(), NULL)", "a second administrator"),
        (
            "INSERT INTO person VALUES (:id, 'default', 'e\u200bve', 'eve', '{admin}', now(), NULL)",
            "characters of a name are seen",
        ),
        ("UPDATE person SET roles = roles || '{approver}' WHERE name = 'rosa'", "a second administrator"),
        ("UPDATE person SET name = 'eve' WHERE name = 'rosa'", "permission denied"),
        ("INSERT INTO person_name SELECT 'default', 'eve', id FROM person WHERE name = 'rosa'", "permission denied"),
        ("INSERT INTO person_subject SELECT 'https://x', 'y', id FROM person WHERE name = 'adam'", "a second admin"),
        ("UPDATE tenant SET set_up_at = NULL", "set up once"),
        (
            "INSERT INTO api_key (id, tenant_id, owner, person_id, key_sha256, roles, created_by) "
            "SELECT :id, tenant_id, name, id, 'x', roles, 'rosa' FROM person WHERE name = 'adam'",
            "a second administrator",
        ),
        (
            "INSERT INTO api_key (id, tenant_id, owner, person_id, key_sha256, roles, created_by) "
            "SELECT :id, tenant_id, name, id, 'x', '{admin}', 'adam' FROM person WHERE name = 'adam'",
            "no role that its person",
        ),
        (
            "INSERT INTO api_key (id, tenant_id, owner, key_sha256, roles) "
            "VALUES (:id, 'default', 'nobody', 'x', '{admin}')",
            "belongs to a person",
        ),
        ("UPDATE api_key SET owner = 'adam'", "permission denied"),
        ("UPDATE access_grant SET confirmed_by = asked_by, confirmed_at = now()", "access_grant_by_two"),
        (
            "UPDATE access_grant SET confirmed_by = (SELECT id FROM person WHERE name = 'adam'), confirmed_at = now()",
            "by administrators",
        ),
        ("UPDATE access_grant SET roles = '{admin}'", "permission denied"),
        (
            "INSERT INTO access_grant (id, tenant_id, kind, person_id, name, asked_by, asked_at, confirmed_by, "
            "confirmed_at) SELECT :id, 'default', 'person', :id, 'eve', a.id, now(), b.id, now() "
            "FROM person a, person b WHERE a.name = 'rosa' AND b.name = 'viktor'",
            "begin unconfirmed",
        ),
    ],
)
def test_database_refuses_what_one_alone_would_give(
    people: People, database: Databases, statement: str, message: str
) -> None:
    people["rosa"].post("/v1/people", {"name": "paula", "roles": ["officer"]})
    with pytest.raises(Exception, match=message), transaction(database.engine("request")) as session:
        session.execute(text(statement), {"id": uuid.uuid4()} if ":id" in statement else {})


def test_confirmed_grant_is_not_used_a_second_time(people: People, database: Databases) -> None:
    """What two administrators gave once is not given again by whoever can write to the database."""
    people.confirmed(
        people["rosa"].post(f"/v1/people/{person_id(people, 'adam')}/roles", {"roles": ["approver", "admin"]})
    )
    with transaction(database.engine("request")) as session:
        session.execute(text("UPDATE person SET roles = '{approver}' WHERE name = 'adam'"))
    with pytest.raises(Conflict, match="second administrator"), transaction(database.engine("request")) as session:
        session.execute(text("UPDATE person SET roles = '{approver,admin}' WHERE name = 'adam'"))
