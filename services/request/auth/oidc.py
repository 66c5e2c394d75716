"""OpenID Connect: checks signed tokens (RFC 7519) of one issuer for one audience, with PyJWT.

Only asymmetric algorithms are accepted, so that neither `none` nor a public key used as a secret passes. Keys are
fetched by discovery and remembered. A token that names an unknown key makes us fetch them again, at most every ten
seconds: a rotation is noticed at once, and invented key ids cannot flood the provider with requests.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import jwt

from shared.core.config import Settings, read_pairs
from shared.domain.accounts import ROLES
from shared.errors import BadInput, Unauthorized, Unavailable

ALGORITHMS: Final = ("RS256", "ES256", "PS256", "EdDSA")
KEYS_AGE_S: Final = 300.0
FETCH_PAUSE_S: Final = 10.0
MOST_DOCUMENT: Final = 256 * 1024
LONGEST_SUBJECT: Final = 255  # ASCII characters: OpenID Connect Core 1.0, section 2
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Token:
    """What a valid token says. `subject` is the one name that an issuer never gives to another account."""

    issuer: str
    subject: str
    roles: tuple[str, ...]


@dataclass
class OidcProvider:
    """One OpenID provider. `roles_map` gives the role of each group in the claim; other groups give no role."""

    issuer: str
    audience: str
    roles_claim: str = "roles"
    roles_map: dict[str, str] = field(default_factory=dict)
    leeway_s: float = 30.0
    _keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    _fetched: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def from_settings(cls, settings: Settings) -> "OidcProvider | None":
        """The configured provider; None without LACUNA_OIDC_ISSUER. Raises BadInput for settings that are wrong."""
        if not settings.oidc.issuer:
            return None
        settings.need("oidc_audience")
        mapped = read_pairs("LACUNA_OIDC_ROLES", settings.oidc.roles)
        if unknown := set(mapped.values()) - set(ROLES):
            raise BadInput(f"LACUNA_OIDC_ROLES names unknown roles: {', '.join(sorted(unknown))}.")
        _check_secure(settings.oidc.issuer)
        return cls(
            settings.oidc.issuer,
            settings.oidc.audience,
            settings.oidc.roles_claim,
            mapped,
            settings.oidc.leeway_s,
        )

    def check(self, token: str) -> Token:
        """What the token says, once its signature is checked. Raises Unauthorized, which says which check failed."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise Unauthorized("The token's algorithm is not accepted.")
            key = self._key(str(header.get("kid", "")))
            if key.algorithm_name != header["alg"]:
                raise Unauthorized("The token's algorithm is not that of its key.")
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self.audience,
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
        subject = claims["sub"]
        if not subject or len(subject) > LONGEST_SUBJECT or not subject.isprintable():
            raise Unauthorized("The token's subject is empty, or longer than an identifier may be.")
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
        with self._lock:
            age = time.monotonic() - self._fetched
            if age > KEYS_AGE_S or (kid not in self._keys and age > FETCH_PAUSE_S):
                self._fetch()
            if kid not in self._keys:
                raise Unauthorized("The token is signed with a key that its issuer does not publish.")
            return self._keys[kid]

    def _fetch(self) -> None:
        try:
            with httpx.Client(timeout=5, trust_env=False, follow_redirects=False) as http:
                configuration = _document(http, f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                if configuration.get("issuer") != self.issuer:
                    raise Unavailable("The OpenID provider names another issuer than the one that is configured.")
                published = _document(http, _check_secure(str(configuration.get("jwks_uri", ""))))
            signing = [key for key in published.get("keys", []) if key.get("use", "sig") == "sig" and key.get("kid")]
            usable = [key for key in signing if key.get("kty") in ("RSA", "EC", "OKP")]
            self._keys = {str(key["kid"]): jwt.PyJWK(key) for key in usable}
            self._fetched = time.monotonic()
        except (httpx.HTTPError, ValueError, AttributeError, TypeError, jwt.PyJWTError, BadInput, Unavailable) as exc:
            if not self._keys:
                raise Unavailable("The OpenID provider cannot be reached, so no token can be checked.") from exc
            self._fetched = time.monotonic() - KEYS_AGE_S + FETCH_PAUSE_S  # keep the old ones, try again soon


def _document(http: httpx.Client, url: str) -> Any:
    with http.stream("GET", url) as response:
        response.raise_for_status()
        raw = b""
        for piece in response.iter_bytes():
            raw += piece
            if len(raw) > MOST_DOCUMENT:
                raise ValueError("a document of the OpenID provider is too large")
    return httpx.Response(200, content=raw).json()


def _check_secure(url: str) -> str:
    """The URL itself. Raises BadInput unless it is HTTPS or leads to this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise BadInput("The URL of the OpenID provider has to begin with https.")
    return url
