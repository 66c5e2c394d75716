"""OpenID Connect: checks signed tokens (RFC 7519) of one issuer for one audience, with PyJWT.

Only asymmetric algorithms are accepted, so that neither `none` nor a public key used as a secret passes. Keys are
fetched by discovery and remembered. A token that names an unknown key makes us fetch them again, at most every ten
seconds: a rotation is noticed at once, and invented key ids cannot flood the provider with requests. While it is down,
one attempt at a time is made, and known keys go on being used without waiting.
"""

import contextlib
import hmac
import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import jwt

from shared.core.config import Settings, read_pairs
from shared.core.openid import FETCH_S, STEP_S, check_secure, read_document
from shared.domain.accounts import ROLES
from shared.errors import BadInput, Unauthorized, Unavailable

logger = logging.getLogger(__name__)
ALGORITHMS: Final = ("RS256", "ES256", "PS256", "EdDSA")
KEYS_AGE_S: Final = 300.0
FETCH_PAUSE_S: Final = 10.0  # between two attempts, also where the first failed
MOST_WAITING: Final = 4  # requests that wait for an attempt; half of the threads that check credentials
LONGEST_SUBJECT: Final = 255  # characters: OpenID Connect Core 1.0, section 2
AWAY: Final = "The OpenID provider cannot be reached, so nobody can sign in there now."


@dataclass(frozen=True)
class Token:
    """What a valid token says. `subject` is the one name that an issuer never gives to another account."""

    issuer: str
    subject: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Endpoints:
    """Where a browser signs in and out and a code is redeemed: from the discovery document, and not checked yet."""

    authorization: str
    token: str
    end_session: str  # empty where the provider has none
    secret_in_body: bool  # whether the provider takes a client secret in the body alone


@dataclass
class OidcProvider:
    """One OpenID provider. `roles_map` gives the role of each group in the claim; other groups give no role.

    `client_id` is that of the console, empty where nobody signs in to it at the provider. `device_client_id` is that of
    the command line, for the device authorization flow.
    """

    issuer: str
    audience: str
    roles_claim: str = "roles"
    roles_map: dict[str, str] = field(default_factory=dict)
    leeway_s: float = 30.0
    client_id: str = ""
    client_secret: str = ""
    device_client_id: str = ""
    device_scope: str = ""
    _endpoints: Endpoints | None = None
    _keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    _fetched: float = float("-inf")
    _tried: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _fetching: Future[None] | None = None
    _waiting: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MOST_WAITING))

    @classmethod
    def from_settings(cls, settings: Settings) -> "OidcProvider | None":
        """The configured provider; None without LACUNA_OIDC_ISSUER. Raises BadInput for settings that are wrong."""
        if not settings.oidc.issuer:
            return None
        settings.need("oidc_audience")
        mapped = read_pairs("LACUNA_OIDC_ROLES", settings.oidc.roles)
        if unknown := set(mapped.values()) - set(ROLES):
            raise BadInput(f"LACUNA_OIDC_ROLES names unknown roles: {', '.join(sorted(unknown))}.")
        check_secure(settings.oidc.issuer)
        return cls(
            settings.oidc.issuer,
            settings.oidc.audience,
            settings.oidc.roles_claim,
            mapped,
            settings.oidc.leeway_s,
            settings.oidc.client_id,
            settings.oidc.client_secret,
            settings.oidc.device_client_id,
            settings.oidc.device_scope,
        )

    def check(self, token: str) -> Token:
        """What the token says, once its signature is checked. Raises Unauthorized, which says which check failed."""
        return self._read(self._claims(token, self.audience))

    def check_id_token(self, token: str, nonce: str) -> Token:
        """What an ID token says that was issued to the console (OpenID Connect Core 1.0, section 3.1.3.7).

        Raises Unauthorized as `check` does, and where it was issued for another sign-in or another client.
        """
        claims = self._claims(token, self.client_id)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise Unauthorized("The token was issued for another sign-in.")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self.client_id) != self.client_id:
            raise Unauthorized("The token was issued to another client.")
        return self._read(claims)

    def endpoints(self) -> Endpoints:
        """Where one signs in. Raises Unavailable where the provider cannot be reached, or names no usable address."""
        now = time.monotonic()
        if self._endpoints is None:
            self._wait_for(self._refresh(now))
        elif now - self._fetched > KEYS_AGE_S:
            self._refresh(now)
        found = self._endpoints
        if found is None:
            raise Unavailable(AWAY)
        try:
            check_secure(found.authorization)
            check_secure(found.token)
            check_secure(found.end_session or found.token)
        except (BadInput, ValueError) as exc:
            raise Unavailable("The OpenID provider names no address where one can sign in.") from exc
        return found

    def _claims(self, token: str, audience: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise Unauthorized("The token's algorithm is not accepted.")
            key = self._key(str(header.get("kid", "")))
            if key.algorithm_name != header["alg"]:
                raise Unauthorized("The token's algorithm is not that of its key.")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=audience,
                issuer=self.issuer,
                leeway=self.leeway_s,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError as exc:
            raise Unauthorized("The token has expired.") from exc
        except jwt.ImmatureSignatureError as exc:
            raise Unauthorized("The token is not valid yet: one of the clocks is wrong.") from exc
        except jwt.InvalidAudienceError as exc:
            raise Unauthorized("The token is meant for another service.") from exc
        except jwt.InvalidIssuerError as exc:
            raise Unauthorized("The token comes from another issuer.") from exc
        except (jwt.PyJWTError, ValueError) as exc:
            raise Unauthorized("The token is not valid.") from exc
        return claims

    def _read(self, claims: dict[str, Any]) -> Token:
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject.strip() or len(subject) > LONGEST_SUBJECT:
            raise Unauthorized(f"The token names nobody: its subject has to have 1 to {LONGEST_SUBJECT} characters.")
        return Token(self.issuer, subject, self._roles(claims))

    def _roles(self, claims: dict[str, Any]) -> tuple[str, ...]:
        claim: Any = claims
        for part in self.roles_claim.split("."):
            claim = claim.get(part) if isinstance(claim, dict) else None
        groups = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
        return tuple(
            sorted({self.roles_map[group] for group in groups if isinstance(group, str) and group in self.roles_map})
        )

    def _key(self, kid: str) -> jwt.PyJWK:
        now = time.monotonic()
        fresh = now - self._fetched <= KEYS_AGE_S
        if kid not in self._keys:
            self._wait_for(self._refresh(now))
        elif not fresh:
            self._refresh(now)
        if kid in self._keys:
            return self._keys[kid]
        if not self._keys:
            raise Unavailable("The OpenID provider cannot be reached, so no token can be checked.")
        raise Unauthorized("The token is signed with a key that its issuer does not publish.")

    def _refresh(self, now: float) -> "Future[None] | None":
        """The attempt to fetch the keys that is under way; a new one where nobody has tried lately.

        An attempt that fails leaves the keys as they were.
        """
        with self._lock:
            if self._fetching is None and now - self._tried > FETCH_PAUSE_S:
                self._tried = now
                self._fetching = Future()
                threading.Thread(target=self._fetch, args=(self._fetching,), name="oidc-keys", daemon=True).start()
            return self._fetching

    def _wait_for(self, attempt: "Future[None] | None") -> None:
        """Wait for an attempt. Raises Unavailable where enough others do: made-up tokens must not hold all threads."""
        if attempt is None:
            return
        if not self._waiting.acquire(blocking=False):
            raise Unavailable("The keys of the OpenID provider are being fetched; try again in a moment.")
        try:
            with contextlib.suppress(TimeoutError):
                attempt.result(FETCH_S)
        finally:
            self._waiting.release()

    def _fetch(self, attempt: "Future[None]") -> None:
        try:
            with httpx.Client(timeout=STEP_S, trust_env=False, follow_redirects=False) as http:
                configuration = read_document(
                    http, "GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
                )
                if configuration.get("issuer") != self.issuer:
                    raise Unavailable("The OpenID provider names another issuer than the one that is configured.")
                published = read_document(http, "GET", check_secure(str(configuration.get("jwks_uri", ""))))
            signing = [key for key in published.get("keys", []) if key.get("use", "sig") == "sig" and key.get("kid")]
            usable = [key for key in signing if key.get("kty") in ("RSA", "EC", "OKP")]
            self._keys = {str(key["kid"]): jwt.PyJWK(key) for key in usable}
            self._endpoints = _endpoints_of(configuration)
            self._fetched = time.monotonic()
        except (httpx.HTTPError, ValueError, AttributeError, TypeError, jwt.PyJWTError, BadInput, Unavailable) as exc:
            logger.warning("the keys of the OpenID provider cannot be fetched (%s)", type(exc).__name__)
        finally:
            with self._lock:
                self._fetching = None
            attempt.set_result(None)


def _endpoints_of(configuration: dict[str, Any]) -> Endpoints:
    methods = configuration.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Endpoints(
        str(configuration.get("authorization_endpoint", "")),
        str(configuration.get("token_endpoint", "")),
        str(configuration.get("end_session_endpoint") or ""),
        "client_secret_basic" not in methods and "client_secret_post" in methods,
    )
