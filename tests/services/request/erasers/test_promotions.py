"""Promotion, rollback, and how tickets move by what workers and replicas wrote."""

from typing import Any

import pytest
from sqlalchemy import text

from services.request.erasers import promotions
from services.request.tickets import progress
from shared.db.repositories import refits, tickets
from shared.db.session import transaction
from tests.support.api import MODEL, People
from tests.support.databases import Databases
from tests.support.workers import Worker

GROUND = {"ground": "consent_withdrawn"}


@pytest.fixture
def erased(people: People, worker: Worker, ticket_body: dict[str, Any]) -> str:
    """A ticket that is completed by version 1; version 0 is empty."""
    worker.publish()
    ticket = approved(people, ticket_body)
    worker.publish(ticket)
    run_jobs(people)
    worker.serve(1, 1)
    run_jobs(people)
    assert state(people, ticket) == "completed"
    return ticket


def approved(people: People, body: dict[str, Any]) -> str:
    ticket = str(people["olivia"].post("/v1/tickets", body | {"urgent": True}).json()["id"])
    names = body["names"]
    assert people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND | {"names": names}).status_code == 200
    return ticket


def run_jobs(people: People) -> None:
    """The jobs of the control loop that move tickets, without the queue."""
    for step in (promotions.promote_passed, progress.move_tickets):
        with transaction(people.context.database) as session:
            step(session, people.context.model_id)


def state(people: People, ticket: str) -> str:
    return str(people["olivia"].get(f"/v1/tickets/{ticket}").json()["state"])


def promoted(people: People) -> int:
    return int(people["olivia"].get("/v1/status").json()["promoted"])


def test_rollback_that_would_expose_somebody_is_refused_with_the_tickets(people: People, erased: str) -> None:
    response = people["oscar"].post("/v1/erasers/0/rollback")
    assert response.status_code == 409
    assert response.json()["type"].endswith("/rollback-would-reexpose")
    assert response.json()["tickets"] == [erased]
    assert promoted(people) == 1


def test_exposing_version_is_refused_by_the_database(people: People, database: Databases, erased: str) -> None:
    """Under the request service's own role, past all of its code."""
    with pytest.raises(Exception, match="expose 1 forgotten"), transaction(database.engine("request")) as session:
        session.execute(
            text(
                "UPDATE desired_state SET version_id = (SELECT id FROM eraser_version WHERE number = 0), generation = 9"
            )
        )


def test_rollback_after_withdrawal_is_allowed_and_not_undone(people: People, worker: Worker, erased: str) -> None:
    people["adam"].post(f"/v1/tickets/{erased}/withdraw", {"note": "She changed her mind."})
    answer = people["oscar"].post("/v1/erasers/0/rollback")
    assert (answer.status_code, answer.json()["promoted"]) == (200, True)
    run_jobs(people)
    assert promoted(people) == 0
    worker.publish()
    run_jobs(people)
    assert promoted(people) == 2


def test_invalid_promotion_or_rollback_is_refused(people: People, worker: Worker, erased: str) -> None:
    refused = worker.publish(erased, verdict="failed")
    unheard = worker.publish(erased, verdict=None)
    assert people["oscar"].post("/v1/erasers/1/promote").json()["detail"] == "Version 1 is the promoted one already."
    assert "newer" in people["oscar"].post(f"/v1/erasers/{refused}/rollback").json()["detail"]
    for number in (refused, unheard):
        response = people["oscar"].post(f"/v1/erasers/{number}/promote")
        assert response.status_code == 409
        assert response.json()["type"].endswith("/not-audited")
    assert people["oscar"].post("/v1/erasers/99/rollback").status_code == 404


def test_version_that_leaves_somebody_out_is_not_promoted_automatically(
    people: People, worker: Worker, erased: str
) -> None:
    worker.publish()
    with pytest.raises(Exception, match="expose 1 forgotten"):
        run_jobs(people)
    assert promoted(people) == 1


def test_ticket_is_completed_when_every_live_replica_serves_it(
    people: People, worker: Worker, ticket_body: dict[str, Any]
) -> None:
    worker.publish()
    run_jobs(people)
    ticket = approved(people, ticket_body)
    assert state(people, ticket) == "scheduled"
    run, fence = worker.claim()
    with transaction(worker.database.engine("refit")) as session:
        refits.set_ticket_outcome(session, run, fence, ticket, "fitting")
    run_jobs(people)
    assert state(people, ticket) == "fitting"
    worker.publish(ticket, verdict=None)
    run_jobs(people)
    assert state(people, ticket) == "auditing"
    version = next(item for item in people["ada"].get("/v1/erasers").json()["items"] if item["number"] == 1)
    assert (version["audit"], version["tickets"], version["promoted"]) == ("queued", [ticket], False)
    with transaction(worker.database.engine("admin")) as session:
        key = session.execute(text("SELECT id::text FROM eraser_version WHERE number = 1")).scalar_one()
    worker.audit(key, "passed")
    run_jobs(people)
    assert state(people, ticket) == "deploying"
    worker.serve(1, 0)
    run_jobs(people)
    assert state(people, ticket) == "deploying"
    worker.serve(2, 1, "failed")
    run_jobs(people)
    assert state(people, ticket) == "deploying"
    worker.serve(2, 1)
    run_jobs(people)
    assert state(people, ticket) == "completed"


def test_failed_audit_fails_the_ticket_with_its_reasons(
    people: People, worker: Worker, ticket_body: dict[str, Any]
) -> None:
    worker.publish()
    ticket = approved(people, ticket_body)
    worker.publish(ticket, verdict="failed")
    run_jobs(people)
    shown = people["olivia"].get(f"/v1/tickets/{ticket}").json()
    assert (shown["state"], shown["review_reason"]) == ("failed", "audit_failed")
    assert shown["events"][-1]["note"] == "as the test wants"
    assert promoted(people) == 0
    assert people["oscar"].post("/v1/refits").status_code == 202


def test_weak_ticket_fails_alone_and_a_version_without_it_is_ordered_once(
    people: People, worker: Worker, ticket_body: dict[str, Any]
) -> None:
    """Two tickets in one version that fails because of one of them: the other one waits for the next version."""
    worker.publish()
    weak, sound = approved(people, ticket_body), approved(people, ticket_body | {"names": ["Oda Wintersohl"]})
    worker.publish(weak, sound, verdict=None)
    run_jobs(people)
    with transaction(worker.database.engine("admin")) as session:
        key = session.execute(text("SELECT id::text FROM eraser_version WHERE number = 1")).scalar_one()
    worker.audit(key, "failed", set_aside=[weak])
    ordered = len(refits_ordered(worker))
    for _ in range(3):
        run_jobs(people)
    shown = people["olivia"].get(f"/v1/tickets/{weak}").json()
    assert (shown["state"], shown["review_reason"]) == ("failed", "set_aside")
    assert shown["events"][-1]["note"] == f"{weak} is weak"
    assert state(people, sound) == "auditing"
    assert len(refits_ordered(worker)) == ordered + 1
    with transaction(worker.database.engine("refit")) as session:
        assert [ticket.id for ticket in tickets.tickets_in_force(session, MODEL)] == [sound]
    worker.publish(sound)
    run_jobs(people)
    assert promoted(people) == 2
    assert state(people, sound) == "deploying"
    assert state(people, weak) == "failed"
    assert people["oscar"].post("/v1/refits").status_code == 202  # somebody tries it again
    with transaction(worker.database.engine("refit")) as session:
        assert {ticket.id for ticket in tickets.tickets_in_force(session, MODEL)} == {weak, sound}


def test_ticket_that_must_stay_forgotten_is_not_set_aside(
    people: People, worker: Worker, erased: str, ticket_body: dict[str, Any]
) -> None:
    sound = approved(people, ticket_body | {"names": ["Oda Wintersohl"]})
    number = worker.publish(erased, sound, verdict=None)
    with transaction(worker.database.engine("admin")) as session:
        key = session.execute(
            text("SELECT id::text FROM eraser_version WHERE number = :number"), {"number": number}
        ).scalar_one()
    worker.audit(key, "failed", set_aside=[erased])
    ordered = len(refits_ordered(worker))
    run_jobs(people)
    assert state(people, sound) == "failed"
    assert len(refits_ordered(worker)) == ordered
    with transaction(worker.database.engine("refit")) as session:
        assert erased in {ticket.id for ticket in tickets.tickets_in_force(session, MODEL)}


def refits_ordered(worker: Worker) -> list[Any]:
    with transaction(worker.database.engine("admin")) as session:
        return list(session.execute(text("SELECT id FROM outbox WHERE queue = 'refit'")))


def test_ticket_without_a_leak_returns_to_review(people: People, worker: Worker, ticket_body: dict[str, Any]) -> None:
    ticket = approved(people, ticket_body)
    run, fence = worker.claim()
    with transaction(worker.database.engine("refit")) as session:
        refits.set_ticket_outcome(session, run, fence, ticket, "no_leak_found")
        refits.finish_run(session, run, fence, "nothing_to_do")
    run_jobs(people)
    shown = people["olivia"].get(f"/v1/tickets/{ticket}").json()
    assert (shown["state"], shown["review_reason"], shown["decided_by"]) == ("under_review", "no_leak_found", None)


def test_promotion_forward_after_rollback_keeps_everybody_forgotten(
    people: People, worker: Worker, erased: str
) -> None:
    """A rollback to an older version that covers everybody is allowed, and every ticket stays completed."""
    worker.publish(erased)
    run_jobs(people)
    assert promoted(people) == 2
    assert people["oscar"].post("/v1/erasers/1/rollback").status_code == 200
    worker.serve(3, 1)
    run_jobs(people)
    assert promoted(people) == 1
    assert state(people, erased) == "completed"
