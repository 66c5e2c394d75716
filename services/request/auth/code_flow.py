"""Authorization code flow of OpenID Connect with PKCE: how a browser signs in at the provider.

OpenID Connect Core 1.0, section 3.1; RFC 7636 with S256; RFC 9207 for the issuer of an answer. An attempt is kept by
the browser that began it, in a signed cookie, and by nobody else: an answer to another browser's attempt is refused.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import httpx
import jwt

from services.request.auth.oidc import AWAY, OidcProvider, Token
from shared.core.clock import utc_now
from shared.core.openid import STEP_S, read_document
from shared.errors import Unauthorized, Unavailable

ATTEMPT: Final = timedelta(minutes=10)  # from the first page of the provider to its answer
LONGEST_CODE: Final = 4096  # characters
NOT_BEGUN: Final = "This sign-in was not begun in this browser, or took too long. Begin again."
REFUSED: Final = "The OpenID provider did not accept this sign-in. Begin again."


@dataclass(frozen=True)
class Attempt:
    """One sign-in under way. `target` is the page of the console that its person wants."""

    state: str
    nonce: str
    verifier: str
    target: str

    def signed(self, key: bytes) -> str:
        """The value of the cookie, which is worth nothing after ATTEMPT."""
        return jwt.encode({"exp": utc_now() + ATTEMPT, "attempt": asdict(self)}, key, "HS256")


def new_attempt(target: str) -> Attempt:
    """An attempt with fresh secrets."""
    return Attempt(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), target)


def find_attempt(cookie: str, key: bytes, state: str) -> Attempt:
    """The attempt of this browser to which an answer with `state` belongs. Raises Unauthorized where there is none."""
    try:
        attempt = Attempt(**jwt.decode(cookie, key, algorithms=["HS256"], options={"require": ["exp"]})["attempt"])
    except (jwt.PyJWTError, KeyError, TypeError) as exc:
        raise Unauthorized(NOT_BEGUN) from exc
    if not hmac.compare_digest(attempt.state.encode(), state.encode()):
        raise Unauthorized(NOT_BEGUN)
    return attempt


def authorization_url(provider: OidcProvider, attempt: Attempt, redirect_uri: str) -> str:
    """The page of the provider where the attempt goes on. Raises Unavailable where the provider cannot be reached."""
    challenge = urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
    question = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": "openid",
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return str(httpx.URL(provider.endpoints().authorization).copy_merge_params(question))


@dataclass(frozen=True)
class SignedInAt:
    """Who signed in at the provider, and the ID token that says so: the hint with which one signs out there."""

    token: Token
    id_token: str


def sign_out_url(provider: OidcProvider, id_token: str, redirect_uri: str) -> str | None:
    """The page of the provider where one signs out (OpenID Connect RP-Initiated Logout 1.0); None where it has none.

    Raises Unavailable where the provider cannot be reached.
    """
    address = provider.endpoints().end_session
    if not address:
        return None
    question = {
        "client_id": provider.client_id,
        "post_logout_redirect_uri": redirect_uri,
        "id_token_hint": id_token,
    }
    return f"{address}{'&' if '?' in address else '?'}{urlencode(question)}"


def redeem(provider: OidcProvider, attempt: Attempt, code: str, redirect_uri: str) -> SignedInAt:
    """Who signed in: the code's ID token, checked.

    Raises Unauthorized where the provider or a check refuses it, Unavailable where the provider cannot be reached.
    """
    if not 0 < len(code) <= LONGEST_CODE:
        raise Unauthorized(REFUSED)
    endpoints = provider.endpoints()
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "client_id": provider.client_id,
        "code_verifier": attempt.verifier,
    }
    request: dict[str, Any] = {"data": fields}
    if provider.client_secret and endpoints.secret_in_body:
        fields["client_secret"] = provider.client_secret
    elif provider.client_secret:  # RFC 6749, section 2.3.1: both are encoded first
        request["auth"] = (quote_plus(provider.client_id), quote_plus(provider.client_secret))
    try:
        with httpx.Client(timeout=STEP_S, trust_env=False, follow_redirects=False) as http:
            answer = read_document(http, "POST", endpoints.token, **request)
    except httpx.HTTPStatusError as exc:
        if exc.response.status_code >= 500:
            raise Unavailable(AWAY) from exc
        raise Unauthorized(REFUSED) from exc
    except (httpx.HTTPError, ValueError) as exc:
        raise Unavailable(AWAY) from exc
    token = answer.get("id_token") if isinstance(answer, dict) else None
    if not isinstance(token, str):
        raise Unauthorized(REFUSED)
    return SignedInAt(provider.check_id_token(token, attempt.nonce), token)
