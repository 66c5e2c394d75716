"""A tenant is added by two administrators of the operating tenant, who cannot act in it."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select, text

from services.request.bootstrap import bootstrap
from shared.core.clock import utc_now
from shared.db.models.operations import Outbox
from shared.db.models.tenancy import Tenant
from shared.db.models.transparency import LogLeaf
from shared.db.session import transaction
from shared.errors import BadInput, Conflict, LacunaError
from tests.support.api import MODEL, People
from tests.support.databases import Databases
from tests.support.tenants import OTHER, OTHER_MODEL, SUBJECT, add_tenant

BODY = {"name": OTHER, "administrators": ["anna", "boris"]}


def ask(people: People, **body: Any) -> Any:
    return people["rosa"].post("/v1/tenants", BODY | body)


def test_confirmed_tenant_has_a_model_of_its_own_and_orders_its_first_version(
    people: People, database: Databases
) -> None:
    request = ask(people).json()["id"]
    assert people["viktor"].post(f"/v1/tenant-requests/{request}/confirm").json()["state"] == "confirmed"
    listed = people["rosa"].get("/v1/tenants").json()["items"]
    assert [(each["name"], each["model"], each["operates"]) for each in listed] == [
        ("default", MODEL, True),
        (OTHER, f"{MODEL}.{OTHER}", False),
    ]
    assert [(each["promoted"], each["tickets"], each["people"]) for each in listed] == [(None, 0, 7), (None, 0, 2)]
    with transaction(database.engine("request")) as session:
        orders = session.scalars(select(Outbox.kwargs["model"].astext).order_by(Outbox.created_at)).all()
        assert orders[-1] == f"{MODEL}.{OTHER}"


def test_who_asked_does_not_confirm(people: People) -> None:
    request = ask(people).json()["id"]
    refused = people["rosa"].post(f"/v1/tenant-requests/{request}/confirm")
    assert (refused.status_code, refused.json()["type"]) == (403, "/v1/problems/four-eyes")
    assert [each["name"] for each in people["rosa"].get("/v1/tenants").json()["items"]] == ["default"]


def test_half_of_a_key_opens_nothing_and_no_leaf_has_it(people: People, database: Databases) -> None:
    asked = ask(people).json()
    confirmed = people["viktor"].post(f"/v1/tenant-requests/{asked['id']}/confirm").json()
    halves = [each["key_part"] for answer in (asked, confirmed) for each in answer["key_parts"]]
    assert len(set(halves)) == 4
    assert all(people.client_of(half).get("/v1/people").status_code == 401 for half in halves)
    joined = f"{asked['key_parts'][0]['key_part']}.{confirmed['key_parts'][0]['key_part']}"
    names = {each["name"] for each in people.client_of(joined).get("/v1/people").json()["items"]}
    assert names == {"anna", "boris"}
    with transaction(database.engine("request")) as session:
        leaves = session.scalars(select(LogLeaf).where(LogLeaf.kind.startswith("tenant."))).all()
    assert {(leaf.kind, leaf.tenant_id, leaf.actor) for leaf in leaves} == {
        ("tenant.set_up", "default", "bootstrap"),
        ("tenant.asked", None, "rosa"),
        ("tenant.added", None, "viktor"),
        ("tenant.set_up", OTHER, "default/viktor"),
    }
    assert not any(half in str(leaf.detail) for half in halves for leaf in leaves)


def test_replay_of_the_request_has_no_keys(people: People) -> None:
    head = {"Idempotency-Key": "once"}
    first, again = (people["rosa"].post("/v1/tenants", BODY, **head).json() for _ in range(2))
    assert first["id"] == again["id"]
    assert (len(first["key_parts"]), again["key_parts"]) == (2, None)


def test_request_ends_once_and_is_not_confirmed_afterwards(people: People) -> None:
    request = ask(people).json()["id"]
    assert people["viktor"].post(f"/v1/tenant-requests/{request}/end").json()["state"] == "ended"
    for verb in ("end", "confirm"):
        assert people["viktor"].post(f"/v1/tenant-requests/{request}/{verb}").status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "default"}, 409),
        ({"model": MODEL}, 409),
        ({"name": "Acme"}, 422),
        ({"name": "a/b"}, 422),
        ({"administrators": ["anna"]}, 422),
        ({"administrators": ["anna", "Anna"]}, 422),
        ({"administrators": ["anna", "clerk"]}, 422),
    ],
)
def test_tenant_that_cannot_be_is_refused(people: People, body: dict[str, Any], status: int) -> None:
    assert ask(people, **body).status_code == status


def test_first_people_of_a_tenant_may_have_names_of_other_tenants(people: People) -> None:
    request = ask(people, administrators=["rosa", "viktor"]).json()["id"]
    assert people["viktor"].post(f"/v1/tenant-requests/{request}/confirm").status_code == 200


def test_administrator_of_another_tenant_adds_none(people: People) -> None:
    other = add_tenant(people)
    assert other["admin"].post("/v1/tenants", BODY | {"name": "third"}).status_code == 403
    for path in ("/v1/tenants", "/v1/tenant-requests", "/v1/rewraps"):
        assert other["admin"].get(path).status_code == 403


def insert_tenant(name: str, at: datetime) -> str:
    return f"INSERT INTO tenant (id, created_at) VALUES ('{name}', '{at.isoformat()}')"  # noqa: S608 - of the test


def test_database_adds_no_tenant_that_nobody_confirmed(people: People, database: Databases) -> None:
    def insert() -> None:
        with transaction(database.engine("request")) as session:
            session.execute(text(insert_tenant("third", utc_now())))

    ask(people, name="third")
    with pytest.raises(Conflict, match="when a second administrator confirms"):
        insert()
    request = people["rosa"].get("/v1/tenant-requests").json()["items"][0]["id"]
    assert people["viktor"].post(f"/v1/tenant-requests/{request}/confirm").status_code == 200
    with transaction(database.engine("request")) as session:
        assert session.get(Tenant, "third") is not None


def test_database_refuses_a_confirmation_by_another_tenants_administrator(people: People, database: Databases) -> None:
    add_tenant(people)
    request = ask(people, name="third").json()["id"]
    confirm = text(
        "UPDATE tenant_request SET confirmed_at = now(), confirmed_by = "
        "(SELECT id FROM person WHERE tenant_id = :other AND 'admin' = ANY (roles) LIMIT 1) WHERE id = :request"
    )
    with (
        pytest.raises(Conflict, match="administrators of the operating tenant"),
        transaction(database.engine("request")) as session,
    ):
        session.execute(confirm, {"other": OTHER, "request": request})


def test_database_keeps_a_ticket_from_the_model_of_another_tenant(people: People, database: Databases) -> None:
    add_tenant(people)
    ticket = people["olivia"].post("/v1/tickets", SUBJECT).json()["id"]
    copied = text(
        "INSERT INTO ticket SELECT (jsonb_populate_record(ticket, jsonb_build_object('id', 'T-OTHER', 'model_id', "
        "CAST(:model AS text)))).* FROM ticket WHERE id = :id"
    )
    with pytest.raises(Exception, match="ticket_model_id_tenant_id_fkey"), transaction(database.engine("admin")) as s:
        s.execute(copied, {"model": OTHER_MODEL, "id": ticket})


def test_bootstrap_does_not_take_the_model_of_another_tenant(
    people: People, database: Databases, tmp_path: Any
) -> None:
    add_tenant(people)
    with pytest.raises(BadInput, match=f"{OTHER_MODEL} is the model of the tenant {OTHER}"):
        bootstrap(database.engine("request"), OTHER_MODEL, "models/demo-vlm", tmp_path / "keys.json")


def test_older_database_is_accepted_for_each_tenant_by_the_operating_one(people: People) -> None:
    """Nothing is lost here, so that there is nothing to accept; but the tenant is known."""
    add_tenant(people)
    reason = {"reason": "The newest backup is lost."}
    assert people["rosa"].post("/v1/restores", reason | {"tenant": OTHER}).status_code == 409
    assert people["rosa"].post("/v1/restores", reason | {"tenant": "nobody"}).status_code == 404


def test_model_in_use_follows_the_setting(people: People, database: Databases, tmp_path: Any) -> None:
    bootstrap(database.engine("request"), "newer", "models/newer", tmp_path / "keys.json")
    people.forget_keys()
    assert people["rosa"].get("/v1/tenants").json()["items"][0]["model"] == "newer"
    assert people["rosa"].get("/v1/status").json()["model"] == "newer"
    with pytest.raises(LacunaError), transaction(database.engine("request")) as session:
        session.execute(text("UPDATE model SET in_use = true"))
