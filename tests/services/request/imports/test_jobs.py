"""Bulk import: rows that are filed, rows and files that are refused, and recovery after a crash."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from services.request.imports import jobs as imports_jobs
from services.request.imports.jobs import ImportJobRunner
from shared.db.session import transaction
from shared.errors import StoreUnavailable
from shared.storage.local import LocalStore
from tests.support.api import People
from tests.support.databases import Databases

HEADER = "names,fact.employer,urgent,external_ref\n"
NAMES = ["Žofie Dvořáková", "山田 太郎", "محمد علي", "Ольга Ivanova", "A\u0301ine O’Neill 🦊"]


def sent(people: People, raw: bytes | str, kind: str = "text/csv", query: str = "", who: str = "olivia") -> Any:
    head = {"Authorization": f"Bearer {people.keys[who]}", "Content-Type": kind}
    return people.app.post(f"/v1/imports{query}", content=raw, headers=head)


def done(people: People, raw: bytes | str, kind: str = "text/csv", query: str = "") -> tuple[dict[str, Any], list[Any]]:
    answer = sent(people, raw, kind, query)
    assert answer.status_code == 202, answer.text
    assert ImportJobRunner(people.context).run()
    job = people["olivia"].get(answer.headers["location"]).json()
    return job, people["olivia"].get(f"{answer.headers['location']}/rows").json()["items"]


def tickets(database: Databases) -> int:
    with transaction(database.engine("admin")) as session:
        return int(session.execute(text("SELECT count(*) FROM ticket")).scalar_one())


def test_valid_rows_are_filed_and_wrong_rows_are_refused(
    people: People, database: Databases, store: LocalStore
) -> None:
    """Names in every script, a byte order mark and quoted line breaks are read; wrong rows are reported."""
    lines = [f'{name},"Marble & Finch",yes,case-{number}\n' for number, name in enumerate(NAMES)]
    wrong = ['Mara "M" L,"x"y,,\n', ",x,,\n", "Mara,x,perhaps,\n", "Mara,x\n", "Mara,x,,case-0\n"]
    job, rows = done(people, ("\ufeff" + HEADER + "".join(lines + wrong)).encode())
    assert (job["status"], job["rows"], job["accepted"], job["refused"]) == ("succeeded", 10, 5, 5)
    assert all(result["ticket"] and result["problem"] is None for result in rows[:5])
    for row, says in zip(
        rows[5:], ("not CSV", "a name or a photograph", "urgent", "cells", "filed before"), strict=True
    ):
        assert says in row["problem"]
        assert "perhaps" not in row["problem"]
    assert tickets(database) == 5
    assert list(store.list("imports/")) == []
    refused = people["olivia"].get(f"/v1/imports/{job['id']}/rows?refused=true&limit=2").json()
    assert [result["row"] for result in refused["items"]] == [6, 7]
    more = people["olivia"].get(f"/v1/imports/{job['id']}/rows?refused=true&cursor={refused['next']}").json()
    assert [result["row"] for result in more["items"]] == [8, 9, 10]


def test_batch_follows_the_rules_of_single_filing(
    people: People, database: Databases, ticket_body: dict[str, Any]
) -> None:
    """Duplicates, namesakes and wrong laws are treated as in single filing, and each ticket has a leaf and a clock."""
    first = people["olivia"].post("/v1/tickets", ticket_body).json()["id"]
    plain = ticket_body | {"photos": []}
    other = plain | {"names": ["Ida Borg", "Ida B."]}
    lines = [
        plain,
        other,
        other | {"names": ["ida b."]},
        other | {"facts": [{"attribute": "city", "value": "Ulm"}]},
        plain | {"names": ["Eva Ek"], "calendar": "XX"},
        plain | {"names": ["Eva Ek"], "received_at": "2999-01-01T00:00:00Z"},
    ]
    job, rows = done(people, "\n".join(map(json.dumps, lines)), "application/x-ndjson")
    assert (job["status"], job["accepted"], job["refused"]) == ("succeeded", 4, 2)
    shown = [people["olivia"].get(f"/v1/tickets/{item['ticket']}").json() for item in rows[:4]]
    assert [item["state"] for item in shown] == ["duplicate", "under_review", "duplicate", "under_review"]
    assert [item["duplicate_of"] for item in shown] == [first, None, rows[1]["ticket"], None]
    assert [item["review_reason"] for item in shown] == [None, None, None, "possible_namesake"]
    assert [item["clock"] for item in shown] == ["stopped", "running", "stopped", "running"]
    assert [[event["state"] for event in item["events"]] for item in shown[:2]] == [
        ["received", "duplicate"],
        ["received", "under_review"],
    ]
    with transaction(database.engine("admin")) as session:
        leaves = session.execute(
            text("SELECT kind, detail ->> 'version' FROM log_leaf WHERE subject = :one ORDER BY id"),
            {"one": rows[0]["ticket"]},
        )
        assert [tuple(item) for item in leaves] == [("ticket.received", "1"), ("ticket.duplicate", "2")]


def test_dry_run_files_nothing(people: People, database: Databases, store: LocalStore) -> None:
    job, rows = done(people, HEADER + "Mara,x,,a\n,x,,b\n", query="?dry_run=true")
    assert (job["accepted"], job["refused"]) == (1, 1)
    assert rows[0] == {"row": 1, "ticket": None, "duplicate_of": None, "problem": None}
    assert tickets(database) == 0
    assert list(store.list("payloads/")) == []


def test_lines_of_json_are_filed(people: People, ticket_body: dict[str, Any], database: Databases) -> None:
    deep = "[" * 10_000 + "]" * 10_000
    lines = [json.dumps(ticket_body), deep, "{", json.dumps(ticket_body | {"photos": ["data:image/png;base64,AAAA"]})]
    job, rows = done(people, "\n".join(lines), "application/x-ndjson")
    assert (job["accepted"], job["refused"]) == (1, 3)
    assert "Photo 1" in rows[3]["problem"]
    assert tickets(database) == 1


@pytest.mark.parametrize(
    ("raw", "kind", "status", "says"),
    [
        ("names,fact.city\nJosé,Ulm\n".encode("latin-1"), "text/csv", 422, "UTF-8"),
        ("names,fact.city\nJosé,Ulm\n".encode("cp1252"), "text/csv", 422, "CSV UTF-8"),
        (b"name,city\nMara,Ulm\n", "text/csv", 422, "Column 2 is not known"),
        (b"names,Name\nMara,Ulm\n", "text/csv", 422, "Column 2 is there twice"),
        (b"fact.city\nUlm\n", "text/csv", 422, "names is missing"),
        (b'names,fact.city\n"Mara,Ulm\n', "text/csv", 422, "CSV"),
        (HEADER.encode(), "text/csv", 422, "no row"),
        (b"x", "application/pdf", 415, "text/csv"),
    ],
)
def test_unreadable_file_is_refused(people: People, raw: bytes, kind: str, status: int, says: str) -> None:
    answer = sent(people, raw, kind)
    assert answer.status_code == status
    assert says in answer.json()["detail"]
    assert "Mara" not in answer.text


def test_oversized_file_is_refused_before_it_is_read(people: People) -> None:
    head = {"Authorization": f"Bearer {people.keys['olivia']}", "Content-Type": "text/csv"}
    taken = []

    def pieces() -> Any:
        for _ in range(1000):
            taken.append(1)
            yield bytes(2**20)

    refused = people.app.post("/v1/imports", content=b"", headers=head | {"Content-Length": str(2**30)})
    assert refused.status_code == 413
    assert people.app.post("/v1/imports", content=pieces(), headers=head).status_code == 411


def test_interrupted_import_continues_where_it_stopped(
    people: People, database: Databases, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store fails in the second batch: the first batch stays, and the next run files the rest once."""
    monkeypatch.setattr(imports_jobs, "BATCH", 2)
    answer = sent(people, HEADER + "".join(f"Mara,x,,c{n}\n" for n in range(5)))
    put, puts = store.put, []

    def failing(key: str, data: bytes) -> None:
        puts.append(key)
        if len(puts) == 3:
            raise StoreUnavailable("The object store cannot be reached.")
        put(key, data)

    object.__setattr__(people.context, "store", store)
    monkeypatch.setattr(store, "put", failing)
    with pytest.raises(StoreUnavailable):
        ImportJobRunner(people.context).run()
    assert people["olivia"].get(answer.headers["location"]).json()["done"] == 2
    assert ImportJobRunner(people.context).run()
    assert not ImportJobRunner(people.context).run()
    assert people["olivia"].get(answer.headers["location"]).json()["accepted"] == 5
    assert tickets(database) == 5
