"""People and grants in the console: what two administrators give, and what one cannot do alone."""

from typing import Any

import pytest

from tests.support.api import People
from tests.support.console import Browser, HtmlPage

PEOPLE, GRANTS = "/console/people", "/console/grants"


def person_id(people: People, name: str) -> str:
    return next(str(each["id"]) for each in people["rosa"].get("/v1/people").json()["items"] if each["name"] == name)


def waiting(people: People) -> str:
    """The id of the newest grant that is asked for."""
    return next(
        str(each["id"]) for each in people["rosa"].get("/v1/grants").json()["items"] if each["state"] == "asked"
    )


def secret(page: HtmlPage) -> str:
    return page.text.partition('<code class="secret">')[2].partition("</code>")[0]


@pytest.fixture
def rosa(people: People) -> Browser:
    return Browser(people).sign_in("rosa")


@pytest.fixture
def viktor(people: People) -> Browser:
    return Browser(people).sign_in("viktor")


def test_two_administrators_add_a_person_and_give_a_key_of_which_each_sees_half(
    people: People, rosa: Browser, viktor: Browser
) -> None:
    page = rosa.send(rosa.open(PEOPLE), PEOPLE, name="Paula Berg", roles=["officer"])
    assert "Another administrator has to confirm it" in page.words, page.words
    confirm = f"{GRANTS}/{waiting(people)}/confirm"
    assert not page.offers(confirm)  # Rosa asked
    assert rosa.post(confirm, page.form("/console/sign-out").fields).status == 403
    page = viktor.send(viktor.open(PEOPLE), confirm)
    assert "It is confirmed for paula berg." in page.words, page.words

    path = f"{PEOPLE}/{person_id(people, 'paula berg')}"
    opened = rosa.open(path)
    asked = rosa.send(opened, f"{path}/keys", roles=["officer"], label="laptop")
    first = secret(asked)
    assert first.startswith("lk_")
    assert secret(rosa.send(opened, f"{path}/keys", roles=["officer"], label="laptop")) == ""  # the same form again
    assert first not in rosa.open(path).text + viktor.open(PEOPLE).text
    confirm, opened = f"{GRANTS}/{waiting(people)}/confirm", viktor.open(PEOPLE)
    second = secret(viktor.send(opened, confirm))
    assert second
    assert second not in viktor.send(opened, confirm).text + viktor.open(PEOPLE).text + rosa.open(PEOPLE).text
    assert people.client_of(f"{first}.{second}").get("/v1/tickets").status_code == 200
    assert people.client_of(first).get("/v1/tickets").status_code == 401
    assert "laptop" in rosa.open(path).words


def test_roles_and_subject_are_asked_for_and_confirmed(people: People, rosa: Browser, viktor: Browser) -> None:
    path = f"{PEOPLE}/{person_id(people, 'adam')}"
    rosa.send(rosa.open(path), f"{path}/roles", roles=["officer", "approver"])
    assert people["rosa"].get(path.replace("/console", "/v1")).json()["roles"] == ["approver"]
    viktor.send(viktor.open(PEOPLE), f"{GRANTS}/{waiting(people)}/confirm")
    assert set(people["rosa"].get(path.replace("/console", "/v1")).json()["roles"]) == {"officer", "approver"}
    rosa.send(rosa.open(path), f"{path}/subjects", issuer="https://login.example.org", subject="<b>u-9</b>")
    page = viktor.open(PEOPLE)
    assert ("&lt;b&gt;u-9" in page.text, "<b>u-9" in page.text) == (True, False)
    viktor.send(page, f"{GRANTS}/{waiting(people)}/confirm")
    assert "https://login.example.org" in rosa.open(path).words


def test_grant_is_refused_or_taken_back_and_then_cannot_be_confirmed(
    people: People, rosa: Browser, viktor: Browser
) -> None:
    for browser in (viktor, rosa):
        rosa.send(rosa.open(PEOPLE), PEOPLE, name="paula", roles=["officer"])
        grant, before = waiting(people), viktor.open(PEOPLE)
        page = browser.send(browser.open(PEOPLE), f"{GRANTS}/{grant}/end")
        assert "It is ended." in page.words
        assert not page.offers(f"{GRANTS}/{grant}/end")
        assert viktor.send(before, f"{GRANTS}/{grant}/confirm").status == 409


def test_disabling_ends_the_sessions_and_an_outdated_page_is_refused(people: People, rosa: Browser) -> None:
    adam, path = Browser(people).sign_in("adam"), f"{PEOPLE}/{person_id(people, 'adam')}"
    page = rosa.open(path)
    done = rosa.send(page, f"{path}/disable")
    assert "disabled" in done.words
    assert adam.open("/console/tickets").url.startswith("/console/sign-in")
    assert not rosa.open(path).offers(f"{path}/disable")
    again = page.form(f"{path}/disable").fields | {"once": ["another"]}
    assert rosa.post(f"{path}/disable", again).status == 412


@pytest.mark.parametrize("fields", [{"name": "0livia"}, {"name": "<b>"}, {"roles": ["emperor"]}, {"issuer": "x"}])
def test_what_the_api_refuses_is_refused_here(people: People, rosa: Browser, fields: dict[str, Any]) -> None:
    page = rosa.send(rosa.open(PEOPLE), PEOPLE, **({"name": "paula", "roles": ["officer"]} | fields))
    assert page.status in (409, 422), page.words
    assert people["rosa"].get("/v1/grants").json()["items"] == []


@pytest.mark.parametrize(("name", "status"), [("ada", 200), ("olivia", 403), ("adam", 403), ("oscar", 403)])
def test_auditors_look_and_others_see_nothing(people: People, rosa: Browser, name: str, status: int) -> None:
    rosa.send(rosa.open(PEOPLE), PEOPLE, name="paula", roles=["officer"])
    grant, adam = waiting(people), f"{PEOPLE}/{person_id(people, 'adam')}"
    browser = Browser(people).sign_in(name)
    page = browser.open(PEOPLE)
    assert (page.status, browser.open(adam).status) == (status, status)
    assert (PEOPLE in browser.open("/console/status").links) == (status == 200)
    actions = [PEOPLE, f"{GRANTS}/{grant}/confirm", f"{GRANTS}/{grant}/end"]
    actions += [f"{adam}/{verb}" for verb in ("roles", "keys", "subjects", "disable")]
    token = browser.open("/console/status").form("/console/sign-out").fields
    sent = token | {"name": ["x"], "roles": ["officer"], "issuer": ["https://a.example"], "subject": ["s"]}
    for action in actions:
        assert not page.offers(action)
        assert not browser.open(adam).offers(action)
        assert browser.post(action, sent).status == 403, action
