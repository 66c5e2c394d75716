"""A first refit that failed is ordered again after a pause that doubles, and alarmed until a version is there."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from services.request.monitoring.checks import find_overdue
from services.request.refits import first
from shared.db.repositories import refits
from shared.db.session import transaction
from tests.support.api import MODEL, People
from tests.support.workers import Worker


def fail_all(people: People, worker: Worker) -> None:
    """Every refit that is ordered is begun and fails."""
    with transaction(people.context.database) as session:
        orders = list(session.scalars(text("SELECT id FROM outbox WHERE queue = 'refit'")))
    for order in orders:
        with transaction(worker.database.engine("refit")) as session:
            claim = refits.claim_run(session, str(order), MODEL, "initial", lease_s=30)
            if claim is not None and not claim.already_done:
                refits.finish_run(session, str(order), claim.fence, "failed", error="no GPU")


def ordered(people: People) -> int:
    with transaction(people.context.database) as session:
        first.order_again(session, MODEL)
    with transaction(people.context.database) as session:
        return int(session.scalar(text("SELECT count(*) FROM outbox WHERE queue = 'refit'")))


def alarms(people: People) -> list[str]:
    with transaction(people.context.database) as session:
        overdue = find_overdue(session, MODEL, people.context.alarm_thresholds)
    return [check.sentence for check in overdue if check.name == "first"]


def test_first_refit_is_ordered_again_until_there_is_a_version(
    people: People, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first, "FIRST_PAUSE", timedelta(hours=1))
    before = ordered(people)
    assert alarms(people) == []  # it is ordered, and has not failed
    fail_all(people, worker)
    assert "no GPU" in alarms(people)[0]
    assert ordered(people) == before  # the pause is not over
    monkeypatch.setattr(first, "FIRST_PAUSE", timedelta(0))
    assert ordered(people) == before + 1
    assert ordered(people) == before + 1
    assert alarms(people) == []  # it is being tried
    fail_all(people, worker)
    assert ordered(people) == before + 2
    worker.publish()
    fail_all(people, worker)
    assert (ordered(people), alarms(people)) == (before + 2, [])


def test_refit_with_nothing_to_do_says_what_the_tickets_wait_for(
    people: People, ticket_body: dict[str, object]
) -> None:
    people["olivia"].post("/v1/tickets", ticket_body)
    refused = people["oscar"].post("/v1/refits")
    assert refused.status_code == 409
    assert "1 wait for a decision" in refused.json()["detail"]
