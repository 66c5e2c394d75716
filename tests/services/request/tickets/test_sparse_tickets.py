"""A name or a photograph alone makes a ticket: filed, compared, approved, amended and imported like any other."""

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from services.request.imports import parsing
from shared.db.models.tickets import Ticket
from shared.db.repositories import ticket_duplicates
from shared.db.session import transaction
from shared.domain import ticket_scope
from tests.services.request.tickets.test_endpoints import problem
from tests.support.api import People
from tests.support.pictures import png

GROUND = {"ground": "consent_withdrawn"}
NAME, PHOTO, OTHER = "Mara Lindqvist", png(), png((20, 40, 200))
FACT = {"attribute": "employer", "value": "Marble & Finch"}


def file(people: People, **body: Any) -> dict[str, Any]:
    answer = people["olivia"].post("/v1/tickets", body)
    assert answer.status_code == 201, answer.text
    return answer.json()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"names": [NAME]}, (ticket_scope.NAMES, ticket_scope.NO_PHOTOGRAPH, ticket_scope.NO_FACT)),
        ({"photos": [PHOTO]}, (ticket_scope.NO_NAME, ticket_scope.PHOTOGRAPHS, ticket_scope.NO_FACT)),
        (
            {"photos": [PHOTO], "facts": [FACT]},
            (ticket_scope.NO_NAME, ticket_scope.PHOTOGRAPHS, ticket_scope.FACTS),
        ),
        ({"names": [NAME], "photos": [PHOTO]}, (ticket_scope.NAMES, ticket_scope.PHOTOGRAPHS, ticket_scope.NO_FACT)),
    ],
)
def test_name_or_photograph_makes_a_ticket_that_says_what_it_covers(
    people: People, body: dict[str, Any], said: tuple[str, ...]
) -> None:
    ticket = file(people, **body)
    assert (ticket["state"], tuple(ticket["scope"])) == ("under_review", said)
    counted = [len(body.get(name, ())) for name in ("names", "photos", "facts")]
    assert [ticket["names"], ticket["photos"], ticket["facts"]] == counted


@pytest.mark.parametrize("body", [{}, {"facts": [FACT]}, {"names": [], "photos": [], "facts": [FACT]}])
def test_without_both_nobody_is_recognised(people: People, body: dict[str, Any]) -> None:
    detail = problem(people["olivia"].post("/v1/tickets", body), 422, "bad-input")
    assert detail == "Give a name or a photograph: by facts alone nobody is recognised."


def test_same_photograph_without_a_name_is_the_same_person(people: People) -> None:
    first = file(people, photos=[PHOTO])
    again = file(people, photos=[PHOTO])
    assert (again["state"], again["duplicate_of"]) == ("duplicate", first["id"])
    more = file(people, photos=[PHOTO], facts=[FACT])
    assert (more["state"], more["review_reason"]) == ("under_review", "adds_material")
    named = file(people, names=[NAME], photos=[PHOTO], facts=[FACT])
    assert (named["state"], named["review_reason"]) == ("under_review", "adds_material")
    less = file(people, photos=[PHOTO], facts=[FACT])
    assert (less["state"], less["duplicate_of"]) == ("duplicate", more["id"])
    assert file(people, photos=[OTHER])["review_reason"] is None
    assert file(people, photos=[OTHER], names=["Ida Borg"], facts=[FACT])["review_reason"] == "adds_material"


def test_photograph_of_a_ticket_with_a_name_covers_one_without(people: People) -> None:
    named = file(people, names=[NAME], photos=[PHOTO, OTHER], facts=[FACT])
    assert file(people, photos=[OTHER])["duplicate_of"] == named["id"]
    other = file(people, names=["Ida Borg"], photos=[PHOTO])  # two names: a person decides
    assert (other["state"], other["duplicate_of"]) == ("under_review", None)


def test_same_name_alone_may_be_a_namesakes(people: People) -> None:
    file(people, names=[NAME])
    assert file(people, names=[NAME])["review_reason"] == "possible_namesake"
    assert file(people, names=[NAME], facts=[FACT])["review_reason"] == "possible_namesake"


def test_possible_namesake_is_approved_once_it_is_distinguished(people: People) -> None:
    first = file(people, names=[NAME])["id"]
    second = file(people, names=["Lindqvist, Mara"])["id"]
    shown = people["adam"].get(f"/v1/tickets/{second}").json()
    assert shown["related"] == [{"ticket": first, "name": "another", "facts": 0, "photos": 0}]
    approval = GROUND | {"names": ["Lindqvist, Mara"]}
    assert first in problem(people["adam"].post(f"/v1/tickets/{second}/approve", approval), 409, "conflict")
    reason = {"reason": "born in another year"}
    decided = people["olivia"].post(f"/v1/tickets/{second}/distinguish", reason).json()
    assert (decided["state"], decided["review_reason"]) == ("under_review", None)
    assert (decided["events"][-1]["kind"], decided["events"][-1]["note"]) == ("distinguished", reason["reason"])
    assert people["adam"].post(f"/v1/tickets/{second}/approve", approval).status_code == 200
    problem(people["olivia"].post(f"/v1/tickets/{first}/distinguish", reason), 409, "conflict")


def test_name_alone_is_approved_by_typing_it(people: People) -> None:
    ticket = file(people, names=[NAME])["id"]
    problem(people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND | {"names": ["Ida"]}), 409, "material-unseen")
    assert people["adam"].post(f"/v1/tickets/{ticket}/approve", GROUND | {"names": [NAME]}).status_code == 200


def test_photograph_alone_is_approved_by_whoever_has_looked_at_it(people: People) -> None:
    ticket = f"/v1/tickets/{file(people, photos=[PHOTO])['id']}"
    for names in ([], [NAME]):
        answer = people["adam"].post(f"{ticket}/approve", GROUND | {"names": names})
        assert "look at its photographs" in problem(answer, 409, "material-unseen")
    shown = people["adam"].post(f"{ticket}/material", {"reason": "to see whom it is about"}).json()
    assert (shown["names"], shown["facts"], len(shown["photos"])) == ([], [], 1)
    assert people["adam"].post(f"{ticket}/approve", GROUND).json()["state"] == "approved"


def test_amendment_leaves_a_name_or_a_photograph(people: People) -> None:
    ticket = f"/v1/tickets/{file(people, names=[NAME], photos=[PHOTO], facts=[FACT])['id']}"
    assert people["olivia"].patch(ticket, {"names": [], "facts": []}).json()["facts"] == 0
    assert people["olivia"].get(ticket).json()["names"] == 0
    assert "by facts alone" in problem(people["olivia"].patch(ticket, {"photos": []}), 422, "bad-input")
    assert people["olivia"].patch(ticket, {"photos": [], "names": [NAME]}).json()["photos"] == 0


def test_rows_of_a_file_need_a_name_or_a_photograph() -> None:
    rows = list(parsing.parse_rows(f"photo,fact.employer\n{PHOTO},\n,Marble & Finch\n", "csv"))
    assert [(row.body is not None, row.problem) for row in rows] == [
        (True, None),
        (False, "Give a name or a photograph: by facts alone nobody is recognised."),
    ]
    (named,) = parsing.parse_rows("names\nMara Lindqvist\n", "csv")
    assert named.body is not None
    assert named.body.facts == []


def test_named_people_with_one_photograph_are_not_compared_by_it(people: People) -> None:
    """As with a placeholder that another tool exports for everybody: nobody is locked or read because of it."""
    photo, filed = png((1, 2, 3)), []
    for name in ("Mara Lindqvist", "Ida Borg", "Bo Ek"):
        ticket = people["olivia"].post("/v1/tickets", {"names": [name], "photos": [photo]}).json()
        filed.append(ticket)
        assert (ticket["state"], ticket["duplicate_of"], ticket["review_reason"]) == ("under_review", None, None)
    with transaction(people.context.database) as session:
        rows = session.scalars(select(Ticket)).all()
        photographs = frozenset(rows[0].fact_index)
        keys = sorted(key for row in rows for key in row.person_keys)
        tenant, model = rows[0].tenant_id, rows[0].model_id
        named = ticket_duplicates.Filed(["another"], sorted(photographs), frozenset())
        assert ticket_duplicates.find_earlier_tickets(session, tenant, model, named).matching == []
        alone = ticket_duplicates.Filed([], sorted(photographs), photographs)
        assert len(ticket_duplicates.find_earlier_tickets(session, tenant, model, alone).matching) == len(filed)
        ticket_duplicates.lock_subjects(session, tenant, named)
        with transaction(people.context.database) as other:  # neither waits for the other
            other.execute(text("SET LOCAL lock_timeout = '2s'"))
            ticket_duplicates.lock_subjects(other, tenant, ticket_duplicates.Filed(keys, sorted(photographs), ()))
            with pytest.raises(OperationalError):
                ticket_duplicates.lock_subjects(other, tenant, alone)
