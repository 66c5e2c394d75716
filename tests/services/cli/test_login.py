"""`lacuna login` against a stand-in provider: the device flow, the file of sign-ins, refreshing and signing out."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI

from services.cli import device_flow, logins
from services.request.auth.authentication import Authenticator
from services.request.auth.oidc import OidcProvider
from shared.errors import BadInput, Unauthorized, Unavailable
from tests.services.cli.conftest import RunCommand
from tests.support.api import People
from tests.support.oidc import DEVICE, Issuer, issuer

__all__ = ["issuer"]  # the fixture
ROLES = {"compliance": "officer"}


@pytest.fixture(autouse=True)
def settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setattr(device_flow, "LEAST_INTERVAL_S", 0.0)
    return tmp_path / "settings/lacuna"


@pytest.fixture
def configured(people: People, issuer: Issuer) -> People:
    """The service that takes the provider's tokens; `uma` is its account u-17."""
    provider = OidcProvider(issuer.url, "lacuna", roles_map=ROLES, device_client_id=DEVICE, device_scope="openid")
    cast(FastAPI, people.app.app).state.authenticator = Authenticator(people.context.database, provider)
    people.add("uma", "officer", subject={"issuer": issuer.url, "subject": "u-17"})
    return people


def test_person_signs_in_acts_and_signs_out(
    lacuna: RunCommand, configured: People, issuer: Issuer, settings_folder: Path
) -> None:
    issuer.device_answers = [{"error": "authorization_pending"}, {"error": "authorization_pending"}]
    signed_in = lacuna("login")
    assert signed_in.code == 0, signed_in.err
    assert f"Open  {issuer.url}/code" in signed_in.out
    assert "ABCD-EFGH" in signed_in.out
    file = settings_folder / "logins.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    filed = lacuna("ticket", "file", "--name", "Mara", "--json")
    assert json.loads(filed.out)["submitted_by"] == "uma"
    kept = next(iter(json.loads(file.read_text()).values()))["tokens"]["refresh"]
    assert "You are signed out of" in lacuna("logout").out
    assert issuer.revoked == [kept]
    assert json.loads(file.read_text()) == {}
    filed = lacuna("ticket", "file", "--name", "Jon", "--json")  # by the keys of the folder again
    assert json.loads(filed.out)["submitted_by"] == "olivia"
    assert lacuna("logout").code == 0


def test_key_of_the_environment_goes_before_a_sign_in(
    lacuna: RunCommand, configured: People, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lacuna("login").code == 0
    monkeypatch.setenv("LACUNA_KEY", configured.keys["olivia"])
    assert json.loads(lacuna("ticket", "file", "--name", "Mara", "--json").out)["submitted_by"] == "olivia"


def test_expired_token_is_refreshed_and_kept(
    lacuna: RunCommand, configured: People, issuer: Issuer, settings_folder: Path
) -> None:
    issuer.lasts_s = 10  # less than the margin: each command refreshes it
    assert lacuna("login").code == 0
    assert lacuna("ticket", "list").code == 0
    assert lacuna("ticket", "list").code == 0
    assert issuer.refreshed == 2
    issuer.refresh_tokens.clear()
    ended = lacuna("ticket", "list")
    assert (ended.code, ended.err) == (1, "The sign-in has ended at the OpenID provider. Run `lacuna login` again.\n")


def test_token_that_the_service_refuses_is_refreshed_once(
    lacuna: RunCommand, configured: People, issuer: Issuer
) -> None:
    assert lacuna("login").code == 0
    issuer.rotate("second")  # the provider's key: the token is worth nothing any more
    known = cast(FastAPI, configured.app.app).state.authenticator.provider
    known._keys, known._tried = {}, float("-inf")
    assert lacuna("ticket", "list").code == 0
    assert issuer.refreshed == 1


def test_commands_at_once_use_a_refresh_token_once(lacuna: RunCommand, configured: People, issuer: Issuer) -> None:
    issuer.lasts_s = 10
    assert lacuna("login").code == 0
    issuer.lasts_s = 300
    url = next(iter(json.loads((logins.folder() / logins.FILE).read_text())))
    with ThreadPoolExecutor(6) as pool:
        tokens = set(pool.map(lambda _: logins.access_token(url), range(6)))
    assert (len(tokens), issuer.refreshed) == (1, 1)


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ([{"error": "access_denied"}], "The sign-in was refused at the OpenID provider."),
        ([{"error": "authorization_pending"}, {"error": "expired_token"}], "The code has expired."),
        ([{"error": "invalid_\x1b[2Jclient"}], "did not accept this sign-in: invalid_[2Jclient."),
        ([{"token_type": "mac", "access_token": "x"}], "gives no access token that can be used."),
    ],
)
def test_sign_in_that_fails_is_a_sentence_and_keeps_nothing(
    lacuna: RunCommand,
    configured: People,
    issuer: Issuer,
    answers: list[dict[str, Any]],
    sentence: str,
    settings_folder: Path,
) -> None:
    issuer.device_answers = answers
    refused = lacuna("login")
    assert (refused.code, sentence in refused.err) == (1, True), refused.err
    assert not (settings_folder / "logins.json").exists()


def test_account_of_nobody_is_refused_at_once_and_ended_at_the_provider(
    lacuna: RunCommand, configured: People, issuer: Issuer, settings_folder: Path
) -> None:
    issuer.claims = {"sub": "u-99"}
    refused = lacuna("login")
    assert (refused.code, "belongs to nobody who works here" in refused.err) == (1, True), refused.err
    assert len(issuer.revoked) == 1
    assert not (settings_folder / "logins.json").exists()


def test_token_for_another_service_is_refused_with_the_reason(
    lacuna: RunCommand, configured: People, issuer: Issuer
) -> None:
    issuer.claims = {"aud": "another"}
    assert "The token is meant for another service." in lacuna("login").err


def test_service_without_a_provider_asks_for_one_and_says_so(lacuna: RunCommand, people: People) -> None:
    assert "names no OpenID provider" in lacuna("login").err
    assert people.app.get("/v1/sign-in").json() == {"issuer": None, "client_id": None, "scope": None}
    assert "https" in lacuna("login", "--issuer", "http://accounts.example.org", "--client-id", "x").err


def test_nobody_signs_in_at_a_service_without_https(
    lacuna: RunCommand, configured: People, settings_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever answers in its place would name a provider, and be given the token."""
    monkeypatch.setenv("LACUNA_URL", "http://lacuna.example.org")
    assert "http://lacuna.example.org is not https" in lacuna("login").err
    assert not settings_folder.exists()


def test_provider_without_the_flow_or_away_is_a_sentence(
    lacuna: RunCommand, configured: People, issuer: Issuer
) -> None:
    issuer.has_devices = False
    assert "has no device authorization flow" in lacuna("login").err
    issuer.answers = False
    assert "cannot be reached" in lacuna("login").err


def test_address_that_is_not_secure_is_not_shown(lacuna: RunCommand, configured: People, issuer: Issuer) -> None:
    issuer.device = {"verification_uri": "http://evil.example/code"}
    refused = lacuna("login")
    assert (refused.code, "evil" in refused.out) == (1, False)


def test_file_that_others_read_or_that_is_broken_is_refused(
    lacuna: RunCommand, configured: People, settings_folder: Path
) -> None:
    assert lacuna("login").code == 0
    file = settings_folder / "logins.json"
    file.chmod(0o644)
    assert "can be read by others" in lacuna("ticket", "list").err
    file.chmod(0o600)
    file.write_text("{")
    assert "cannot be used" in lacuna("ticket", "list").err


class TestWaiting:
    provider = device_flow.Provider("https://i.example", DEVICE, "https://i.example/d", "https://i.example/t")

    def waits(self, monkeypatch: pytest.MonkeyPatch, answers: list[Any]) -> list[float]:
        """How long it pauses before each question, until it has tokens or gives up."""
        code = device_flow.DeviceCode("d", "U", "https://i.example", "https://i.example", 100.0, 5.0)
        pauses: list[float] = []

        def post(_url: str, _form: Any) -> Any:
            answer = answers.pop(0) if answers else {"error": "authorization_pending"}
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(device_flow, "_post", post)
        try:
            device_flow.wait(self.provider, code, pauses.append, lambda: sum(pauses))
        except Unauthorized:
            pauses.append(-1.0)
        return pauses

    def test_slow_down_adds_five_seconds_for_good(self, monkeypatch: pytest.MonkeyPatch) -> None:
        given = {"access_token": "a", "token_type": "Bearer"}
        pending = {"error": "authorization_pending"}
        assert self.waits(monkeypatch, [{"error": "slow_down"}, pending, {"error": "slow_down"}, given]) == [
            5,
            10,
            10,
            15,
        ]

    def test_provider_that_is_away_is_asked_again_after_longer_pauses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        given = {"access_token": "a", "token_type": "Bearer"}
        assert self.waits(monkeypatch, [Unavailable("away"), Unavailable("away"), given]) == [5, 10, 20]

    def test_code_that_nobody_types_ends_in_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pauses = self.waits(monkeypatch, [])
        assert (pauses[-1], sum(pauses[:-1]) <= 100) == (-1.0, True)


def test_document_of_another_issuer_is_refused(issuer: Issuer) -> None:
    issuer.url = issuer.url.replace("127.0.0.1", "localhost")
    with pytest.raises(BadInput, match="another issuer"):
        device_flow.discover(issuer.url.replace("localhost", "127.0.0.1"), DEVICE)
