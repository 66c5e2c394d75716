"""Saved views: each belongs to one person; neither name nor filters outlive it, and no address has a name."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from services.request.views.service import MOST_VIEWS
from tests.support.api import People
from tests.support.databases import Databases

URGENT = {"name": "Urgent and mine", "filters": {"view": "mine", "urgent": True, "assigned": "me"}}


def save(people: People, **body: Any) -> Any:
    return people["olivia"].post("/v1/views", URGENT | body)


def names(people: People, name: str = "olivia") -> list[str]:
    return [view["name"] for view in people[name].get("/v1/views").json()["items"]]


def test_view_is_its_persons_alone(people: People) -> None:
    saved = save(people).json()
    assert saved["filters"] | {"state": None, "source": None} == saved["filters"]
    assert (names(people), names(people, "adam")) == (["Urgent and mine"], [])
    path = f"/v1/views/{saved['id']}"
    assert people["olivia"].get(path).json()["filters"]["urgent"] is True
    assert people["adam"].get(path).status_code == 404
    assert people["adam"].post(f"{path}/end").status_code == 404
    assert names(people) == ["Urgent and mine"]


def test_view_of_the_same_name_is_replaced_also_by_two_at_once(people: People) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: save(people).status_code, range(4)))
    assert answers == [201] * 4
    save(people, filters={"view": "overdue"})
    assert names(people) == ["Urgent and mine"]
    assert people["olivia"].get("/v1/views").json()["items"][0]["filters"]["view"] == "overdue"


def test_ended_view_keeps_neither_name_nor_filters_and_its_name_is_free(people: People, database: Databases) -> None:
    view = save(people, filters={"source": "Mara Lindqvist's lawyer"}).json()
    ended = people["olivia"].post(f"/v1/views/{view['id']}/end")
    assert (ended.status_code, ended.json()["name"]) == (200, "")
    assert people["olivia"].post(f"/v1/views/{view['id']}/end").status_code == 404
    assert people["olivia"].get(f"/v1/views/{view['id']}").status_code == 404
    with psycopg.connect(database.admin_url) as connection:
        assert connection.execute("SELECT name, filters FROM saved_view").fetchall() == [("", {})]
    assert save(people).status_code == 201


def test_number_of_views_is_bounded(people: People) -> None:
    for number in range(MOST_VIEWS):
        assert save(people, name=f"View {number}").status_code == 201
    refused = save(people, name="one more")
    assert (refused.status_code, len(names(people))) == (409, MOST_VIEWS)
    assert save(people, name="View 3").status_code == 201  # replaced


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "a\x00b"},
        {"name": "a\nb"},
        {"name": "x" * 61},
        {"filters": {"view": "nothing"}},
        {"filters": {"names": ["Mara"]}},
        {"filters": {"assigned": "adam"}},
    ],
)
def test_view_that_cannot_be_used_is_refused(people: People, body: dict[str, Any]) -> None:
    assert save(people, **body).status_code == 422
    assert names(people) == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM saved_view",
        "UPDATE saved_view SET person_id = gen_random_uuid()",
        "UPDATE saved_view SET ended_at = now()",
    ],
)
def test_database_lets_no_service_delete_or_hand_over_a_view(
    people: People, database: Databases, statement: str
) -> None:
    save(people)
    with psycopg.connect(database.url("request")) as connection, pytest.raises(psycopg.Error):
        connection.execute(statement.encode())
