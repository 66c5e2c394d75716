"""Sign-in at an OpenID provider without a browser on this machine: the device authorization grant (RFC 8628).

The person opens an address elsewhere and types a short code; meanwhile this side asks the provider whether they did.
Tokens are refreshed (RFC 6749, section 6) and revoked (RFC 7009). What a token says is for the service to check.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from shared.core.openid import STEP_S, check_secure, read_answer, read_document
from shared.errors import BadInput, Unauthorized, Unavailable

GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
USUAL_INTERVAL_S: Final = 5.0  # RFC 8628, section 3.2
LEAST_INTERVAL_S = 1.0  # whatever the provider says
SLOWER_S: Final = 5.0  # section 3.5
LONGEST_INTERVAL_S: Final = 60.0
LONGEST_S: Final = 1800.0  # of a code, whatever the provider says
MOST_SHOWN: Final = 500  # characters of what is printed


@dataclass(frozen=True)
class Provider:
    """Where a client of the provider signs in. `revocation` is empty where the provider revokes nothing."""

    issuer: str
    client_id: str
    device_authorization: str
    token: str
    revocation: str = ""


@dataclass(frozen=True)
class DeviceCode:
    """What the person types, where, and how long it may take. `complete` is the address with the code in it."""

    code: str
    user_code: str
    address: str
    complete: str
    ends_after_s: float
    interval_s: float


@dataclass(frozen=True)
class Tokens:
    """What the provider gave. `expires_at`: seconds since 1970; `refresh` is empty where it gave none."""

    access: str
    refresh: str
    expires_at: float


def discover(issuer: str, client_id: str) -> Provider:
    """The provider's addresses. Raises BadInput where it has no such flow, Unavailable where it does not answer."""
    check_secure(issuer)
    with _http() as http:
        try:
            found = read_document(http, "GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if not isinstance(found, dict):
                raise ValueError("no object")
        except (httpx.HTTPError, ValueError) as exc:
            raise Unavailable(f"The OpenID provider {issuer} cannot be reached.") from exc
    if found.get("issuer") != issuer:
        raise BadInput("The OpenID provider names another issuer than the one that is configured.")
    device, token = (str(found.get(name) or "") for name in ("device_authorization_endpoint", "token_endpoint"))
    if not device:
        raise BadInput(f"The OpenID provider {issuer} has no device authorization flow. Use an API key (LACUNA_KEY).")
    revocation = str(found.get("revocation_endpoint") or "")
    return Provider(
        issuer, client_id, check_secure(device), check_secure(token), revocation and check_secure(revocation)
    )


def begin(provider: Provider, scope: str) -> DeviceCode:
    """Ask for a code. Raises Unauthorized where the provider refuses the client, Unavailable where it is away."""
    answer = _post(provider.device_authorization, {"client_id": provider.client_id, "scope": scope})
    if "error" in answer:
        raise Unauthorized(f"The OpenID provider refuses this client: {_shown(answer['error'])}.")
    try:
        return DeviceCode(
            code=str(answer["device_code"]),
            user_code=_shown(answer["user_code"]),
            address=_shown(check_secure(str(answer["verification_uri"]))),
            complete=_shown(check_secure(str(answer.get("verification_uri_complete") or answer["verification_uri"]))),
            ends_after_s=min(float(answer["expires_in"]), LONGEST_S),
            interval_s=min(max(float(answer.get("interval", USUAL_INTERVAL_S)), LEAST_INTERVAL_S), LONGEST_INTERVAL_S),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise Unavailable("The OpenID provider answers something else than a code.") from exc


def wait(
    provider: Provider,
    device: DeviceCode,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Tokens:
    """Ask until the person has decided. Raises Unauthorized where they refused or took too long."""
    ends, interval = clock() + device.ends_after_s, device.interval_s
    form = {"grant_type": GRANT, "device_code": device.code, "client_id": provider.client_id}
    while clock() + interval < ends:
        sleep(interval)
        try:
            answer = _post(provider.token, form)
        except Unavailable:  # section 3.5: an exponential pause where a connection fails
            interval = min(2 * max(interval, 1.0), LONGEST_INTERVAL_S)
            continue
        error = answer.get("error")
        if error is None:
            return _tokens(answer)
        if error == "slow_down":
            interval = min(interval + SLOWER_S, LONGEST_INTERVAL_S)
        elif error == "access_denied":
            raise Unauthorized("The sign-in was refused at the OpenID provider.")
        elif error == "expired_token":
            break
        elif error != "authorization_pending":
            raise Unauthorized(f"The OpenID provider did not accept this sign-in: {_shown(error)}.")
    raise Unauthorized("The code has expired. Run `lacuna login` again.")


def refresh(provider: Provider, tokens: Tokens) -> Tokens:
    """Newer tokens. Raises Unauthorized where the provider gives none any more, Unavailable where it is away."""
    if not tokens.refresh:
        raise Unauthorized("The sign-in has expired. Run `lacuna login` again.")
    form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh, "client_id": provider.client_id}
    answer = _post(provider.token, form)
    if "error" in answer:
        raise Unauthorized("The sign-in has ended at the OpenID provider. Run `lacuna login` again.")
    return _tokens(answer, tokens.refresh)


def revoke(provider: Provider, tokens: Tokens) -> bool:
    """End the sign-in at the provider too. Returns whether it says so; tokens that are out may be valid a little."""
    if not provider.revocation or not tokens.refresh:
        return False
    form = {"token": tokens.refresh, "token_type_hint": "refresh_token", "client_id": provider.client_id}
    try:
        with _http() as http:
            return read_answer(http, "POST", provider.revocation, data=form).is_success
    except (httpx.HTTPError, ValueError):
        return False


def _tokens(answer: dict[str, Any], earlier_refresh: str = "") -> Tokens:
    access = answer.get("access_token")
    if not isinstance(access, str) or not access or str(answer.get("token_type", "")).lower() != "bearer":
        raise Unauthorized("The OpenID provider gives no access token that can be used.")
    try:
        lasts_s = float(answer.get("expires_in", 300))
    except (TypeError, ValueError):
        lasts_s = 300.0
    return Tokens(access, str(answer.get("refresh_token") or earlier_refresh), time.time() + lasts_s)


def _post(url: str, form: dict[str, str]) -> dict[str, Any]:
    """The JSON answer, also where it is an error of OAuth. Raises Unavailable for anything else."""
    try:
        with _http() as http:
            answer = read_answer(http, "POST", url, data=form, headers={"Accept": "application/json"})
        body = answer.json()
        if not isinstance(body, dict) or (answer.is_error and "error" not in body):
            raise ValueError("neither tokens nor an error")
    except (httpx.HTTPError, ValueError) as exc:
        raise Unavailable("The OpenID provider cannot be reached, or answers something else.") from exc
    return body


def _http() -> httpx.Client:
    return httpx.Client(timeout=STEP_S, trust_env=False, follow_redirects=False)


def _shown(text: Any) -> str:
    """What is printed of the provider's words: no control characters, which a terminal would carry out."""
    return "".join(char for char in str(text)[:MOST_SHOWN] if char.isprintable())
