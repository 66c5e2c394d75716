"""Tickets over HTTP: who may do what, what is refused, and that nothing is lost."""

import base64
import io
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import event, text

from services.request.tickets import intake
from shared.crypto.keyring import KeyRing
from shared.db.session import transaction
from shared.errors import Conflict, StoreUnavailable
from shared.storage.local import LocalStore
from tests.support.api import OpenService, People
from tests.support.databases import Databases

GROUND = {"ground": "consent_withdrawn", "names": ["Mara Lindqvist"]}


def problem(response: Any, status: int, code: str) -> str:
    """Check that the answer is a problem (RFC 9457) and give its detail."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["type"].endswith(f"/{code}")
    assert body["title"]
    return str(body["detail"])


def filed(people: People, body: dict[str, Any], **more: Any) -> str:
    response = people["olivia"].post("/v1/tickets", body | more)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def count(database: Databases, table: str) -> int:
    with transaction(database.engine("admin")) as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608


def test_filed_ticket_is_reviewed_listed_and_stored(
    people: People, ticket_body: dict[str, Any], store: LocalStore
) -> None:
    response = people["olivia"].post("/v1/tickets", ticket_body)
    ticket = response.json()
    assert response.headers["location"] == f"/v1/tickets/{ticket['id']}"
    assert (ticket["state"], ticket["photos"], ticket["facts"]) == ("under_review", 1, 1)
    assert [event["state"] for event in ticket["events"]] == ["received", "under_review"]
    assert people["ada"].get("/v1/tickets").json()["items"][0]["id"] == ticket["id"]
    assert list(store.list("payloads/")) == [f"payloads/default/{ticket['id']}"]


def test_answer_stored_by_a_concurrent_request_undoes_the_second_ticket(
    people: People, ticket_body: dict[str, Any], database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request commits after the second has looked for a stored answer and before it stores its own."""
    insert_tickets = intake.insert_tickets

    def overtaken(*args: Any) -> Any:
        with transaction(database.engine("admin")) as session:
            row = "INSERT INTO idempotency_key VALUES ('default', 'olivia', 'k', '', 201, '{}', '{}', now())"
            session.execute(text(row))
        return insert_tickets(*args)

    monkeypatch.setattr(intake, "insert_tickets", overtaken)
    problem(people["olivia"].post("/v1/tickets", ticket_body, **{"Idempotency-Key": "k"}), 409, "in-flight")
    assert (count(database, "ticket"), count(database, "ticket_event")) == (0, 0)


def test_filing_takes_five_round_trips(people: People, ticket_body: dict[str, Any]) -> None:
    """What makes filing fast: lock and answer of the key, locks of names, earlier tickets, all rows, the answer."""
    seen: list[str] = []
    event.listen(people.context.database, "before_cursor_execute", lambda *given: seen.append(given[2]))
    people["olivia"].post("/v1/tickets", ticket_body, **{"Idempotency-Key": "k"})
    assert len([statement for statement in seen if "api_key" not in statement]) == 5


def test_ticket_inserted_in_a_later_state_is_refused_by_the_database(
    people: People, ticket_body: dict[str, Any]
) -> None:
    """A new row is under review or a duplicate, and nothing further."""
    filed(people, ticket_body)
    copy = (
        "INSERT INTO ticket SELECT (jsonb_populate_record(t, jsonb_build_object('id', 'T-X', 'state', 'approved'))).*"
    )
    with pytest.raises(Conflict, match="must be received"), transaction(people.context.database) as session:
        session.execute(text(f"{copy} FROM ticket AS t"))


def test_approval_by_submitter_is_refused(people: People, ticket_body: dict[str, Any]) -> None:
    ticket = filed(people, ticket_body)
    detail = problem(people["olivia"].post(f"/v1/tickets/{ticket}/approve", GROUND), 403, "four-eyes")
    assert "somebody else" in detail
    approved = people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND).json()
    assert (approved["state"], approved["decided_by"], approved["ground"]) == ("approved", "adam", "consent_withdrawn")


def test_approval_by_submitter_is_refused_by_the_database(
    people: People, database: Databases, ticket_body: dict[str, Any]
) -> None:
    ticket = filed(people, ticket_body)
    with pytest.raises(Conflict, match="neither filed nor edited"), transaction(database.engine("request")) as session:
        session.execute(
            text("UPDATE ticket SET decided_by = 'olivia', state = 'approved' WHERE id = :id"), {"id": ticket}
        )


def test_ground_of_an_approval_is_one_of_the_law(people: People, ticket_body: dict[str, Any]) -> None:
    """Under the GDPR it has to be named; under the CCPA the request is the ground, and no other is taken."""
    names = ticket_body["names"]
    european = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    californian = (
        people["olivia"].post("/v1/tickets", ticket_body | {"names": ["Ida Borg"], "regime": "ccpa"}).json()["id"]
    )
    unnamed = people["adam"].post(f"/v1/tickets/{european}/approve", {"names": names})
    assert (unnamed.status_code, unnamed.json()["type"].split("/")[-1]) == (422, "reason-missing")
    for ticket, ground in ((european, "deletion_request"), (californian, "consent_withdrawn")):
        answer = people["adam"].post(f"/v1/tickets/{ticket}/approve", {"ground": ground, "names": ["Ida Borg", *names]})
        assert (answer.status_code, answer.json()["type"].split("/")[-1]) == (422, "bad-input")
    approved = people["adam"].post(f"/v1/tickets/{californian}/approve", {"names": ["Ida Borg"]}).json()
    assert (approved["state"], approved["ground"]) == ("approved", "deletion_request")


def test_second_approval_is_refused(people: People, ticket_body: dict[str, Any], database: Databases) -> None:
    """Of two approvals at the same moment one is refused, and one refit is ordered."""
    ticket = filed(people, ticket_body, urgent=True)
    orders = count(database, "outbox")
    seen = {"If-Match": people["adam"].get(f"/v1/tickets/{ticket}").headers["etag"]}
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda _: people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND, **seen), range(4))
        )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    assert count(database, "outbox") == orders + 1
    assert "scheduled" in problem(people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND), 409, "conflict")


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("adam", "/v1/tickets", 403),
        ("casey", "/v1/tickets", 403),
        ("oscar", "/v1/tickets/{ticket}/approve", 403),
        ("ada", "/v1/tickets/{ticket}/reject", 403),
        ("oscar", "/v1/tickets/{ticket}/withdraw", 403),
        ("ada", "/v1/refits", 403),
        ("olivia", "/v1/erasers/0/promote", 403),
        ("adam", "/v1/erasers/0/rollback", 403),
    ],
)
def test_call_without_the_role_is_refused(
    people: People, ticket_body: dict[str, Any], who: str, path: str, status: int
) -> None:
    bodies = {"approve": GROUND, "reject": {"code": "no_match", "note": "-"}, "withdraw": {"note": "-"}}
    ticket = filed(people, ticket_body)
    body = bodies.get(path.rsplit("/", 1)[-1], ticket_body if path == "/v1/tickets" else {})
    assert "role" in problem(people[who].post(path.format(ticket=ticket), body), status, "forbidden")


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic b2xpdmlhOng="}])
def test_unknown_key_is_refused(people: People, header: dict[str, str]) -> None:
    response = people.app.get("/v1/tickets", headers=header)
    problem(response, 401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


def test_revoked_key_is_refused(people: People, database: Databases) -> None:
    assert people["ada"].get("/v1/tickets").status_code == 200
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE api_key SET revoked_at = now() WHERE owner = 'ada'"))
    people.forget_keys()  # as two seconds do
    problem(people["ada"].get("/v1/tickets"), 401, "unauthorized")


def claimed_png(width: int, height: int) -> str:
    """A picture of a few bytes whose header claims a size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    data = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(b"")) + part(b"IEND", b"")
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def bitmap() -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "BMP")
    return f"data:image/bmp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@pytest.mark.parametrize(
    ("change", "status", "code", "says"),
    [
        ({"names": [], "photos": []}, 422, "bad-input", "name or a photograph"),
        ({"names": ["  "]}, 422, "bad-input", "names"),
        ({"facts": [{"attribute": "Employer!", "value": "x"}]}, 422, "bad-input", "attribute"),
        ({"facts": [{"attribute": "city", "value": " "}]}, 422, "bad-input", "value"),
        ({"facts": [{"attribute": "city", "value": "Ulm"}] * 2}, 422, "bad-input", "twice"),
        ({"fact": []}, 422, "bad-input", "fact"),
        ({"photos": ["bm90IGFuIGltYWdl"]}, 422, "bad-input", "Photo 1"),
        ({"photos": ["data:image/png;base64,%%%"]}, 422, "bad-input", "base64"),
        ({"photos": ["https://example.org/mara.png"]}, 422, "bad-input", "data URL"),
        ({"photos": [bitmap()]}, 422, "bad-input", "PNG, JPEG or WebP"),
        ({"photos": [claimed_png(10_000, 5_000)]}, 413, "too-large", "50"),
        ({"photos": [claimed_png(100_000, 100_000)]}, 413, "too-large", "megapixels"),
        ({"photos": ["data:image/png;base64," + base64.b64encode(bytes(9_000_000)).decode()]}, 422, "bad-input", ""),
    ],
)
def test_invalid_ticket_is_refused_and_leaves_nothing(
    people: People,
    database: Databases,
    store: LocalStore,
    ticket_body: dict[str, Any],
    change: dict[str, Any],
    status: int,
    code: str,
    says: str,
) -> None:
    response = people["olivia"].post("/v1/tickets", ticket_body | change)
    assert says in problem(response, status, code)
    assert "Marble" not in response.text
    assert count(database, "ticket") == 0
    assert list(store.list("payloads/")) == []


def test_body_that_is_no_json_or_too_large_is_refused(people: People) -> None:
    head = {"Authorization": f"Bearer {people.keys['olivia']}", "Content-Type": "application/json"}
    problem(people.app.post("/v1/tickets", content=b"{", headers=head), 422, "bad-input")
    deep = b"[" * 10_000 + b"]" * 10_000
    problem(people.app.post("/v1/tickets", content=deep, headers=head), 422, "bad-input")
    huge = head | {"Content-Length": str(10**9)}
    problem(people.app.post("/v1/tickets", content=b"{}", headers=huge), 413, "too-large")
    problem(people.app.post("/v1/tickets", content=iter([b"{}"]), headers=head), 411, "length-required")


def test_unknown_ticket_version_or_path_is_not_found(people: People) -> None:
    problem(people["olivia"].get("/v1/tickets/T-00000000"), 404, "not-found")
    problem(people["adam"].post("/v1/tickets/T-00000000/approve", GROUND), 404, "not-found")
    problem(people["ada"].get("/v1/erasers/7"), 404, "not-found")
    problem(people["ada"].get("/v1/erasers/7/audit"), 404, "not-found")
    problem(people["olivia"].get("/v1/nothing"), 404, "http")
    problem(people["olivia"].post("/v1/status"), 405, "http")


def test_refit_without_an_approved_ticket_is_refused(people: People, ticket_body: dict[str, Any]) -> None:
    filed(people, ticket_body)
    assert "no approved ticket" in problem(people["oscar"].post("/v1/refits"), 409, "conflict")


def test_refit_by_operator_schedules_approved_tickets(
    people: People, ticket_body: dict[str, Any], database: Databases
) -> None:
    ticket = filed(people, ticket_body)
    people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND)
    orders = count(database, "outbox")
    assert people["oscar"].post("/v1/refits").status_code == 202
    assert count(database, "outbox") == orders + 1
    assert people["olivia"].get(f"/v1/tickets/{ticket}").json()["state"] == "scheduled"


def test_repeated_idempotency_key_files_one_ticket(
    people: People, ticket_body: dict[str, Any], database: Databases
) -> None:
    olivia, key = people["olivia"], {"Idempotency-Key": "case-7"}
    first, again = olivia.post("/v1/tickets", ticket_body, **key), olivia.post("/v1/tickets", ticket_body, **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    other = ticket_body | {"names": ["Somebody Else"]}
    assert "another request" in problem(olivia.post("/v1/tickets", other, **key), 422, "idempotency-key-reused")
    assert count(database, "ticket") == 1


def test_repeated_external_reference_is_refused(people: People, ticket_body: dict[str, Any]) -> None:
    body = ticket_body | {"source": "web-form", "external_ref": "case-1042"}
    filed(people, body)
    assert "case-1042" in problem(people["olivia"].post("/v1/tickets", body), 409, "conflict")


def test_change_with_stale_etag_is_refused(people: People, ticket_body: dict[str, Any]) -> None:
    ticket = filed(people, ticket_body)
    seen = people["adam"].get(f"/v1/tickets/{ticket}").headers["etag"]
    reject = {"code": "no_match", "note": "We hold nothing about you."}
    problem(
        people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND, **{"If-Match": '"1"'}), 412, "precondition-failed"
    )
    assert people["adam"].post(f"/v1/tickets/{ticket}/reject", reject, **{"If-Match": seen}).status_code == 200


def test_rejected_or_withdrawn_ticket_cannot_be_moved(people: People, ticket_body: dict[str, Any]) -> None:
    rejected, withdrawn = filed(people, ticket_body), filed(people, ticket_body, names=["Ida Borg"])
    note = {"code": "freedom_of_expression", "note": "A public interest prevails."}
    answer = people["adam"].post(f"/v1/tickets/{rejected}/reject", note).json()
    assert (answer["state"], answer["decision_code"], answer["decision_note"]) == ("rejected", *note.values())
    assert (
        people["olivia"].post(f"/v1/tickets/{withdrawn}/withdraw", {"note": "asked to"}).json()["state"] == "withdrawn"
    )
    for ticket in (rejected, withdrawn):
        problem(people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND), 409, "conflict")
        problem(people["olivia"].post(f"/v1/tickets/{ticket}/withdraw", {"note": "again"}), 409, "conflict")


def test_pages_contain_every_ticket_once(people: People, ticket_body: dict[str, Any]) -> None:
    ids = [filed(people, ticket_body) for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = people["olivia"].get(f"/v1/tickets?limit=2{f'&cursor={cursor}' if cursor else ''}").json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert seen == ids[::-1]
    assert people["olivia"].get("/v1/tickets?state=approved").json()["items"] == []
    problem(people["olivia"].get("/v1/tickets?limit=0"), 422, "bad-input")


class Away(LocalStore):
    """A store that cannot be reached."""

    def put(self, key: str, data: bytes) -> None:
        raise StoreUnavailable("The object store cannot be reached.")


def test_filing_without_the_store_leaves_no_ticket(
    open_service: OpenService, database: Databases, tmp_path: Any, ticket_body: dict[str, Any]
) -> None:
    people = open_service(Away(tmp_path))
    response = people["olivia"].post("/v1/tickets", ticket_body)
    problem(response, 503, "store-unavailable")
    assert response.headers["retry-after"]
    assert count(database, "ticket") == 0


def test_personal_data_is_found_in_no_table_message_or_log(
    people: People,
    database: Databases,
    store: LocalStore,
    ticket_body: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A canary: name and fact are in no table, no log line and no readable byte of the store."""
    ticket = filed(people, ticket_body, urgent=True)
    people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND)
    with transaction(database.engine("admin")) as session:
        tables = session.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
        dump = "".join(
            str(row)
            for table in tables
            for row in session.execute(text(f"SELECT t::text FROM {table} t"))  # noqa: S608
        )
    stored = b"".join(key.encode() + store.get(key) for key in store.list(""))
    shown = people["olivia"].get(f"/v1/tickets/{ticket}").text + people["olivia"].get("/v1/status").text
    for canary in ("Mara", "Lindqvist", "Marble", "Finch"):
        assert canary.casefold() not in (dump + shown + caplog.text).casefold()
        assert canary.encode() not in stored
    assert ticket in dump


def test_names_in_any_script_are_accepted(
    people: People, ticket_body: dict[str, Any], keys: KeyRing, store: LocalStore
) -> None:
    names = ["Žofie Dvořáková", "山田 太郎", "محمد علي", "Ольга", "A\u0301ine O’Neill 🦊"]
    assert filed(people, ticket_body, names=names)


def test_request_service_does_not_load_torch() -> None:
    code = "import sys, services.request.app, services.request.worker.main; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
