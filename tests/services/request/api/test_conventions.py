"""The API's conventions for every OpenAPI operation: rights, problems, keys, cursors and ids."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.request.api import pagination
from services.request.auth.permissions import OPEN, PERMISSIONS
from services.request.problems.catalogue import ADVICE, page
from shared.core.clock import utc_now
from shared.db.session import transaction
from shared.devstack.backends import Backends
from shared.domain.accounts import ROLES
from shared.errors import BadCursor, problem_types
from shared.storage.local import LocalStore
from tests.support.api import OpenService, People
from tests.support.databases import Databases

GROUND = {"ground": "consent_withdrawn", "names": ["Mara Lindqvist"]}
FILLED = {"ticket_id": "T-00000000", "number": "7", "code": "conflict", "kind": "receipt"} | dict.fromkeys(
    [
        "key_id",
        "person_id",
        "grant_id",
        "webhook_id",
        "job_id",
        "rewrap_id",
        "access_id",
        "acceptance_id",
        "letter_id",
        "request_id",
        "view_id",
    ],
    str(UUID(int=7)),
)


def operations(people: People) -> list[tuple[str, str, dict[str, Any]]]:
    paths = people.app.get("/v1/openapi.json").json()["paths"]
    return [(method, path, operation) for path, methods in paths.items() for method, operation in methods.items()]


def create_key(people: People, owner: str = "tester", role: str = "officer", **body: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {people.give_key(owner, role, **body)}"}


def test_every_operation_is_answered_to_its_roles_and_no_others(people: People) -> None:
    """Exhaustive: each role asks each operation; refused exactly where the table says so."""
    heads = {role: create_key(people, role, role) for role in ROLES}
    for method, path, operation in operations(people):
        name = operation["operationId"]
        filled = path
        for part, value in FILLED.items():
            filled = filled.replace("{" + part + "}", value)
        if name in OPEN:
            assert people.app.request(method, filled).status_code == 200
            continue
        assert operation["x-roles"] == list(PERMISSIONS[name].roles)
        assert people.app.request(method, filled, json={}).status_code in (401, 422)
        for role, head in heads.items():
            answer = people.app.request(method, filled, json={}, headers=head)
            refused = answer.status_code == 403 and answer.json()["type"].endswith("/forbidden")
            if answer.status_code != 422 or role in PERMISSIONS[name].roles:  # a bad body may be told before the right
                assert refused == (role not in PERMISSIONS[name].roles), (name, role, answer.text)


def test_every_operation_names_the_problems_that_it_may_answer(people: People) -> None:
    assert people.app.get("/v1/openapi.json").json()["openapi"].startswith("3.1")
    for method, _, operation in operations(people):
        assert {"404", "422", "503"} <= set(operation["responses"])
        if method == "post":
            assert {"409", "412", "413", "428"} <= set(operation["responses"])


def test_every_problem_has_a_page(people: People) -> None:
    assert set(ADVICE) == set(problem_types())
    assert (Path(__file__).resolve().parents[4] / "docs/problems.md").read_text() == page()
    problem = people.app.get("/v1/tickets").json()
    assert people.app.get(problem["type"]).json()["title"] == problem["title"]


def test_auditors_and_operators_hold_no_other_role(people: People, database: Databases) -> None:
    for roles in (["auditor", "officer"], ["operator", "approver"], ["admin", "auditor"]):
        refused = people["rosa"].post("/v1/keys", {"owner": "x", "roles": roles})
        assert (refused.status_code, refused.json()["type"]) == (403, "/v1/problems/duties-mixed")
    with pytest.raises(Exception, match="auditor_exclusive"), transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE api_key SET roles = '{auditor,officer}' WHERE owner = 'ada'"))


def test_scoped_key_is_refused_outside_its_scopes(people: People, ticket_body: dict[str, Any]) -> None:
    head = create_key(people, scopes=["tickets:write"])
    assert people.app.post("/v1/tickets", json=ticket_body, headers=head).status_code == 201
    refused = people.app.get("/v1/tickets", headers=head)
    assert (refused.status_code, refused.json()["type"]) == (403, "/v1/problems/scope")


def test_expired_or_revoked_key_is_refused(people: People, database: Databases) -> None:
    head = create_key(people)
    assert people.app.get("/v1/tickets", headers=head).status_code == 200
    late = people["rosa"].post("/v1/keys", {"owner": "x", "roles": ["officer"], "expires_at": "2001-01-01T00:00:00Z"})
    assert late.status_code == 422
    listed = next(key for key in people["rosa"].get("/v1/keys").json()["items"] if key["owner"] == "tester")
    assert listed["last_used_at"] is not None
    assert "key" not in listed
    assert people["rosa"].post(f"/v1/keys/{listed['id']}/revoke").status_code == 200
    assert people.app.get("/v1/tickets", headers=head).status_code == 401
    other = create_key(people, expires_at="9999-12-31T23:59:59Z")
    assert people.app.get("/v1/tickets", headers=other).status_code == 200
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE api_key SET expires_at = now() - interval '1 second' WHERE revoked_at IS NULL"))
    people.forget_keys()
    assert people.app.get("/v1/tickets", headers=other).status_code == 401


def test_replayed_key_creation_hides_the_secret(people: People, database: Databases) -> None:
    body = {"owner": "rosa", "roles": ["admin"]}
    first, again = (people["rosa"].post("/v1/keys", body, **{"Idempotency-Key": "k1"}) for _ in range(2))
    assert first.json()["key"].startswith("lk_")
    assert again.json() == first.json() | {"key": None}
    assert again.headers["idempotent-replay"] == "true"


def test_request_repeated_while_in_flight_is_a_conflict(
    people: People, ticket_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repeat is refused while the first request runs, and afterwards gets the answer of the first."""
    begun, go, put = threading.Event(), threading.Event(), people.context.store.put

    def slow(key: str, data: bytes) -> None:
        begun.set()
        go.wait(10)
        put(key, data)

    monkeypatch.setattr(people.context.store, "put", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(people["olivia"].post, "/v1/tickets", ticket_body, **{"Idempotency-Key": "one"})
        assert begun.wait(10)
        second = people["olivia"].post("/v1/tickets", ticket_body, **{"Idempotency-Key": "one"})
        go.set()
        filed = first.result()
    assert (second.status_code, second.json()["type"]) == (409, "/v1/problems/in-flight")
    third = people["olivia"].post("/v1/tickets", ticket_body, **{"Idempotency-Key": "one"})
    assert (third.status_code, third.json(), third.headers["etag"]) == (201, filed.json(), filed.headers["etag"])


def test_action_repeated_with_its_idempotency_key_is_done_once(people: People, ticket_body: dict[str, Any]) -> None:
    ticket = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    heads = {"Idempotency-Key": "a", "If-Match": people["adam"].get(f"/v1/tickets/{ticket}").headers["etag"]}
    first, again = (people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND, **heads) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())


def test_change_without_if_match_is_refused(people: People, ticket_body: dict[str, Any]) -> None:
    ticket = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    head = {"Authorization": f"Bearer {people.keys['adam']}"}
    missing = people.app.post(f"/v1/tickets/{ticket}/approve", json=GROUND, headers=head)
    assert (missing.status_code, missing.json()["type"]) == (428, "/v1/problems/precondition-required")


def test_due_tickets_are_listed_in_order_of_their_due_date(people: People, ticket_body: dict[str, Any]) -> None:
    """Overdue and later tickets are listed page by page, and a paused or stopped clock is not overdue."""

    def filed(days: int, name: str) -> str:
        received = (utc_now() - timedelta(days=days)).isoformat()
        body = ticket_body | {"names": [name], "received_at": received}
        return str(people["olivia"].post("/v1/tickets", body).json()["id"])

    def listed(query: str) -> list[str]:
        page = people["olivia"].get(f"/v1/tickets?limit=2&{query}").json()
        rest = listed(f"{query.partition('&cursor=')[0]}&cursor={page['next']}") if page["next"] else []
        return [ticket["id"] for ticket in page["items"]] + rest

    far, over, soon, gone, doubted, later = (filed(days, f"Person {days}") for days in (1, 90, 25, 80, 70, 60))
    people["olivia"].post(f"/v1/tickets/{gone}/reject", {"code": "no_match", "note": "-"})
    people["olivia"].post(f"/v1/tickets/{doubted}/identity", {"outcome": "doubted", "note": "-"})
    assert listed("overdue=true") == [over, later]
    assert listed("overdue=false") == [doubted, soon, far]
    now = utc_now().isoformat().replace("+00:00", "Z")
    assert listed(f"due_before={now}") == [over, doubted, later]
    assert listed(f"due_after={now}") == [soon, far]
    searched = people["olivia"].post("/v1/tickets/search", {"names": ["Person 90"], "overdue": True}).json()
    assert [ticket["id"] for ticket in searched["items"]] == [over]
    first = people["olivia"].get("/v1/tickets?limit=2&overdue=false").json()["next"]
    other = people["olivia"].get(f"/v1/tickets?limit=2&overdue=true&cursor={first}")
    assert other.json()["type"] == "/v1/problems/bad-cursor"


def test_zero_character_is_bad_input_and_repeated_role_counts_once(people: People) -> None:
    """Schemathesis found both cases: a zero character in an unknown member of a row, and a role named twice."""
    rows = {"rows": [{"a\0b": 1}], "dry_run": True}
    refused = people["olivia"].post("/v1/retain-sets", rows, **{"Idempotency-Key": "zero"})
    assert (refused.status_code, refused.json()["type"]) == (422, "/v1/problems/bad-input")
    twice = people["rosa"].post("/v1/keys", {"owner": "ada", "roles": ["auditor", "auditor"]})
    assert (twice.status_code, twice.json()["roles"]) == (202, ["auditor"])


def test_cursor_of_another_query_is_refused(people: People, ticket_body: dict[str, Any]) -> None:
    for _ in range(3):
        people["olivia"].post("/v1/tickets", ticket_body)
    following = people["olivia"].get("/v1/tickets?limit=1").json()["next"]
    assert people["olivia"].get(f"/v1/tickets?limit=2&cursor={following}").status_code == 200
    tampered = ("A" if following[0] != "A" else "B") + following[1:]
    for query in (f"cursor={tampered}", f"urgent=true&cursor={following}", "cursor=%C3%A4", "cursor=AAAA"):
        refused = people["olivia"].get(f"/v1/tickets?{query}")
        assert (refused.status_code, refused.json()["type"]) == (400, "/v1/problems/bad-cursor"), query
    with pytest.raises(BadCursor):
        pagination.decode_cursor(b"s", ["b"], pagination.encode_cursor(b"s", ["a"], ["1"]), 1)


def test_search_by_name_is_accepted_only_in_the_body(people: People, ticket_body: dict[str, Any]) -> None:
    ticket = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    people["olivia"].post("/v1/tickets", ticket_body | {"names": ["山田 太郎"]})
    matching = people["olivia"].post("/v1/tickets/search", {"names": ["mara lindqvist"]}).json()["items"]
    assert [item["id"] for item in matching] == [ticket]
    assert people["oscar"].post("/v1/tickets/search", {"names": ["Mara Lindqvist"]}).status_code == 403
    assert people["olivia"].get("/v1/tickets?name=Mara").status_code == 422
    late = people["olivia"].get("/v1/tickets?submitted_before=9999-12-31T23:59:59Z").json()["items"]
    assert len(late) == 2


def test_request_id_is_returned_and_stored_in_the_outbox(
    people: People, ticket_body: dict[str, Any], database: Databases
) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    ticket = people["olivia"].post("/v1/tickets", ticket_body | {"urgent": True}).json()["id"]
    answer = people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND, traceparent=trace)
    assert answer.headers["x-request-id"] == trace[3:35]
    refused = people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND, **{"X-Request-ID": "case-9"})
    assert refused.json()["request_id"] == refused.headers["x-request-id"] == "case-9"
    generated = people["adam"].get("/v1/tickets", **{"X-Request-ID": "not\tgood"}).headers["x-request-id"]
    assert len(generated) == 32
    with transaction(database.engine("admin")) as session:
        correlation = session.execute(
            text("SELECT correlation FROM outbox ORDER BY created_at DESC LIMIT 1")
        ).scalar_one()
    assert correlation == trace[3:35]


def test_clock_set_back_loses_no_ticket_and_no_replay(
    people: People, ticket_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tickets filed after the clock jumped back are filed, moved, listed once, and their keys still replay."""
    first = people["olivia"].post("/v1/tickets", ticket_body, **{"Idempotency-Key": "c"}).json()["id"]
    now = datetime.fromisoformat(people["olivia"].get(f"/v1/tickets/{first}").json()["submitted_at"])
    for module in (
        "services.request.tickets.intake",
        "services.request.tickets.service",
        "services.request.api.idempotency",
        "shared.db.repositories.audit_log",
        "shared.db.repositories.ticket_clocks",
        "shared.db.repositories.tickets",
    ):
        monkeypatch.setattr(f"{module}.utc_now", lambda: now - timedelta(days=1))
    second = people["olivia"].post("/v1/tickets", ticket_body | {"names": ["Ada Quill"]}).json()["id"]
    assert people["olivia"].post("/v1/tickets", ticket_body, **{"Idempotency-Key": "c"}).json()["id"] == first
    ground = GROUND | {"names": ["Ada Quill"]}
    assert people["adam"].post(f"/v1/tickets/{second}/approve", ground).status_code == 200
    top = people["olivia"].get("/v1/tickets?limit=1").json()
    rest = people["olivia"].get(f"/v1/tickets?limit=1&cursor={top['next']}").json()
    assert [page["items"][0]["id"] for page in (top, rest)] == [first, second]


def test_request_over_the_rate_limit_gets_retry_after(
    open_service: OpenService, store: LocalStore, backends: Backends
) -> None:
    from fastapi.testclient import TestClient  # noqa: PLC0415

    from services.request.app import build  # noqa: PLC0415
    from services.request.auth.rate_limits import RateLimiter  # noqa: PLC0415

    people = open_service(store)
    for redis in (backends.redis_url, "redis://127.0.0.1:1/0"):  # without Redis each process counts for itself
        limiter = RateLimiter("3/minute", "2/minute", redis)
        with TestClient(build(people.context, limiter=limiter), raise_server_exceptions=False) as app:
            head = {"Authorization": f"Bearer {people.keys['olivia']}"}
            answers = [app.get("/v1/tickets", headers=head) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert answers[0].headers["ratelimit"].startswith('"default";r=2;t=')
            assert 1 <= int(answers[3].headers["retry-after"]) <= 61
            wrong = [app.get("/v1/tickets", headers={"Authorization": "Bearer lk_no"}) for _ in range(3)]
            assert [answer.status_code for answer in wrong] == [401, 401, 429]


def test_stored_answer_older_than_a_day_is_deleted(
    people: People, ticket_body: dict[str, Any], database: Databases
) -> None:
    for key in ("old", "new"):
        people["olivia"].post("/v1/tickets", ticket_body, **{"Idempotency-Key": key})
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE idempotency_key SET created_at = now() - interval '25 hours' WHERE key = 'old'"))
    with transaction(database.engine("request")) as session:
        assert session.execute(text("SELECT forget_old_answers()")).scalar_one() == 1
        assert session.execute(text("SELECT key FROM idempotency_key")).scalar_one() == "new"
