"""Sessions of the console: who gets one, what ends it, and what another site can do with it."""

from typing import cast

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from services.request.auth.rate_limits import RateLimiter
from services.request.console.routing import local_path
from shared.db.session import transaction
from tests.support.api import People
from tests.support.console import Browser
from tests.support.databases import Databases

COOKIE = "lacuna_console"
QUEUE = "/console/tickets"


def test_root_leads_to_the_page_where_one_signs_in_and_back_to_what_was_asked_for(people: People) -> None:
    browser = Browser(people)
    assert browser.open("/").url.startswith("/console/sign-in")
    page = browser.open(f"{QUEUE}?view=review")
    answer = browser.send(page, "/console/sign-in", key=people.keys["adam"])
    assert (answer.status, answer.url) == (200, f"{QUEUE}?view=review")


def test_cookie_is_hidden_from_scripts_and_other_sites_and_only_its_digest_is_stored(
    people: People, database: Databases
) -> None:
    browser = Browser(people)
    answer = browser.client.post("/console/sign-in", data={"key": people.keys["olivia"]}, follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/console"} <= set(cookie.split("; "))
    assert "Secure" not in cookie  # on the machine itself, over plain HTTP
    secret = answer.cookies[COOKIE]
    with transaction(database.engine("admin")) as session:
        stored = session.execute(text("SELECT id, api_key_id::text, subject FROM console_session")).one()
    assert secret not in str(stored)
    assert len(stored.id) == 64


def test_cookie_is_for_https_alone_on_any_other_host(people: People) -> None:
    for host in ("lacuna.example.org", "lacuna.example.org:8443", "10.0.0.7:8600", "localhost.example.org"):
        answer = Browser(people).client.post(
            "/console/sign-in", data={"key": people.keys["olivia"]}, headers={"Host": host}, follow_redirects=False
        )
        assert "Secure" in answer.headers["set-cookie"], host


def test_wrong_revoked_and_client_keys_get_no_session(people: People) -> None:
    browser = Browser(people)
    page = browser.open("/console/sign-in")
    for key, status in (("lk_wrong", 401), ("", 401), (people.keys["casey"], 403)):
        answer = browser.send(page, "/console/sign-in", key=key)
        assert (answer.status, answer.url) == (status, "/console/sign-in")
        assert COOKIE not in browser.client.cookies
    assert people.keys["casey"] not in answer.text


def test_wrong_keys_are_counted_as_in_the_api(people: People) -> None:
    cast(FastAPI, people.app.app).state.rate_limiter = RateLimiter("1000/minute", "3/minute")
    browser = Browser(people)
    page = browser.open("/console/sign-in")
    statuses = [browser.send(page, "/console/sign-in", key="lk_wrong").status for _ in range(4)]
    assert statuses == [401, 401, 401, 429]


def test_revoked_key_ends_its_sessions_at_once(people: People) -> None:
    browser = Browser(people).sign_in("adam")
    assert browser.open(QUEUE).url == QUEUE
    keys = people["rosa"].get("/v1/keys").json()["items"]
    adams = next(key["id"] for key in keys if key["owner"] == "adam")
    assert people["rosa"].post(f"/v1/keys/{adams}/revoke").status_code == 200
    assert browser.open(QUEUE).url.startswith("/console/sign-in")


@pytest.mark.parametrize("change", ["expires_at = now()", "ended_at = now()"])
def test_session_that_is_over_is_worth_nothing(people: People, database: Databases, change: str) -> None:
    browser = Browser(people).sign_in("adam")
    with transaction(database.engine("admin")) as session:
        session.execute(text(f"UPDATE console_session SET {change}"))  # noqa: S608 - of the list above
    assert browser.open(QUEUE).url.startswith("/console/sign-in")


def test_session_does_not_outlive_a_key_that_expires(people: People, database: Databases) -> None:
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE api_key SET expires_at = now() + interval '5 minutes' WHERE owner = 'adam'"))
    browser = Browser(people).sign_in("adam")
    with transaction(database.engine("admin")) as session:
        assert session.scalar(text("SELECT max(expires_at) < now() + interval '6 minutes' FROM console_session"))
        session.execute(text("UPDATE api_key SET expires_at = now() WHERE owner = 'adam'"))
    assert browser.open(QUEUE).url.startswith("/console/sign-in")


def test_sign_out_ends_the_session_for_a_copy_of_the_cookie_too(people: People) -> None:
    browser, thief = Browser(people).sign_in("adam"), Browser(people)
    thief.client.cookies.set(COOKIE, browser.client.cookies[COOKIE], domain="127.0.0.1", path="/console")
    assert thief.open(QUEUE).url == QUEUE
    browser.send(browser.open(QUEUE), "/console/sign-out")
    assert COOKIE not in browser.client.cookies
    assert thief.open(QUEUE).url.startswith("/console/sign-in")


def test_cookie_is_no_credential_of_the_api(people: People) -> None:
    browser = Browser(people).sign_in("adam")
    browser.client.cookies.set(COOKIE, browser.client.cookies[COOKIE], domain="127.0.0.1", path="/")
    assert browser.client.get("/v1/tickets").status_code == 401


def test_form_without_its_token_or_from_another_site_changes_nothing(people: People) -> None:
    browser, other = Browser(people).sign_in("adam"), Browser(people).sign_in("olivia")
    fields = browser.open(QUEUE).form("/console/sign-out").fields
    theirs = other.open(QUEUE).form("/console/sign-out").fields
    assert browser.post("/console/sign-out", {}).status == 403
    assert browser.post("/console/sign-out", {"csrf": "0" * 64}).status == 403
    assert browser.post("/console/sign-out", theirs).status == 403
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8601"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert browser.post("/console/sign-out", fields, **headers).status == 403, headers
    assert browser.open(QUEUE).url == QUEUE
    assert browser.post("/console/sign-out", fields).url == "/console/sign-in"


def test_another_site_cannot_sign_somebody_in(people: People) -> None:
    browser = Browser(people)
    answer = browser.post("/console/sign-in", {"key": people.keys["olivia"]}, Origin="https://evil.example")
    assert (answer.status, COOKIE in browser.client.cookies) == (403, False)


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/console", "//evil.example/console", "/\\evil.example", "/console//evil.example",
        "/v1/keys", "javascript:alert(1)", "/console.evil.example", "/console/sign-in", "/console\\@evil", "",
        "/console/../v1",
    ],
)  # fmt: skip
def test_nobody_is_sent_elsewhere_after_signing_in(people: People, path: str) -> None:
    answer = Browser(people).client.post(
        "/console/sign-in", data={"key": people.keys["olivia"], "next": path}, follow_redirects=False
    )
    assert answer.headers["location"] in ("/console", local_path(path))
    assert local_path(path) == "/console"


def test_two_roles_that_exclude_each_other_open_no_page(people: People, database: Databases) -> None:
    """As after a change of the OpenID provider: the roles are checked at every request."""
    browser = Browser(people).sign_in("adam")
    with transaction(database.engine("admin")) as session:
        session.execute(
            text("UPDATE console_session SET api_key_id = NULL, subject = 'adam', roles = '{auditor,officer}'")
        )
    assert browser.open(QUEUE).status == 403
