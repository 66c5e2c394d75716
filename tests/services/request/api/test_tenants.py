"""No tenant learns of another one or changes anything of it: every operation of the OpenAPI document, in every role."""

import base64
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from services.request.audit_log.sequencer import Sequencer
from services.request.auth.permissions import OPEN, PERMISSIONS
from shared.db.repositories.people import find_by_subject
from shared.db.session import transaction
from shared.domain.accounts import OPERATING_TENANT, ROLES, Role
from shared.errors import IntegrityFailure
from shared.transparency.leaves import encode_withheld, withheld_hash
from shared.transparency.log_verifier import verify
from tests.support.api import People
from tests.support.audit_log import LOG_KEY
from tests.support.databases import Databases
from tests.support.openapi import openapi_document, smallest_value
from tests.support.tenants import SUBJECT, Holdings, TenantPeople, add_tenant, fill, operating_tenant, rows_of

ALL_TENANTS = {"list_restores"}  # answered to the operating tenant about all: its people accept every older database
QUERY = {"size": "1", "position": "0"}  # what an operation requires beside its path
NOT_JSON = {"create_import": b'{"names": ["Somebody Else"], "facts": [{"attribute": "city", "value": "Turku"}]}\n'}


@dataclass(frozen=True)
class TwoTenants:
    """The operating tenant and another one, each with one of everything."""

    first: TenantPeople
    second: TenantPeople
    of_first: Holdings
    of_second: Holdings


@pytest.fixture
def two(people: People, database: Databases) -> TwoTenants:
    first, second = operating_tenant(people), add_tenant(people)
    two = TwoTenants(first, second, fill(first, database, 7), fill(second, database, 9))
    people.forget_keys()
    return two


@dataclass(frozen=True)
class Call:
    """A request for an operation, with an id in its path where `names_something`."""

    operation: str
    method: str
    path: str
    body: Any
    names_something: bool


def requests_of(holdings: Holdings, own: Holdings) -> Iterator[Call]:
    """Every operation that is not open, with ids of `holdings`; where a path has two, also the first one of `own`."""
    document = openapi_document()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = operation["operationId"]
            if name in OPEN:
                continue
            words = {each["name"]: _words(document, each) for each in operation.get("parameters", ())}
            parameters = [part for part in re.findall(r"{(\w+)}", path) if not words.get(part)]
            missing = [part for part in parameters if part not in holdings.ids]
            if missing and PERMISSIONS[name].operating:
                continue  # a thing of the installation: its own people alone get there at all
            assert not missing, f"{name}: tests/support/tenants.py gives a tenant no {missing[0]}"
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            body = smallest_value(document, content["schema"]) if content else NOT_JSON.get(name)
            required = "&".join(
                f"{each['name']}={QUERY[each['name']]}"
                for each in operation.get("parameters", ())
                if each["in"] == "query" and each.get("required")
            )
            theirs = [holdings.ids[part] for part in parameters]
            given = list(itertools.product(*theirs))
            if len(parameters) > 1:
                given += itertools.product(*(own.ids[part] for part in parameters[:-1]), theirs[-1])
            for ids in given:
                values = {part: some[0] for part, some in words.items() if some} | dict(
                    zip(parameters, ids, strict=True)
                )
                filled = path.format(**values)
                yield Call(name, method, f"{filled}?{required}" if required else filled, body, bool(parameters))


def _words(document: dict[str, Any], parameter: dict[str, Any]) -> list[str]:
    """What a part of the path can be where it is one of a few words, such as the kind of a letter."""
    schema = parameter["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return list(schema.get("enum", ())) if parameter["in"] == "path" else []


def ask(tenant: TenantPeople, role: Role, call: Call) -> Any:
    head = {"Authorization": f"Bearer {tenant.keys[role]}"}
    if isinstance(call.body, bytes):
        head["Content-Type"] = "application/x-ndjson"
        return tenant.people.app.request(call.method, call.path, content=call.body, headers=head)
    return tenant.people.app.request(call.method, call.path, json=call.body, headers=head)


def check_matrix(
    asking: TenantPeople, own: Holdings, other: TenantPeople, holdings: Holdings, database: Databases
) -> int:
    """Ask everything of `other` in every role of `asking`; return how many calls that were."""
    before, calls, off = rows_of(database, other), 0, []
    for call in requests_of(holdings, own):
        permission = PERMISSIONS[call.operation]
        for role in ROLES:
            answer = ask(asking, role, call)
            calls += 1
            may = role in permission.roles and (operates(asking) or not permission.operating)
            of_installation = operates(asking) and (permission.operating or call.operation in ALL_TENANTS)
            told = answer.text + str(answer.headers)
            wrong = {
                "fails": answer.status_code >= 500,
                "right": (answer.status_code != 403) != may,
                "answered": may and call.names_something and not of_installation and answer.status_code != 404,
                "tells": not of_installation
                and [each for each in holdings.secrets if each in told and each not in call.path],
            }
            if kinds := [kind for kind, found in wrong.items() if found]:
                off.append(f"{kinds} {call.operation} as {role} of {asking.tenant}: {answer.status_code} {told[:300]}")
    assert not off, "\n".join(off)
    after = rows_of(database, other)
    assert {table for table in after if after[table] != before[table]} == set()
    return calls


def operates(tenant: TenantPeople) -> bool:
    return tenant.tenant == OPERATING_TENANT


def test_no_role_reaches_anything_of_another_tenant(two: TwoTenants, database: Databases) -> None:
    calls = check_matrix(two.second, two.of_second, two.first, two.of_first, database)
    calls += check_matrix(two.first, two.of_first, two.second, two.of_second, database)
    assert calls > 2 * len(ROLES) * 60


def test_same_names_references_and_keys_are_free_in_each_tenant(people: People) -> None:
    """What one tenant filed, or called somebody, makes no difference to what another one is answered."""
    second = add_tenant(people)
    keys = [people.give_key("noor", "officer"), second.give_key("noor", "officer")]
    officers = [people.client_of(key) for key in keys]
    body = SUBJECT | {"external_ref": "CASE-1", "source": "crm"}
    answers = [officer.post("/v1/tickets", body, **{"Idempotency-Key": "the same"}) for officer in officers]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert all("Idempotent-Replay" not in answer.headers for answer in answers)
    ids = [answer.json()["id"] for answer in answers]
    for officer, own, foreign in zip(officers, ids, reversed(ids), strict=True):
        ticket = officer.get(f"/v1/tickets/{own}")
        assert (ticket.json()["state"], ticket.json()["duplicate_of"]) == ("under_review", None)
        assert foreign not in ticket.text
        found = officer.post("/v1/tickets/search", {"names": ["Mara Lindqvist"]})
        assert [each["id"] for each in found.json()["items"]] == [own]
        assert officer.post("/v1/tickets", body).status_code == 409  # the reference is taken, in the own tenant


def test_same_account_at_the_provider_is_refused_to_no_tenant_and_stays_with_the_first(
    people: People, database: Databases
) -> None:
    second, subject = add_tenant(people), {"issuer": "https://login.example.org", "subject": "4711"}
    first_id = people.add("nora", "officer", subject=subject)
    asked = second["admin"].post("/v1/people", {"name": "nora", "roles": ["officer"], "subject": subject})
    confirmed = second.confirm(asked)
    assert confirmed.status_code == 200, confirmed.text
    with transaction(database.engine("request")) as session:
        person = find_by_subject(session, subject["issuer"], subject["subject"])
        assert person is not None
        assert str(person.id) == first_id


def test_log_of_each_tenant_is_its_own_and_the_whole_log_verifies(
    people: People, database: Databases, sequencer: Sequencer
) -> None:
    """An auditor reads the leaves of the own tenant, and of all others the hashes, which prove the whole log."""
    second = add_tenant(people)
    first = operating_tenant(people)
    tickets = {tenant.tenant: tenant["officer"].post("/v1/tickets", SUBJECT).json()["id"] for tenant in (first, second)}
    sequencer.run_once()
    for tenant, foreign in ((first, second), (second, first)):
        page = tenant["auditor"].get("/v1/log/leaves?limit=1000").json()
        assert page["next"] is None
        lines = [
            encode_withheld(base64.b64decode(leaf["leaf_hash"])) if leaf["line"] is None else leaf["line"].encode()
            for leaf in page["items"]
        ]
        text = b"\n".join(lines).decode()
        assert tickets[tenant.tenant] in text
        assert tickets[foreign.tenant] not in text
        assert foreign.name_of["officer"] not in text
        note = tenant["auditor"].get("/v1/log/checkpoint").json()["note"]
        verified = verify(lines, [note], [], [LOG_KEY])
        assert verified.leaves == verified.signed == len(lines)
        assert 0 < verified.withheld < len(lines)
        altered = [encode_withheld(bytes(32)) if withheld_hash(line) else line for line in lines]
        with pytest.raises(IntegrityFailure):
            verify(altered, [note], [], [LOG_KEY])
