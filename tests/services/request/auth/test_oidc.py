"""OIDC tokens against a real local issuer: discovery, key rotation, and every kind of invalid token."""

import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi.testclient import TestClient

from services.request.app import build
from services.request.auth.oidc import OidcProvider
from shared.core.config import OidcSettings, Settings
from shared.errors import BadInput
from tests.support.api import People
from tests.support.oidc import Issuer, issuer

__all__ = ["issuer"]  # the fixture
ROLES = "compliance=officer,second-pair=approver,auditors=auditor"


@pytest.fixture
def get_with_token(issuer: Issuer, people: People) -> Iterator[Any]:
    settings = Settings(oidc=OidcSettings(issuer=issuer.url, audience="lacuna", roles=ROLES))
    provider = OidcProvider.from_settings(settings)
    people.add("uma", "officer", subject={"issuer": issuer.url, "subject": "u-17"})
    with TestClient(build(people.context, provider), raise_server_exceptions=False) as client:
        yield lambda token, path="/v1/tickets": client.get(path, headers={"Authorization": f"Bearer {token}"})


def test_valid_token_is_accepted_and_unknown_or_mixed_roles_are_refused(
    issuer: Issuer, get_with_token: Any, people: People
) -> None:
    assert get_with_token(issuer.token()).status_code == 200
    assert get_with_token(people.keys["olivia"]).status_code == 200  # keys go on being taken
    assert get_with_token(issuer.token(roles=["strangers"])).status_code == 403
    mixed = get_with_token(issuer.token(roles=["auditors", "compliance"]))
    assert (mixed.status_code, mixed.json()["type"]) == (403, "/v1/problems/duties-mixed")


def test_token_gives_no_role_that_its_person_does_not_have(issuer: Issuer, get_with_token: Any) -> None:
    assert get_with_token(issuer.token(roles=["second-pair"])).status_code == 403
    assert get_with_token(issuer.token(roles=["second-pair", "compliance"])).status_code == 200


@pytest.mark.parametrize("subject", ["u-18", "u-17 ", "U-17", "", "x" * 300])
def test_token_of_an_account_that_is_nobodys_is_refused(issuer: Issuer, get_with_token: Any, subject: str) -> None:
    assert get_with_token(issuer.token(sub=subject)).status_code in (401, 403)


def test_key_and_token_of_one_person_are_not_two_people(
    issuer: Issuer, people: People, ticket_body: dict[str, Any]
) -> None:
    """Olivia files with her key and would approve with her token."""
    settings = Settings(oidc=OidcSettings(issuer=issuer.url, audience="lacuna", roles=ROLES))
    listed = people["rosa"].get("/v1/people").json()["items"]
    olivia = next(person["id"] for person in listed if person["name"] == "olivia")
    subject = {"issuer": issuer.url, "subject": "u-1"}
    people.confirmed(people["rosa"].post(f"/v1/people/{olivia}/subjects", subject))
    assert people["rosa"].post(f"/v1/people/{olivia}/subjects", subject).status_code == 409
    ticket = people["olivia"].post("/v1/tickets", ticket_body)
    head = {
        "Authorization": f"Bearer {issuer.token(sub='u-1', roles=['second-pair'])}",
        "If-Match": ticket.headers["etag"],
    }
    with TestClient(build(people.context, OidcProvider.from_settings(settings))) as client:
        path = f"/v1/tickets/{ticket.json()['id']}/approve"
        refused = client.post(path, json={"ground": "objection"}, headers=head)
    assert (refused.status_code, refused.json()["type"]) == (403, "/v1/problems/four-eyes")


def test_wrong_token_is_refused_without_revealing_its_subject(issuer: Issuer, get_with_token: Any) -> None:
    now = int(time.time())
    other = ec.generate_private_key(ec.SECP256R1())
    wrong = {
        "expired": issuer.token(exp=now - 31),
        "another service": issuer.token(aud="elsewhere"),
        "another issuer": issuer.token(iss="https://elsewhere.example"),
        "clocks": issuer.token(iat=now + 3600),
        "does not publish": issuer.token(kid="unknown"),
        "not valid.": issuer.token(key=other),
        "algorithm": jwt.encode({"sub": "u-17"}, None, "none", {"kid": "first"}),  # type: ignore[arg-type]
        "not accepted": jwt.encode({"sub": "u-17"}, "s" * 32, "HS256", {"kid": "first"}),
        "not valid": issuer.token(sub=None),
        "The token is": issuer.token()[:-4] + "AAAA",
        "The token": "a.b.c",
    }
    for says, token in wrong.items():
        answer = get_with_token(token)
        assert answer.status_code == 401, says
        assert says in answer.json()["detail"]
        assert "u-17" not in answer.text
    assert get_with_token(issuer.token(exp=now - 10)).status_code == 200  # within the leeway


def test_token_of_a_rotated_out_key_is_refused(
    issuer: Issuer, get_with_token: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = issuer.token()
    assert get_with_token(old).status_code == 200
    issuer.rotate("second")
    monkeypatch.setattr("services.request.auth.oidc.FETCH_PAUSE_S", 0.0)
    assert get_with_token(issuer.token()).status_code == 200
    assert get_with_token(old).status_code == 401


def test_made_up_key_ids_do_not_make_us_hammer_the_issuer(issuer: Issuer, get_with_token: Any) -> None:
    for number in range(5):
        assert get_with_token(issuer.token(kid=f"made-up-{number}")).status_code == 401
    assert issuer.asked == 2


def test_unreachable_issuer_answers_503_and_api_keys_still_work(
    issuer: Issuer, get_with_token: Any, people: People
) -> None:
    token = issuer.token()
    issuer.server.shutdown()
    issuer.server.server_close()
    assert get_with_token(token).status_code == 503
    assert get_with_token(people.keys["olivia"]).status_code == 200


@pytest.mark.parametrize("subject", ["", "  ", "\t", "u" * 256, 17, ["u-17"]])
def test_subject_that_names_nobody_or_would_be_cut_is_refused(
    issuer: Issuer, get_with_token: Any, subject: Any
) -> None:
    assert get_with_token(issuer.token(sub=subject)).status_code == 401
    assert get_with_token(issuer.token(sub="u" * 255)).status_code == 403  # whole, and nobody's


def test_provider_that_is_down_is_asked_once_in_a_while(issuer: Issuer, get_with_token: Any) -> None:
    issuer.answers = False
    assert [get_with_token(issuer.token(kid=f"made-up-{n}")).status_code for n in range(5)] == [503] * 5
    assert issuer.asked == 1


def test_known_keys_hold_while_the_provider_hangs_and_waiting_is_bounded(
    issuer: Issuer, get_with_token: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert get_with_token(issuer.token()).status_code == 200
    monkeypatch.setattr("services.request.auth.oidc.FETCH_S", 0.5)
    monkeypatch.setattr("services.request.auth.oidc.KEYS_AGE_S", 0.0)  # they are old now
    monkeypatch.setattr("services.request.auth.oidc.FETCH_PAUSE_S", 0.0)
    issuer.going_on.clear()
    assert get_with_token(issuer.token()).status_code == 200
    assert get_with_token(issuer.token(kid="made-up")).status_code == 401
    issuer.going_on.set()


def test_settings_that_cannot_be_right_are_refused() -> None:
    right = OidcSettings(issuer="https://idp.example", audience="lacuna")
    for wrong in ({"issuer": "http://idp.example"}, {"roles": "a=emperor"}):
        with pytest.raises(BadInput):
            OidcProvider.from_settings(Settings(oidc=right.model_copy(update=wrong)))
