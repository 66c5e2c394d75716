"""Whoever approves a ticket knows whom it is about: each name confirmed, or the sealed material looked at."""

from typing import Any

import pytest
from sqlalchemy import select, text

from shared.db.models.transparency import LogLeaf
from shared.db.session import transaction
from tests.support.api import People
from tests.support.databases import Databases

GROUND = {"ground": "consent_withdrawn"}
VICTIMS = ["Mara Lindqvist", "Bruno Ito", "Ida Borg"]
REASON = {"reason": "to see whom it is about"}


def problem(answer: Any, status: int, code: str) -> str:
    assert (answer.status_code, answer.json()["type"]) == (status, f"/v1/problems/{code}"), answer.text
    return str(answer.json()["detail"])


@pytest.fixture
def ticket(people: People, ticket_body: dict[str, Any]) -> str:
    """The path of a ticket about three people."""
    return f"/v1/tickets/{people['olivia'].post('/v1/tickets', ticket_body | {'names': VICTIMS}).json()['id']}"


def test_ticket_shows_how_many_names_and_photographs_it_has(people: People, ticket: str) -> None:
    """The finding: the approver of a ticket with three names was shown "photos 0, facts 1"."""
    shown = people["adam"].get(ticket).json()
    assert (shown["names"], shown["photos"], shown["facts"]) == (3, 1, 1)
    assert people["adam"].get("/v1/tickets").json()["items"][0]["names"] == 3


@pytest.mark.parametrize(
    "names", [[], VICTIMS[:1], VICTIMS[:2], [*VICTIMS, "Oda Wintersohl"], ["Oda Wintersohl"], ["Mara"], ["*"]]
)
def test_approval_without_each_name_is_refused(people: People, ticket: str, names: list[str]) -> None:
    detail = problem(people["adam"].post(f"{ticket}/approve", GROUND | {"names": names}), 409, "material-unseen")
    assert not any(name in detail for name in VICTIMS)
    assert people["adam"].get(ticket).json()["state"] == "under_review"


def test_approval_with_each_name_is_accepted_in_any_order_and_case(people: People, ticket: str) -> None:
    names = ["ida  borg", "MARA LINDQVIST", "Bruno Ito"]
    approved = people["adam"].post(f"{ticket}/approve", GROUND | {"names": names})
    assert (approved.status_code, approved.json()["state"]) == (200, "approved")
    with transaction(people.context.database) as session:
        checks = session.execute(text("SELECT method, actor FROM material_check")).all()
    assert [tuple(check) for check in checks] == [("names", "adam")]


def test_approver_who_looked_at_the_material_needs_no_names(people: People, ticket: str) -> None:
    shown = people["adam"].post(f"{ticket}/material", REASON).json()
    assert shown["names"] == VICTIMS
    assert [fact["attribute"] for fact in shown["facts"]] == ["employer"]
    assert shown["photos"][0].startswith("data:image/png;base64,")
    assert people["adam"].post(f"{ticket}/approve", GROUND).status_code == 200
    problem(people["adam"].post(f"{ticket}/material", REASON), 409, "conflict")  # once it is decided, to nobody
    events = people["ada"].get(ticket).json()["events"]
    assert [(e["actor"], e["note"]) for e in events if e["kind"] == "material.shown"] == [("adam", REASON["reason"])]
    with transaction(people.context.database) as session:
        leaf = session.scalars(select(LogLeaf).where(LogLeaf.kind == "ticket.material.shown")).one()
    assert (leaf.actor, leaf.subject, leaf.detail["reason"]) == (
        "adam",
        ticket.rsplit("/", maxsplit=1)[-1],
        REASON["reason"],
    )


def test_look_counts_for_the_person_and_the_material_of_then(people: People, ticket: str) -> None:
    people["adam"].post(f"{ticket}/material", REASON)
    problem(people["rosa"].post(f"{ticket}/approve", GROUND), 409, "material-unseen")  # another person looked
    assert people["olivia"].patch(ticket, {"names": ["Oda Wintersohl"]}).status_code == 200
    problem(people["adam"].post(f"{ticket}/approve", GROUND), 409, "material-unseen")  # at other names
    people["adam"].post(f"{ticket}/material", REASON)
    other = people.client_of(people.give_key("adam", "approver"))
    assert other.post(f"{ticket}/approve", GROUND).status_code == 200  # another key of the same person


def test_material_is_shown_to_approvers_for_a_reason_and_not_again(people: People, ticket: str) -> None:
    for name in ("oscar", "ada"):
        problem(people[name].post(f"{ticket}/material", REASON), 403, "forbidden")
    assert people["adam"].post(f"{ticket}/material", {"reason": " "}).status_code == 422
    first, again = (people["adam"].post(f"{ticket}/material", REASON, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json()["names"] == VICTIMS
    assert {again.json()[member] for member in ("names", "facts", "photos")} == {None}


def test_check_of_material_is_not_changed(people: People, ticket: str, database: Databases) -> None:
    people["adam"].post(f"{ticket}/material", REASON)
    for role, message in (("request", "permission denied"), ("admin", "append-only")):
        with pytest.raises(Exception, match=message), transaction(database.engine(role)) as session:
            session.execute(text("UPDATE material_check SET actor = 'rosa'"))
