"""Versions in the console: what is served, what a change would do before it is made, and the ledger of exposures."""

import uuid
from typing import Any

import pytest

from services.request.erasers import promotions
from services.request.tickets import progress
from shared.core.progress import Progress
from shared.db.repositories import audits, erasers, refits
from shared.db.session import transaction
from tests.support.api import MODEL, People
from tests.support.console import Browser
from tests.support.workers import Worker

PATH = "/console/erasers"


def run_jobs(people: People) -> None:
    for step in (promotions.promote_passed, progress.move_tickets):
        with transaction(people.context.database) as session:
            step(session, people.context.model_id)


@pytest.fixture
def erased(people: People, worker: Worker, ticket_body: dict[str, Any]) -> str:
    """A ticket that is completed by version 1; version 0 is empty."""
    worker.publish()
    ticket = str(people["olivia"].post("/v1/tickets", ticket_body).json()["id"])
    people["adam"].post(f"/v1/tickets/{ticket}/approve", {"ground": "objection", "names": ["Mara Lindqvist"]})
    worker.publish(ticket)
    run_jobs(people)
    worker.serve(1, 1)
    run_jobs(people)
    return ticket


def served(people: People) -> int:
    return int(people["oscar"].get("/v1/status").json()["promoted"])


def test_preview_of_a_rollback_names_whom_it_would_expose_and_offers_no_button_for_it(
    people: People, erased: str
) -> None:
    oscar = Browser(people).sign_in("oscar")
    page = oscar.open(f"{PATH}/0")
    assert "1 person who must stay forgotten would be exposed" in page.words
    assert erased in page.words
    assert not page.offers(f"{PATH}/0/rollback")
    assert "covers the 1 request in force today" in page.words
    fields = page.form(f"{PATH}/0/forward").fields
    refused = oscar.post(f"{PATH}/0/rollback", fields)
    assert (refused.status, erased in refused.words) == (409, True)
    assert served(people) == 1


def test_roll_forward_orders_a_version_by_the_older_recipe(people: People, erased: str) -> None:
    oscar = Browser(people).sign_in("oscar")
    page = oscar.send(oscar.open(f"{PATH}/0"), f"{PATH}/0/forward")
    assert "A new version by the older recipe is ordered" in page.words
    assert served(people) == 1


def test_rollback_and_promotion_that_expose_nobody_are_offered_and_carried_out(
    people: People, worker: Worker, erased: str
) -> None:
    people["adam"].post(f"/v1/tickets/{erased}/withdraw", {"note": "She changed her mind."})
    oscar = Browser(people).sign_in("oscar")
    page = oscar.open(f"{PATH}/0")
    assert "Nobody would be exposed" in page.words
    oscar.send(page, f"{PATH}/0/rollback")
    assert served(people) == 0
    page = oscar.open(f"{PATH}/1")
    again = oscar.send(page, f"{PATH}/1/promote")
    assert again.status == 200
    assert served(people) == 1
    stale = oscar.send(page, f"{PATH}/1/forward")
    assert stale.status == 412  # somebody changed what is served since the page was opened


def test_version_that_passed_no_audit_is_not_offered(people: People, worker: Worker, erased: str) -> None:
    worker.publish(erased, verdict=None)
    page = Browser(people).sign_in("oscar").open(f"{PATH}/2")
    assert "has passed no audit" in page.words
    assert not page.offers(f"{PATH}/2/promote")


def test_break_glass_needs_two_administrators_and_stands_in_the_ledger(people: People, erased: str) -> None:
    rosa, viktor = Browser(people).sign_in("rosa"), Browser(people).sign_in("viktor")
    page = rosa.send(rosa.open(f"{PATH}/0"), f"{PATH}/0/break-glass", reason="The newest one fails.", minutes="5")
    assert "You asked for it: another administrator has to confirm it" in page.words
    action = next(form.action for form in viktor.open("/console/break-glass").forms if "confirm" in form.action)
    assert rosa.post(action, page.form(action.replace("confirm", "end")).fields).status == 403
    page = viktor.send(viktor.open("/console/break-glass"), action)
    assert "open" in page.words
    assert erased in page.words
    page = viktor.send(page, action.replace("confirm", "end"))
    assert "The newest one fails." in page.words


def test_operator_and_officer_are_offered_what_their_roles_allow(people: People, erased: str) -> None:
    offered = {"oscar": {"forward"}, "olivia": set(), "rosa": {"forward", "break-glass"}, "ada": set()}
    for name, forms in offered.items():
        page = Browser(people).sign_in(name).open(f"{PATH}/0")
        assert {form.action.rsplit("/", 1)[1] for form in page.forms if form.action.startswith(PATH)} == forms, name
    assert "Verdict of the audit" in Browser(people).sign_in("olivia").open(f"{PATH}/1").words


def test_stages_of_refit_and_audit_are_shown_as_they_are_now(people: People, worker: Worker) -> None:
    claim = worker.claim()
    measured = Progress("test", lambda _: None)
    measured.count(3, 8, "tickets")
    with transaction(worker.database.engine("refit")) as session:
        refits.renew_lease(session, claim.run, claim.fence, "fitting", lease_s=30, progress=measured.counts)
    oscar = Browser(people).sign_in("oscar")
    assert "being fitted: 3 / 8 requests" in oscar.open(f"{PATH}/progress").words
    with transaction(worker.database.engine("refit")) as session:
        refits.renew_lease(session, claim.run, claim.fence, "publishing", lease_s=30)
    page = oscar.open(f"{PATH}/progress")
    assert "storing and signing the version" in page.words
    assert "3 / 8" not in page.words
    worker.publish(verdict=None)
    audit_id = str(uuid.uuid4())
    with transaction(worker.database.engine("audit")) as session:
        version = erasers.get_version(session, MODEL, 0)
        audit = audits.claim_audit(session, audit_id, str(version.id), lease_s=30)
        assert audit is not None
        audits.renew_lease(session, audit_id, audit.fence, 30, stage="asking the retain set", progress=measured.counts)
    assert "asking the retain set: 3 / 8" in oscar.open(PATH).words


def test_comparison_shows_what_came_and_what_changed(people: People, worker: Worker, erased: str) -> None:
    page = Browser(people).sign_in("ada").open(f"{PATH}/compare?older=0&newer=1")
    assert page.status == 200
    assert erased in page.words
    ada = Browser(people).sign_in("ada")
    assert ada.open(f"{PATH}/compare?older=0&newer=77").status == 404
    assert ada.open(f"{PATH}/compare?older=x&newer=1").status == 422
    assert ada.open(f"{PATH}/99999999999").status == 422
