"""Sign-in at the OpenID provider: the whole walk, and everything that may be wrong about the way back."""

import time
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from services.request.auth.authentication import Authenticator
from services.request.auth.oidc import OidcProvider
from services.request.auth.rate_limits import RateLimiter
from shared.core.config import OidcSettings, Settings
from shared.db.session import transaction
from tests.support.api import People
from tests.support.console import ADDRESS, Browser, HtmlPage
from tests.support.databases import Databases
from tests.support.oidc import CLIENT, MARKUP, Issuer, issuer

__all__ = ["issuer"]  # the fixture
ROLES = "compliance=officer,second-pair=approver,auditors=auditor"
QUEUE = "/console/tickets"
START = "/console/sign-in/provider"
CALLBACK = "/console/sign-in/callback"
COOKIE, ATTEMPT = "lacuna_console", "lacuna_sign_in"


def configure(people: People, issuer: Issuer, **more: str) -> None:
    oidc = OidcSettings(issuer=issuer.url, audience="lacuna", roles=ROLES, **{"client_id": CLIENT} | more)  # type: ignore[arg-type]
    provider = OidcProvider.from_settings(Settings(oidc=oidc))
    cast(FastAPI, people.app.app).state.authenticator = Authenticator(people.context.database, provider)


@pytest.fixture
def browser(people: People, issuer: Issuer) -> Browser:
    """A browser at a console whose provider knows Uma, an officer."""
    configure(people, issuer)
    people.add("uma", "officer", subject={"issuer": issuer.url, "subject": "u-17"})
    return Browser(people)


def go(browser: Browser, target: str = QUEUE) -> str:
    """Sign in on the pages of the provider; where it sends the browser back to."""
    start = browser.client.get(START, params={"next": target}, follow_redirects=False)
    assert start.status_code == 303, start.text
    answer = httpx.get(start.headers["location"], follow_redirects=False)
    back = answer.headers["location"]
    assert back.startswith(f"{ADDRESS}{CALLBACK}?")
    return str(back.removeprefix(ADDRESS))


def refused(browser: Browser, page: HtmlPage, status: int, says: str) -> None:
    assert (page.status, says in page.words) == (status, True), page.words
    assert COOKIE not in browser.client.cookies
    assert MARKUP not in page.text
    assert browser.open(QUEUE).url.startswith("/console/sign-in?")


def test_whole_walk_leads_to_the_page_that_was_asked_for_with_the_roles_of_the_person(
    browser: Browser, issuer: Issuer, database: Databases
) -> None:
    page = browser.open(f"{QUEUE}?view=review")
    link = next(link for link in page.links if link.startswith(START))
    start = browser.client.get(link, follow_redirects=False)
    cookie = start.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/console/sign-in", "Max-Age=600"} <= set(cookie.split("; "))
    back = httpx.get(start.headers["location"], follow_redirects=False).headers["location"]
    page = browser.open(back.removeprefix(ADDRESS))
    assert (page.status, page.links[-1]) == (200, f"{QUEUE}?view=review")
    assert f'content="0; url={QUEUE}?view=review"' in page.text
    assert ATTEMPT not in browser.client.cookies
    page = browser.open(QUEUE)
    assert (page.url, "uma" in page.words) == (QUEUE, True)
    assert browser.open("/console/keys").status == 403  # an officer
    with transaction(database.engine("admin")) as session:
        stored = session.execute(text("SELECT subject, roles, expires_at - created_at FROM console_session")).one()
    assert (stored[0], stored[1], stored[2].total_seconds()) == ("uma", ["officer"], 3600)


@pytest.mark.parametrize("secret", ["s3cret", "with : and % and +"])
def test_client_with_a_secret_sends_it_encoded(browser: Browser, issuer: Issuer, people: People, secret: str) -> None:
    configure(people, issuer, client_secret=secret)
    issuer.secret = httpx.QueryParams({"s": secret}).__str__().removeprefix("s=")
    assert browser.open(go(browser)).status == 200
    assert browser.open(QUEUE).url == QUEUE
    configure(people, issuer)  # without it the provider refuses
    other = Browser(people)
    refused(other, other.open(go(other)), 401, "did not accept")


def test_answer_to_another_browser_is_refused(browser: Browser, people: People) -> None:
    """As after a link to an attacker's answer: nobody is signed in as the attacker."""
    back, victim = go(browser), Browser(people)
    refused(victim, victim.open(back), 401, "not begun in this browser")
    go(victim)  # who has begun one of their own
    refused(victim, victim.open(back), 401, "not begun in this browser")
    assert ATTEMPT in victim.client.cookies  # which can still be ended
    assert browser.open(back).status == 200


def test_wrong_or_missing_state_is_refused(browser: Browser) -> None:
    parts = httpx.URL(go(browser))
    for state in ("", "x", parts.params["state"] + "x", "ä"):
        wrong = str(parts.copy_set_param("state", state))
        refused(browser, browser.open(wrong), 401, "not begun in this browser")
    refused(browser, browser.open(str(parts.copy_remove_param("state"))), 401, "not begun in this browser")


def test_forged_or_old_attempt_is_refused(browser: Browser, people: People) -> None:
    back = go(browser)
    cookie = browser.client.cookies[ATTEMPT]
    claims = jwt.decode(cookie, options={"verify_signature": False})
    key = people.context.keys.secret("console sign-in at the provider")
    old = jwt.encode(claims | {"exp": int(time.time()) - 1}, key, "HS256")
    forged = jwt.encode(claims, "k" * 32, "HS256")
    unsigned = jwt.encode(claims, None, "none")  # type: ignore[arg-type]
    for wrong in (old, forged, unsigned, cookie[:-3], "", "a.b.c"):
        browser.client.cookies.clear()
        browser.client.cookies.set(ATTEMPT, wrong, domain="127.0.0.1", path="/console/sign-in")
        refused(browser, browser.open(back), 401, "not begun in this browser")


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"nonce": "another"}, "another sign-in"),
        ({"nonce": None}, "another sign-in"),
        ({"aud": "lacuna"}, "another service"),  # a token of the API is none of the console
        ({"aud": [CLIENT, "elsewhere"]}, "another client"),
        ({"azp": "elsewhere"}, "another client"),
        ({"iss": "https://elsewhere.example"}, "another issuer"),
        ({"exp": 1_000_000_000}, "expired"),
    ],
)
def test_id_token_of_something_else_is_refused(
    browser: Browser, issuer: Issuer, claims: dict[str, Any], says: str
) -> None:
    issuer.claims = claims
    refused(browser, browser.open(go(browser)), 401, says)
    assert ATTEMPT not in browser.client.cookies


def test_code_is_good_once(browser: Browser, people: People) -> None:
    back = go(browser)
    attempt = browser.client.cookies[ATTEMPT]
    assert browser.open(back).status == 200
    thief = Browser(people)
    thief.client.cookies.set(ATTEMPT, attempt, domain="127.0.0.1", path="/console/sign-in")
    refused(thief, thief.open(back), 401, "did not accept")
    refused(thief, thief.open(back), 401, "not begun in this browser")  # nor is the attempt


@pytest.mark.parametrize("code", ["", "made-up", "x" * 5000])
def test_code_that_the_provider_did_not_give_is_refused(browser: Browser, code: str) -> None:
    back = str(httpx.URL(go(browser)).copy_set_param("code", code))
    refused(browser, browser.open(back), 401, "did not accept")


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"roles": []}, "no role"),
        ({"roles": ["strangers"]}, "no role"),
        ({"roles": ["second-pair"]}, "no role"),  # which two administrators did not give here
        ({"roles": ["auditors", "compliance"]}, "at once"),
        ({"sub": "u-18"}, "belongs to nobody"),
    ],
)
def test_account_without_a_role_or_a_person_gets_no_session(
    browser: Browser, issuer: Issuer, claims: dict[str, Any], says: str
) -> None:
    issuer.claims = claims
    refused(browser, browser.open(go(browser)), 403, says)


def test_whom_the_provider_denies_is_told_in_our_words(browser: Browser, issuer: Issuer) -> None:
    issuer.denies = True
    refused(browser, browser.open(go(browser)), 401, "did not let you in")


def test_answer_that_names_another_issuer_is_refused(browser: Browser) -> None:
    back = str(httpx.URL(go(browser)).copy_set_param("iss", "https://elsewhere.example"))
    refused(browser, browser.open(back), 401, "did not let you in")


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "/v1/keys"])
def test_nobody_is_sent_elsewhere_after_signing_in(browser: Browser, target: str) -> None:
    page = browser.open(go(browser, target))
    assert (page.links[-1], "evil" in page.text) == ("/console", False)


def test_person_who_is_disabled_loses_the_session(browser: Browser, people: People) -> None:
    browser.open(go(browser))
    listed = people["rosa"].get("/v1/people").json()["items"]
    uma = next(person["id"] for person in listed if person["name"] == "uma")
    assert people["rosa"].post(f"/v1/people/{uma}/disable").status_code == 200
    assert browser.open(QUEUE).url.startswith("/console/sign-in?")
    browser.client.cookies.clear()
    refused(browser, browser.open(go(browser)), 403, "belongs to nobody")


def test_provider_that_is_down_is_said_and_keys_still_work(browser: Browser, issuer: Issuer) -> None:
    back = go(browser)
    issuer.server.shutdown()
    issuer.server.server_close()
    refused(browser, browser.open(back), 503, "cannot be reached")
    assert browser.sign_in("olivia").open(QUEUE).url == QUEUE


@pytest.mark.parametrize("address", ["", "javascript:alert(1)", "http://elsewhere.example/authorize"])
def test_provider_with_an_address_that_is_not_safe_is_not_used(
    browser: Browser, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    document = issuer.discovery() | {"authorization_endpoint": address}
    monkeypatch.setattr(issuer, "discovery", lambda: document)
    answer = browser.client.get(START, follow_redirects=False)
    assert (answer.status_code, "location" in answer.headers) == (503, False)


def test_refused_sign_ins_are_counted_as_wrong_keys_are(browser: Browser, people: People) -> None:
    cast(FastAPI, people.app.app).state.rate_limiter = RateLimiter("1000/minute", "3/minute")
    assert [browser.open(f"{CALLBACK}?state=x&code=y").status for _ in range(4)] == [401, 401, 401, 429]


def test_without_a_client_there_is_no_such_sign_in(people: People, issuer: Issuer) -> None:
    for configured in (False, True):
        if configured:
            configure(people, issuer, client_id="")
        browser = Browser(people)
        assert not any(link.startswith(START) for link in browser.open("/console/sign-in").links)
        assert [browser.open(path).status for path in (START, CALLBACK)] == [404, 404]


def test_cookie_and_way_back_are_for_https_on_any_other_host(browser: Browser) -> None:
    answer = browser.client.get(START, headers={"Host": "lacuna.example.org"}, follow_redirects=False)
    assert "Secure" in answer.headers["set-cookie"]
    asked = httpx.URL(answer.headers["location"]).params
    assert asked["redirect_uri"] == f"https://lacuna.example.org{CALLBACK}"


def signed_out(browser: Browser) -> HtmlPage:
    fields = browser.open(QUEUE).form("/console/sign-out").fields
    return browser.post("/console/sign-out", fields)


def test_signing_out_leads_to_the_providers_page_where_it_has_one(browser: Browser, issuer: Issuer) -> None:
    issuer.ends_sessions = True
    browser.open(go(browser))
    page = signed_out(browser)
    assert "You are signed out here." in page.words
    assert "form-action 'self'" in page.headers["content-security-policy"]
    link = next(link for link in page.links if link.startswith(f"{issuer.url}/end?"))
    asked = dict(parse_qsl(urlsplit(link).query))
    assert asked["client_id"] == CLIENT
    assert asked["post_logout_redirect_uri"] == f"{ADDRESS}/console/sign-in"
    assert jwt.decode(asked["id_token_hint"], options={"verify_signature": False})["sub"] == "u-17"
    assert browser.open(QUEUE).url.startswith("/console/sign-in")
    assert "lacuna_id_token" not in {cookie.name for cookie in browser.client.cookies.jar}


def test_without_such_a_page_or_with_a_key_one_is_signed_out_here_alone(
    browser: Browser, people: People, issuer: Issuer
) -> None:
    browser.open(go(browser))
    assert signed_out(browser).url == "/console/sign-in"
    issuer.ends_sessions = True
    configure(people, issuer)
    browser.sign_in("olivia")
    assert signed_out(browser).url == "/console/sign-in"
    browser.open(go(browser))
    issuer.answers = False
    configure(people, issuer)
    assert signed_out(browser).url == "/console/sign-in"


def test_address_to_sign_out_that_is_not_safe_is_not_used(
    browser: Browser, issuer: Issuer, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.open(go(browser))
    document = issuer.discovery() | {"end_session_endpoint": "http://evil.example/end"}
    monkeypatch.setattr(issuer, "discovery", lambda: document)
    configure(people, issuer)
    assert signed_out(browser).url == "/console/sign-in"
