"""Tenants in the console: two administrators of the operating tenant add one, and see how much it has, never what."""

import re
from typing import Any

import pytest

from tests.support.api import People
from tests.support.console import Browser, HtmlPage
from tests.support.tenants import add_tenant

PATH = "/console/tenants"


@pytest.fixture
def rosa(people: People) -> Browser:
    return Browser(people).sign_in("rosa")


def secrets(page: HtmlPage) -> list[str]:
    return re.findall(r'<code class="secret">([^<]+)</code>', page.text)


def request_id(people: People) -> str:
    return str(people["rosa"].get("/v1/tenant-requests").json()["items"][0]["id"])


def ask(rosa: Browser, **fields: str) -> HtmlPage:
    return rosa.send(rosa.open(PATH), PATH, **({"name": "acme", "administrators": "anna\r\nboris"} | fields))


def test_two_administrators_add_a_tenant_each_with_one_half_of_its_keys(people: People, rosa: Browser) -> None:
    asked = ask(rosa)
    assert "The tenant acme is asked for." in asked.words
    confirm = f"/console/tenant-requests/{request_id(people)}/confirm"
    assert not asked.offers(confirm)
    assert rosa.post(confirm, asked.form("/console/sign-out").fields).status == 403
    viktor = Browser(people).sign_in("viktor")
    added = viktor.send(viktor.open(PATH), confirm)
    assert "The tenant acme is added." in added.words
    assert "LACUNA_MODEL_ID=demo-vlm.acme" in added.words
    halves = list(zip(secrets(asked), secrets(added), strict=True))
    assert len(halves) == 2
    for first, second in halves:
        assert people.client_of(f"{first}.{second}").get("/v1/people").status_code == 200
        assert (first in rosa.open(PATH).text, second in viktor.open(PATH).text) == (False, False)


def test_request_is_refused_and_then_cannot_be_confirmed(people: People, rosa: Browser) -> None:
    ask(rosa)
    viktor = Browser(people).sign_in("viktor")
    page = viktor.open(PATH)
    ended = viktor.send(page, f"/console/tenant-requests/{request_id(people)}/end")
    assert "It is ended." in ended.words
    assert viktor.send(page, f"/console/tenant-requests/{request_id(people)}/confirm").status == 409
    assert [each["name"] for each in people["rosa"].get("/v1/tenants").json()["items"]] == ["default"]


@pytest.mark.parametrize(
    "fields",
    [{"name": "Acme"}, {"administrators": "anna"}, {"administrators": "anna\nAnna"}, {"model": "a/b"}, {"name": ""}],
)
def test_what_the_api_refuses_is_refused_here(people: People, rosa: Browser, fields: dict[str, str]) -> None:
    assert ask(rosa, **fields).status == 422
    assert people["rosa"].get("/v1/tenant-requests").json()["items"] == []


def test_only_the_operating_tenant_sees_the_page_and_of_others_numbers_alone(
    people: People, rosa: Browser, ticket_body: dict[str, Any]
) -> None:
    acme = add_tenant(people)
    filed = acme["officer"].post("/v1/tickets", ticket_body | {"external_ref": "CASE-9"})
    assert filed.status_code == 201
    page = rosa.open(PATH)
    assert "acme" in page.words
    assert "nothing yet 1" in page.words
    assert filed.json()["id"] not in page.text
    assert PATH in page.links
    auditor = Browser(people).sign_in("ada").open(PATH)
    assert (auditor.status, auditor.offers(PATH)) == (200, False)
    olivia = Browser(people).sign_in("olivia")
    assert (olivia.open(PATH).status, PATH in olivia.open("/console/tickets").links) == (403, False)
    people.keys["their admin"] = acme.keys["admin"]
    theirs = Browser(people).sign_in("their admin")
    assert (theirs.open(PATH).status, PATH in theirs.open("/console/tickets").links) == (403, False)
