"""The same person filed twice: what is a duplicate, what says more, and what becomes of it when the first one ends."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.request.retention.service import Retention, due_for_shredding
from services.request.tickets import identity_checks
from shared.core.clock import utc_now
from shared.db.repositories import ticket_duplicates
from shared.db.session import transaction
from tests.services.request.tickets.test_case_work import GROUND, UNGUARDED, ago, filed
from tests.support.api import People
from tests.support.databases import Databases
from tests.support.pictures import png

NO_MATCH = {"code": "no_match", "note": "-"}


def shown(people: People, ticket: str) -> dict[str, Any]:
    return people["olivia"].get(f"/v1/tickets/{ticket}").json()  # type: ignore[no-any-return]


def more_facts(body: dict[str, Any]) -> dict[str, Any]:
    return {"facts": [*body["facts"], {"attribute": "diagnosis", "value": "asthma"}]}


def test_request_that_says_nothing_new_is_a_duplicate(people: People, ticket_body: dict[str, Any]) -> None:
    first = filed(people, ticket_body)
    fewer: tuple[dict[str, Any], ...] = ({}, {"photos": []}, {"names": ["LINDQVIST, Mara"]})
    for less in fewer:
        again = shown(people, filed(people, ticket_body, **less))
        assert (again["state"], again["duplicate_of"]) == ("duplicate", first)


@pytest.mark.parametrize("adds", ["fact", "name", "photograph"])
def test_request_that_says_more_is_one_of_its_own(people: People, ticket_body: dict[str, Any], adds: str) -> None:
    first = filed(people, ticket_body, photos=ticket_body["photos"][:1])
    more = {
        "fact": more_facts(ticket_body),
        "name": {"names": [*ticket_body["names"], "M. Borg"]},
        "photograph": {"photos": [*ticket_body["photos"], png((20, 40, 200))]},
    }[adds]
    second = shown(people, filed(people, ticket_body, **more))
    assert (second["state"], second["review_reason"], second["clock"]) == ("under_review", "adds_material", "running")
    assert first in second["events"][-1]["note"]
    third = shown(people, filed(people, ticket_body, **more))
    assert third["duplicate_of"] == second["id"]


@pytest.mark.parametrize("end", ["reject", "withdraw", "expire"])
def test_duplicate_goes_to_review_when_its_original_ends_without_an_eraser(
    people: People, ticket_body: dict[str, Any], database: Databases, end: str
) -> None:
    first = filed(people, ticket_body, received_at=ago(days=12))
    second = filed(people, ticket_body, received_at=ago(days=5))
    third = filed(people, ticket_body)
    assert shown(people, second)["clock"] == "stopped"
    if end == "expire":
        people["olivia"].post(f"/v1/tickets/{first}/identity", {"outcome": "doubted", "note": "-"})
        with transaction(database.engine("admin")) as session:
            session.execute(UNGUARDED)
            session.execute(text("UPDATE ticket_event SET at = at - interval '30 days'"))
        with transaction(people.context.database) as session:
            assert identity_checks.expire_unverified(session, people.context.model_id, timedelta(days=30)) == 1
    else:
        body = NO_MATCH if end == "reject" else {"note": "she took it back"}
        assert people["olivia"].post(f"/v1/tickets/{first}/{end}", body).status_code == 200
    for ticket, days in ((second, 5), (third, 0)):
        after = shown(people, ticket)
        assert (after["state"], after["review_reason"]) == ("under_review", "original_ended")
        assert (after["duplicate_of"], after["clock"]) == (None, "running")
        due = date.fromisoformat(after["due"]["due"][:10])
        received = utc_now().date() - timedelta(days=days)
        assert timedelta(days=27) < due - received < timedelta(days=36)  # a month, and a weekend at its end
        assert first in after["events"][-1]["note"]
    assert people["adam"].post(f"/v1/tickets/{second}/approve", GROUND).status_code == 200


def test_duplicate_goes_to_review_when_its_original_says_less(people: People, ticket_body: dict[str, Any]) -> None:
    """An officer who corrects the first request does not lose what the second one says."""
    first = filed(people, ticket_body | more_facts(ticket_body))
    second, third = filed(people, ticket_body | more_facts(ticket_body)), filed(people, ticket_body)
    assert people["olivia"].patch(f"/v1/tickets/{first}", {"urgent": False}).status_code == 200
    assert shown(people, second)["state"] == "duplicate"
    assert people["olivia"].patch(f"/v1/tickets/{first}", {"facts": ticket_body["facts"]}).status_code == 200
    after = shown(people, second)
    assert (after["state"], after["review_reason"], after["clock"]) == ("under_review", "original_ended", "running")
    assert f"{first} was edited" in after["events"][-1]["note"]
    assert shown(people, third)["state"] == "duplicate"


def test_duplicate_of_a_request_in_force_stays_one(people: People, ticket_body: dict[str, Any]) -> None:
    first = filed(people, ticket_body)
    second = filed(people, ticket_body)
    assert people["adam"].post(f"/v1/tickets/{first}/approve", GROUND).status_code == 200
    assert shown(people, second)["state"] == "duplicate"


def test_request_filed_while_the_original_ends_is_no_duplicate_of_it(
    people: People, ticket_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier ticket is rejected between the look at what was filed before and the writing of the new one."""
    first = filed(people, ticket_body)
    find = ticket_duplicates.find_earlier_tickets

    def and_reject(*args: Any) -> Any:
        earlier = find(*args)
        assert people["adam"].post(f"/v1/tickets/{first}/reject", NO_MATCH).status_code == 200
        return earlier

    monkeypatch.setattr(ticket_duplicates, "find_earlier_tickets", and_reject)
    assert shown(people, filed(people, ticket_body))["state"] == "under_review"


def test_material_of_a_duplicate_is_kept_while_its_original_is_open(
    people: People, ticket_body: dict[str, Any], database: Databases
) -> None:
    first, second = filed(people, ticket_body), filed(people, ticket_body)

    def due() -> set[str]:
        with transaction(database.engine("admin")) as session:
            session.execute(UNGUARDED)
            session.execute(text("UPDATE ticket_event SET at = at - interval '40 days'"))
        with transaction(people.context.database) as session:
            items = due_for_shredding(session, people.context.model_id, Retention())
        return {item.ticket_id for item in items if item.kind == "payload"}

    assert due() == set()
    with transaction(database.engine("admin")) as session:
        session.execute(UNGUARDED)
        session.execute(text("UPDATE ticket SET state = 'completed' WHERE id = :first"), {"first": first})
    assert due() == {first, second}


def test_duplicate_whose_material_is_gone_has_to_be_filed_again(
    people: People, ticket_body: dict[str, Any], database: Databases
) -> None:
    first, second = filed(people, ticket_body), filed(people, ticket_body)
    with transaction(database.engine("admin")) as session:
        session.execute(UNGUARDED)
        session.execute(text("UPDATE ticket SET payload_wrapped_key = NULL WHERE id = :second"), {"second": second})
    people["olivia"].post(f"/v1/tickets/{first}/reject", NO_MATCH)
    assert shown(people, second)["review_reason"] == "needs_resubmission"
