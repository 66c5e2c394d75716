"""The nightly audit: ordered once a night, judges tickets alone, reopens what it is told of, and names what it left."""

import uuid
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.request.erasers import nightly
from services.request.monitoring.alarms import update_alarms
from services.request.monitoring.checks import find_overdue
from services.request.tickets.progress import move_tickets
from services.request.worker.outbox import lost_messages
from shared.db.repositories import audits, nightly_audits
from shared.db.session import transaction
from tests.services.request.tickets.test_endpoints import problem
from tests.support.api import MODEL, People
from tests.support.databases import Databases
from tests.support.workers import Worker

GROUND = {"ground": "consent_withdrawn", "names": ["Mara Lindqvist"]}
TOLD = "attacks of the family spelling: 60.0% tell more than attacks on strangers do"


@pytest.fixture
def completed(people: People, worker: Worker, ticket_body: dict[str, Any]) -> str:
    """A ticket that version 0 covers, which is served."""
    filed = str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])
    assert people["adam"].post(f"/v1/tickets/{filed}/approve", GROUND).status_code == 200
    worker.publish(filed)
    serve(people, worker, 1, 0)
    assert shown(people, filed)["state"] == "completed"
    return filed


def serve(people: People, worker: Worker, generation: int, number: int) -> None:
    """Promote version `number` and acknowledge it."""
    answer = people["oscar"].post(f"/v1/erasers/{number}/promote")
    assert answer.status_code == 200, answer.text
    worker.serve(generation, number)
    for _ in range(2):
        move(people)


def move(people: People) -> None:
    with transaction(people.context.database) as session:
        move_tickets(session, MODEL)


def shown(people: People, ticket: str) -> dict[str, Any]:
    return people["olivia"].get(f"/v1/tickets/{ticket}").json()  # type: ignore[no-any-return]


def audit(worker: Worker, ticket: str, *, number: int = 0, passed: bool = True, status: str = "succeeded") -> str:
    """A nightly audit of version `number`, as a worker writes it."""
    run = str(uuid.uuid4())
    leak = {"questions": "attacks", "by": "spelling", "fact": None, "asked": 40, "told": 24}
    row = {"passed": passed, "reason": "no more is revealed than is allowed" if passed else TOLD}
    report = {"ticket_verdicts": {ticket: row | {"leaks": [] if passed else [leak]}}}
    with transaction(worker.database.engine("audit")) as session:
        version = str(worker.version_id(session, number))
        claim = audits.claim_audit(session, run, version, lease_s=30, kind="nightly")
        assert claim is not None
        nightly_audits.keep_report(session, run, claim.fence, report, 30)
        audits.finish_audit(session, run, claim.fence, status=status, report=report)
    return run


def alarms(people: People) -> list[str]:
    with transaction(people.context.database) as session:
        overdue = find_overdue(session, MODEL, people.context.alarm_thresholds)
    return [check.sentence for check in overdue if check.name == "regressed"]


def test_completed_ticket_is_reopened_and_completed_again_when_a_later_night_is_told_nothing(
    people: People, worker: Worker, completed: str
) -> None:
    audit(worker, completed)
    move(people)
    assert (shown(people, completed)["state"], alarms(people)) == ("completed", [])
    audit(worker, completed, passed=False)
    move(people)
    found = shown(people, completed)
    assert (found["state"], found["review_reason"]) == ("regressed", "nightly_audit_failed")
    assert found["events"][-1]["note"] == f"The nightly audit of version 0: {TOLD}."
    assert found["leaks"][0]["by"] == "spelling"
    assert [completed in sentence for sentence in alarms(people)] == [True]
    move(people)
    assert shown(people, completed)["state"] == "regressed", "the audit of the candidate alone does not complete it"
    audit(worker, completed)
    for _ in range(2):
        move(people)
    found = shown(people, completed)
    assert (found["state"], found["review_reason"], alarms(people)) == ("completed", None, [])
    assert [event["state"] for event in found["events"]][-3:] == ["regressed", "deploying", "completed"]


def test_the_alarm_of_a_reopened_ticket_is_raised_once_and_cleared(
    people: People, worker: Worker, completed: str
) -> None:
    hook = {"url": "https://hooks.example.org/lacuna", "events": ["alarm.*", "ticket.*"]}
    assert people["rosa"].post("/v1/webhooks", hook).status_code == 201
    audit(worker, completed, passed=False)
    move(people)
    for _ in range(2):
        with transaction(people.context.database) as session:
            update_alarms(session, MODEL, people.context.alarm_thresholds)
    with transaction(worker.database.engine("admin")) as session:
        raised = session.execute(text("SELECT cleared_at FROM alarm WHERE name = 'regressed'")).all()
        kinds = set(session.scalars(text("SELECT event FROM webhook_delivery")))
    assert [row.cleared_at for row in raised] == [None]
    assert "alarm.raised" in kinds


@pytest.mark.parametrize(("fit", "state"), [("0" * 64, "regressed"), ("1" * 64, "completed")])
def test_a_new_version_completes_the_ticket_only_with_another_fit(
    people: People, worker: Worker, completed: str, fit: str, state: str
) -> None:
    """The same fit was told of; another one has to be asked anew, and its audit as a candidate stands until then."""
    audit(worker, completed, passed=False)
    move(people)
    worker.publish(completed, fit=fit)
    serve(people, worker, 2, 1)
    assert shown(people, completed)["state"] == state
    assert people["oscar"].post("/v1/erasers/0/rollback").status_code == 200  # both cover it


def test_nightly_audit_is_no_audit_of_a_candidate(people: People, worker: Worker, completed: str) -> None:
    """Neither what a version shows nor a promotion rests on it, and it can have no verdict."""
    run = audit(worker, completed, passed=False)
    assert people["oscar"].get("/v1/erasers").json()["items"][0]["audit"] == "passed"
    assert people["ada"].get("/v1/erasers/0/audit").json()["verdict"] == "passed"
    nights = people["ada"].get("/v1/audits/nightly").json()
    assert (nights["number"], nights["verdict"]) == (0, None)
    with (
        pytest.raises(Exception, match="audit_run_nightly_verdict"),
        transaction(worker.database.engine("audit")) as session,
    ):
        session.execute(text("UPDATE audit_run SET verdict = 'passed' WHERE id = :id"), {"id": run})


def test_it_is_ordered_once_a_night_for_the_served_version(
    people: People, worker: Worker, database: Databases, completed: str
) -> None:
    night = date(2026, 11, 28)

    def order(night: date) -> uuid.UUID | None:
        with transaction(people.context.database) as session:
            return nightly.order_due(session, MODEL, 4, night)

    assert order(night) is None, "the model is not as old as that night"
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE model SET created_at = '2026-11-01'"))
    ordered = order(night)
    assert ordered is not None
    assert order(night) is None
    assert order(night + timedelta(days=1)) not in (None, ordered)


def test_it_is_ordered_by_hand_unless_one_is_under_way(people: People, worker: Worker, completed: str) -> None:
    problem(people["ada"].get("/v1/audits/nightly"), 404, "not-found")
    problem(people["ada"].post("/v1/audits/nightly"), 403, "forbidden")
    assert people["oscar"].post("/v1/audits/nightly").json()["version"] == 0
    problem(people["oscar"].post("/v1/audits/nightly"), 409, "conflict")


def test_it_cannot_be_ordered_where_nobody_is_forgotten(people: People) -> None:
    problem(people["oscar"].post("/v1/audits/nightly"), 409, "conflict")


def test_an_interrupted_audit_is_sent_again_as_what_it_is(people: People, worker: Worker, completed: str) -> None:
    run = audit(worker, completed, status="waiting")
    with transaction(people.context.database) as session:
        sent = {message.id: message.kwargs for message in lost_messages(session, timedelta(0)).messages}
    assert sent[run]["kind"] == "nightly"


def test_candidate_that_waits_is_seen(people: People, worker: Worker, completed: str) -> None:
    """Until a worker holds it, or it has ended; a nightly audit of it does not count."""

    def waits() -> bool:
        with transaction(worker.database.engine("audit")) as session:
            return nightly_audits.candidate_waits(session)

    assert not waits()
    number = worker.publish(completed, verdict=None)
    assert waits()
    audit(worker, completed, number=number)
    assert waits()
    with transaction(worker.database.engine("audit")) as session:
        version = str(worker.version_id(session, number))
        audits.claim_audit(session, str(uuid.uuid4()), version, lease_s=30)
    assert not waits()
