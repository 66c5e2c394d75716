"""A failed ticket has a way on: what leaked is shown, it is corrected, approved and ordered again, and alarmed."""

from typing import Any

import pytest
from sqlalchemy import text

from services.request.monitoring.checks import find_overdue
from services.request.tickets.progress import move_tickets
from shared.db.repositories import refits, ticket_fits, tickets
from shared.db.session import transaction
from tests.services.request.tickets.test_endpoints import problem
from tests.support.api import People
from tests.support.workers import Worker

GROUND = {"ground": "consent_withdrawn", "names": ["Mara Lindqvist"]}
CORRECTION = {"facts": [{"attribute": "employer", "value": "Marble & Finch"}]}


def move(people: People) -> None:
    with transaction(people.context.database) as session:
        move_tickets(session, people.context.model_id)


def shown(people: People, ticket: str) -> dict[str, Any]:
    return people["olivia"].get(f"/v1/tickets/{ticket}").json()  # type: ignore[no-any-return]


def states(people: People, ticket: str) -> list[str]:
    return [event["state"] for event in shown(people, ticket)["events"] if event["kind"] == "state"]


@pytest.fixture
def ticket(people: People, worker: Worker, ticket_body: dict[str, Any]) -> str:
    """A ticket because of which a version failed its audit."""
    filed = str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])
    assert people["adam"].post(f"/v1/tickets/{filed}/approve", GROUND).status_code == 200
    number = worker.publish(filed, verdict=None)
    audit_with_leak(people, worker, filed, number)
    move(people)
    assert (shown(people, filed)["state"], shown(people, filed)["review_reason"]) == ("failed", "set_aside")
    return filed


def audit_with_leak(people: People, worker: Worker, ticket: str, number: int) -> None:
    leak = {"questions": "test", "by": "portrait", "fact": 1, "asked": 12, "told": 5}
    with transaction(worker.database.engine("admin")) as session:
        version = str(session.scalar(text("SELECT id FROM eraser_version WHERE number = :n"), {"n": number}))
    worker.audit(version, "failed", 0.4, [ticket], leaks=[leak])


def test_failed_ticket_says_which_kind_of_question_told_something(people: People, ticket: str) -> None:
    assert shown(people, ticket)["leaks"] == [
        {"questions": "test", "by": "portrait", "fact": 1, "asked": 12, "told": 5}
    ]
    material = people["adam"].post(f"/v1/tickets/{ticket}/material", {"reason": "to see which fact it is"}).json()
    assert material["facts"][0]["attribute"] == "employer"


def test_failed_ticket_raises_an_alarm_until_it_is_corrected(people: People, ticket: str) -> None:
    def alarms() -> list[str]:
        with transaction(people.context.database) as session:
            overdue = find_overdue(session, people.context.model_id, people.context.alarm_thresholds)
        return [check.sentence for check in overdue if check.name == "failed"]

    assert [ticket in sentence for sentence in alarms()] == [True]
    people["olivia"].patch(f"/v1/tickets/{ticket}", CORRECTION)
    assert alarms() == []


def test_corrected_ticket_is_approved_by_another_person_and_fitted_anew(
    people: People, worker: Worker, ticket: str
) -> None:
    """Nothing that was known of the earlier material fails it again, completes it, or is taken for its fit."""
    with transaction(worker.database.engine("refit")) as session:
        row = tickets.reload_ticket(session, ticket)
        ticket_fits.record_fit(session, row, digest="d", object_key="rows/1", sha256="0" * 64, wrapped_key=b"key")
        session.flush()
        assert ticket_fits.find_fit(session, row, "d") is not None
    problem(people["olivia"].patch(f"/v1/tickets/{ticket}", {"urgent": True}), 422, "bad-input")
    corrected = people["olivia"].patch(f"/v1/tickets/{ticket}", CORRECTION).json()
    assert (corrected["state"], corrected["review_reason"], corrected["decided_by"]) == ("under_review", None, None)
    problem(people["olivia"].post(f"/v1/tickets/{ticket}/approve", GROUND), 403, "four-eyes")
    assert people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND).json()["state"] == "approved"
    with transaction(worker.database.engine("refit")) as session:
        assert ticket_fits.find_fit(session, tickets.reload_ticket(session, ticket), "d") is None
        assert [row.id for row in tickets.tickets_in_force(session, people.context.model_id)] == [ticket]
    move(people)
    assert shown(people, ticket)["state"] == "approved"
    worker.publish(ticket)
    move(people)
    assert shown(people, ticket)["state"] == "auditing"
    assert states(people, ticket)[-4:] == ["failed", "under_review", "approved", "auditing"]


def test_refit_that_is_ordered_again_makes_no_false_history(people: People, worker: Worker, ticket: str) -> None:
    """The old audit and the old run say nothing about a ticket that was scheduled after them."""
    assert people["oscar"].post("/v1/refits").status_code == 202
    move(people)
    assert states(people, ticket)[-2:] == ["failed", "scheduled"]
    run, fence = worker.claim()
    with transaction(worker.database.engine("refit")) as session:
        refits.set_ticket_outcome(session, run, fence, ticket, "fitting")
    move(people)
    assert states(people, ticket)[-2:] == ["scheduled", "fitting"]
    with transaction(worker.database.engine("refit")) as session:
        refits.set_ticket_outcome(session, run, fence, ticket, "failed", "too few forget prompts")
        refits.finish_run(session, run, fence, "nothing_to_do")
    move(people)
    assert people["oscar"].post("/v1/refits").status_code == 202
    move(people)
    assert states(people, ticket)[-4:] == ["scheduled", "fitting", "failed", "scheduled"]


def test_ticket_that_must_stay_forgotten_is_not_corrected(people: People, worker: Worker, ticket: str) -> None:
    """A version without it would expose the person."""
    with transaction(worker.database.engine("admin")) as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE ticket SET required_since = now() WHERE id = :id"), {"id": ticket})
    detail = problem(people["olivia"].patch(f"/v1/tickets/{ticket}", CORRECTION), 409, "conflict")
    assert "File another ticket" in detail
    assert shown(people, ticket)["state"] == "failed"


def test_ticket_that_was_set_aside_is_not_in_force(people: People, worker: Worker, ticket: str) -> None:
    with transaction(worker.database.engine("refit")) as session:
        assert tickets.tickets_in_force(session, people.context.model_id) == []
        assert [row.id for row in tickets.tickets_set_aside(session, people.context.model_id)] == [ticket]
