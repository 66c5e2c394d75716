"""Who handles a ticket: a note for people at work, which gives nobody a right."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from shared.db.session import transaction
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.tenants import add_tenant


@pytest.fixture
def ticket(people: People, ticket_body: dict[str, Any]) -> str:
    return str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])


def assign(people: People, ticket: str, to: str | None, name: str = "olivia") -> Any:
    return people[name].post(f"/v1/tickets/{ticket}/assign", {"to": to})


def listed(people: People, name: str = "olivia", **filters: str) -> list[str]:
    query = "&".join(f"{key}={value}" for key, value in filters.items())
    return [each["id"] for each in people[name].get(f"/v1/tickets?{query}").json()["items"]]


def test_assignment_is_shown_counted_as_a_change_and_kept_in_history_and_log(people: People, ticket: str) -> None:
    before = people["olivia"].get(f"/v1/tickets/{ticket}").json()
    assert before["assigned_to"] is None
    answer = assign(people, ticket, "adam")
    assert (answer.status_code, answer.json()["assigned_to"], answer.json()["version"]) == (
        200,
        "adam",
        before["version"] + 1,
    )
    event = answer.json()["events"][-1]
    assert (event["kind"], event["actor"], event["note"]) == ("assigned", "olivia", "adam")
    freed = assign(people, ticket, None, "adam").json()
    assert (freed["assigned_to"], freed["events"][-1]["kind"]) == (None, "unassigned")
    with transaction(people.context.database) as session:
        kinds = session.connection().exec_driver_sql("SELECT kind FROM log_leaf WHERE subject = %s", (ticket,)).all()
    assert {("ticket.assigned",), ("ticket.unassigned",)} <= set(kinds)


def test_assigning_to_the_same_person_again_records_nothing(people: People, ticket: str) -> None:
    first = assign(people, ticket, "me").json()
    again = assign(people, ticket, "olivia").json()
    assert (first["assigned_to"], again["version"], again["events"]) == ("olivia", first["version"], first["events"])


@pytest.mark.parametrize(
    ("to", "sentence"),
    [
        ("zoe", "Nobody of the name zoe works here."),
        ("oscar", "oscar is neither officer nor approver nor administrator, and could do nothing."),
        ("", "to"),
        ("a\nb", "to"),
        ("x" * 201, "to"),
    ],
)
def test_assignment_to_somebody_who_could_do_nothing_is_refused_and_changes_nothing(
    people: People, ticket: str, to: str, sentence: str
) -> None:
    before = people["olivia"].get(f"/v1/tickets/{ticket}").json()
    refused = assign(people, ticket, to)
    assert refused.status_code == 422
    assert sentence in refused.json()["detail"]
    assert people["olivia"].get(f"/v1/tickets/{ticket}").json() == before


def test_disabled_person_is_offered_and_accepted_no_more_and_keeps_what_they_had(people: People, ticket: str) -> None:
    person = people.add("paula", "officer")
    assert assign(people, ticket, "paula").status_code == 200
    names = {each["name"] for each in people["olivia"].get("/v1/assignees").json()["items"]}
    assert names == {"adam", "olivia", "paula", "rosa", "viktor"}
    assert people["rosa"].post(f"/v1/people/{person}/disable").status_code == 200
    assert "paula" not in {each["name"] for each in people["olivia"].get("/v1/assignees").json()["items"]}
    assert people["olivia"].get(f"/v1/tickets/{ticket}").json()["assigned_to"] == "paula"
    assert assign(people, ticket, None).status_code == 200
    assert "is disabled" in assign(people, ticket, "paula").json()["detail"]


def test_list_is_narrowed_to_whose_the_tickets_are_with_a_cursor_of_its_own(people: People) -> None:
    filed = [
        people["olivia"].post("/v1/tickets", {"names": [f"Person {n}"], "facts": []}).json()["id"] for n in range(5)
    ]
    for ticket in filed[:3]:
        assign(people, ticket, "adam")
    adam = next(each["id"] for each in people["adam"].get("/v1/assignees").json()["items"] if each["name"] == "adam")
    assert sorted(listed(people, "adam", assigned="me")) == sorted(filed[:3])
    assert sorted(listed(people, "olivia", assigned=adam)) == sorted(filed[:3])
    assert sorted(listed(people, "olivia", assigned="nobody")) == sorted(filed[3:])
    assert listed(people, "olivia", assigned="me") == []
    due = "9999-01-01T00:00:00Z"
    assert sorted(listed(people, "adam", assigned="me", due_before=due)) == sorted(filed[:3])
    page = people["adam"].get("/v1/tickets?assigned=me&limit=2").json()
    rest = people["adam"].get(f"/v1/tickets?assigned=me&limit=2&cursor={page['next']}").json()
    assert len(page["items"]) + len(rest["items"]) == 3
    stolen = people["olivia"].get(f"/v1/tickets?assigned=me&limit=2&cursor={page['next']}")
    assert stolen.status_code == 400
    assert people["olivia"].get("/v1/tickets?assigned=adam").status_code == 422


def test_assignment_based_on_an_outdated_ticket_is_refused(people: People, ticket: str) -> None:
    seen = people["olivia"].get(f"/v1/tickets/{ticket}").headers["etag"]
    assert assign(people, ticket, "adam").status_code == 200
    late = people["olivia"].post(f"/v1/tickets/{ticket}/assign", {"to": "me"}, **{"If-Match": seen})
    assert late.status_code == 412
    assert people["olivia"].post(f"/v1/tickets/{ticket}/assign", {"to": "me"}, **{"If-Match": ""}).status_code >= 400


def test_two_who_take_a_ticket_at_once_leave_it_with_one_of_them(people: People, ticket: str) -> None:
    seen = people["olivia"].get(f"/v1/tickets/{ticket}").headers["etag"]
    barrier = threading.Barrier(2)

    def take(name: str) -> int:
        barrier.wait()
        answer = people[name].post(f"/v1/tickets/{ticket}/assign", {"to": "me"}, **{"If-Match": seen})
        return int(answer.status_code)

    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(take, ("olivia", "adam")))
    assert sorted(statuses) == [200, 412]


def test_assignment_gives_no_right(people: People, ticket: str) -> None:
    assign(people, ticket, "me")
    approval = {"ground": "objection", "names": ["Mara Lindqvist"]}
    assert people["olivia"].post(f"/v1/tickets/{ticket}/approve", approval).status_code == 403


def test_person_of_another_tenant_is_nobody_here_and_the_database_refuses_one(
    people: People, ticket: str, database: Databases
) -> None:
    other = add_tenant(people)
    assert "Nobody of the name" in assign(people, ticket, other.name_of["officer"]).json()["detail"]
    theirs = other["officer"].get("/v1/assignees").json()["items"]
    assert "olivia" not in {each["name"] for each in theirs}
    with (
        psycopg.connect(database.url("request")) as connection,
        pytest.raises(psycopg.errors.ForeignKeyViolation),
    ):
        connection.execute(
            "UPDATE ticket SET assigned_to = %s, version = version + 1 WHERE id = %s", (theirs[0]["id"], ticket)
        )
