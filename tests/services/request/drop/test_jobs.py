"""Lists are matched with the register: each match becomes one ticket under review, and nothing else is kept."""

import json
import threading
from typing import Any

import pytest
from sqlalchemy import text

from services.request.drop import jobs as drop_jobs
from shared.db.session import transaction
from shared.domain.drop_identifiers import hash_text, hashes_of
from shared.errors import StoreUnavailable
from shared.storage.local import LocalStore
from tests.services.request.drop.conftest import (
    EVA,
    EVAS_PHONE,
    MARA,
    MARAS_EMAIL,
    MARAS_PHONE,
    NOBODY,
    STEM,
    Drop,
    csv_of,
    item,
)
from tests.support.databases import Databases


def rows(database: Databases, statement: str) -> list[Any]:
    with transaction(database.engine("admin")) as session:
        return [tuple(row) for row in session.execute(text(statement))]


def test_match_becomes_a_ticket_under_review_with_its_clock(drop: Drop, database: Databases, store: LocalStore) -> None:
    """One person on three lists gets one ticket; whoever is not in the register leaves no trace."""
    ndz = hashes_of({"date_of_birth": ["1985-07-04"], "zip": ["91790"]}, ["Mara Lindqvist"])
    (combined,) = ndz["NDZ"]
    files = {
        "Phone": csv_of(hash_text("2025550100"), MARAS_PHONE),
        "Email": csv_of(hash_text(NOBODY), MARAS_EMAIL, first=11),
        "NDZ": csv_of(combined, first=21),
    }
    row, matches = drop.match(files)
    assert (row["status"], row["rows"], row["matched"], row["tickets"]) == ("succeeded", 5, 3, 1)
    assert [match["item"] for match in matches] == [item(2), item(12), item(21)]
    (number,) = {match["ticket"] for match in matches}
    ticket = drop.ticket(number)
    assert (ticket["state"], ticket["regime"], ticket["clock"], ticket["source"]) == (
        "under_review",
        "ccpa",
        "running",
        "drop",
    )
    assert ticket["external_ref"].rpartition("-")[0] in {item(2), item(12), item(21)}
    assert row["received_at"].startswith("2026-11-01T07:00:00")  # midnight in California
    assert ticket["due_at"].startswith("2026-12-1")  # 45 days later
    assert ticket["identity"] == "assumed"
    assert list(store.list("imports/")) == []
    kept = json.dumps(
        rows(database, "SELECT to_jsonb(d) FROM drop_match d") + rows(database, "SELECT to_jsonb(d) FROM drop_list d")
    )
    for trace in (item(1), item(11), MARAS_PHONE, MARAS_EMAIL, "Mara", "mara"):
        assert trace not in kept
    assert rows(database, "SELECT wrapped_key FROM drop_list") == [(None,)]
    assert rows(database, "SELECT count(*) FROM retired_key WHERE object = 'import'") == [(1,)]


def test_second_person_approves_what_the_importing_officer_may_not(drop: Drop) -> None:
    _, (match,) = drop.match({"Phone": csv_of(MARAS_PHONE)})
    body = {"names": ["Mara Lindqvist"]}
    assert drop.people["olivia"].post(f"/v1/tickets/{match['ticket']}/approve", body).status_code == 403
    assert drop.people["adam"].post(f"/v1/tickets/{match['ticket']}/approve", body).status_code == 200


def test_same_list_again_files_nothing_new(drop: Drop, database: Databases) -> None:
    files = {"Phone": csv_of(MARAS_PHONE, EVAS_PHONE)}
    _, first = drop.match(files)
    row, again = drop.match(files)
    assert (row["status"], row["matched"], again) == ("succeeded", 0, [])
    assert rows(database, "SELECT count(*) FROM ticket") == [(2,)]
    assert len({match["ticket"] for match in first}) == 2


def test_two_control_loops_file_each_person_once(drop: Drop, database: Databases) -> None:
    for _ in range(2):
        drop.send({"Phone": csv_of(MARAS_PHONE, EVAS_PHONE)})
    failed: list[Exception] = []

    def work() -> None:
        try:
            drop.runner.run_all()
        except Exception as exc:  # noqa: BLE001 - reported below
            failed.append(exc)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert rows(database, "SELECT count(*), count(DISTINCT ticket_id) FROM drop_match") == [(2, 2)]
    assert rows(database, "SELECT count(*) FROM ticket") == [(2,)]
    assert rows(database, "SELECT DISTINCT status FROM drop_list") == [("succeeded",)]


def test_interrupted_matching_goes_on_where_it_stopped(
    drop: Drop, database: Databases, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drop_jobs, "BATCH", 1)
    drop.send({"Phone": csv_of(MARAS_PHONE, EVAS_PHONE)})
    put, puts = store.put, []

    def failing(key: str, data: bytes) -> None:
        puts.append(key)
        if len(puts) == 2:
            raise StoreUnavailable("The object store cannot be reached.")
        put(key, data)

    monkeypatch.setattr(LocalStore, "put", lambda _, key, data: failing(key, data))
    with pytest.raises(StoreUnavailable):
        drop.runner.run()
    assert rows(database, "SELECT count(*) FROM ticket") == [(1,)]
    assert drop.runner.run()
    assert rows(database, "SELECT count(*) FROM ticket") == [(2,)]
    assert rows(database, "SELECT matched, tickets FROM drop_list") == [(2, 2)]


def test_identifier_that_several_people_share_gives_each_a_ticket(drop: Drop) -> None:
    shared = EVA | {"identifiers": {"phone": "415 555 9317"}}
    drop.write(MARA, shared)
    _, matches = drop.match({"Phone": csv_of(MARAS_PHONE)})
    assert len({match["ticket"] for match in matches}) == 2
    first, second = (match["ticket"] for match in matches)
    drop.reject(first, "no_match")
    drop.reject(second, "freedom_of_expression")
    report = drop.send({"Phone": csv_of(MARAS_PHONE)}, path="/v1/drop-lists/report").json()["items"]
    assert report == [{"name": f"{STEM}_Phone.csv", "content": f"Id,Status\n{item(1)},2\n", "rows": 1, "undecided": 0}]


def test_person_whose_row_cannot_be_filed_is_named_as_a_problem_and_filed_later(drop: Drop) -> None:
    drop.write(MARA | {"name": "What Is"})
    row, (match,) = drop.match({"Phone": csv_of(MARAS_PHONE)})
    assert (row["status"], row["tickets"], match["ticket"]) == ("succeeded", 0, None)
    assert match["problem"]
    drop.write(MARA)
    _, (match,) = drop.match({"Phone": csv_of(MARAS_PHONE)})
    assert (match["problem"], match["status"]) == (None, None)
    assert drop.ticket(match["ticket"])["state"] == "under_review"


def test_request_that_was_taken_back_is_noted_at_its_ticket(drop: Drop) -> None:
    _, (match,) = drop.match({"Phone": csv_of(MARAS_PHONE)})
    removed = f"ID,Hash,ListType\n{item(1)},{MARAS_PHONE},Phone\n"
    for _ in range(2):
        row, _ = drop.match({"Removed": removed})
        assert row["removed"] == 1
    kinds = [event["kind"] for event in drop.ticket(match["ticket"])["events"]]
    assert kinds.count("drop.removed") == 1
    drop.reject(match["ticket"], "no_match")
    report = drop.send({"Phone": csv_of(MARAS_PHONE)}, path="/v1/drop-lists/report").json()["items"]
    assert [(each["rows"], each["undecided"]) for each in report] == [(0, 1)]


def test_report_answers_every_work_item_that_has_a_status(drop: Drop) -> None:
    files = {"Phone": csv_of(MARAS_PHONE, EVAS_PHONE, hash_text("2025550100")), "Email": "ID,Hash\n"}
    unmatched = drop.send(files, path="/v1/drop-lists/report")
    assert (unmatched.status_code, unmatched.json()["type"]) == (409, "/v1/problems/conflict")
    _, matches = drop.match(files)
    by_item = {match["item"]: match["ticket"] for match in matches}
    (report,) = drop.send(files, path="/v1/drop-lists/report?suffix=part01").json()["items"]
    assert report["content"] == f"Id,Status\n{item(3)},5\n"
    assert (report["name"], report["undecided"]) == (f"{STEM}_Phone_part01.csv", 2)
    drop.reject(by_item[item(1)], "freedom_of_expression")
    drop.reject(by_item[item(2)], "insufficient_verification")
    (report,) = drop.send(files, path="/v1/drop-lists/report").json()["items"]
    assert report["content"] == f"Id,Status\n{item(1)},2\n{item(2)},4\n{item(3)},5\n"


def test_duplicate_is_answered_as_its_original(drop: Drop) -> None:
    body = {"names": ["Mara Lindqvist"], "facts": [{"attribute": "employer", "value": "Marble & Finch"}]}
    original = drop.people["olivia"].post("/v1/tickets", body | {"regime": "ccpa"}).json()["id"]
    _, (match,) = drop.match({"Phone": csv_of(MARAS_PHONE)})
    assert drop.ticket(match["ticket"])["duplicate_of"] == original
    assert match["status"] is None


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (MARA | {"identifiers": {"maid": "secret"}}, "line 1, identifiers.maid"),
        (MARA | {"identifiers": {"e-mail": "secret"}}, "line 1"),
        ({"prompt": "What?"}, "people alone"),
    ],
)
def test_register_that_cannot_be_used_fails_the_matching_and_says_where(drop: Drop, row: Any, says: str) -> None:
    drop.write(row)
    shown, _ = drop.match({"Phone": csv_of(MARAS_PHONE)})
    assert shown["status"] == "failed"
    assert says in shown["error"]
    assert "secret" not in shown["error"]


def test_list_of_another_tenant_or_without_a_register_is_not_matched(drop: Drop) -> None:
    context = drop.people.control
    for runner in (drop_jobs.DropListRunner(context, None), drop_jobs.DropListRunner(context, drop.file, "acme")):
        path = drop.send({"Phone": csv_of(MARAS_PHONE)}).headers["location"]
        assert runner.run()
        shown, matches = drop.shown(path)
        assert (shown["status"], matches) == ("failed", [])
        assert "LACUNA_DROP_PEOPLE" in shown["error"]


def test_photographs_of_the_register_are_checked_like_those_of_a_request(drop: Drop, picture: str) -> None:
    drop.write(MARA | {"photo": picture}, EVA | {"photos": ["data:image/png;base64,iVBORw0KGgo="]})
    _, matches = drop.match({"Phone": csv_of(MARAS_PHONE, EVAS_PHONE)})
    by_item = {match["item"]: match for match in matches}
    assert drop.ticket(by_item[item(1)]["ticket"])["photos"] == 1
    assert "Photo 1" in by_item[item(2)]["problem"]


@pytest.mark.parametrize(
    ("who", "status"), [("olivia", 202), ("rosa", 202), ("adam", 403), ("ada", 403), ("casey", 403)]
)
def test_officers_and_administrators_give_lists(drop: Drop, who: str, status: int) -> None:
    assert drop.send({"Phone": csv_of(MARAS_PHONE)}, who=who).status_code == status


def test_unreadable_files_are_refused(drop: Drop) -> None:
    assert drop.send_raw(b"x", "application/pdf").status_code == 415
    assert drop.send_raw(b"PK broken", "application/zip").status_code == 422
    assert drop.send_raw(csv_of(MARAS_PHONE).encode(), "text/csv").status_code == 422
    named = drop.send_raw(csv_of(MARAS_PHONE).encode(), "text/csv", f"/v1/drop-lists?name={STEM}_Phone.csv")
    assert named.status_code == 202
    assert drop.people["olivia"].get("/v1/drop-lists").json()["items"][0]["id"] == named.json()["id"]


def test_names_of_the_register_stay_out_of_the_log(drop: Drop, caplog: pytest.LogCaptureFixture) -> None:
    drop.match({"Phone": csv_of(MARAS_PHONE)})
    assert "Mara" not in caplog.text
