"""People by OpenID Connect: a signed token (RFC 7519) of one issuer for one audience. PyJWT does the work.

Algorithms are an allow-list of asymmetric ones, so that neither `none` nor a public key used as a secret gets in. Keys
are fetched by discovery, remembered, and fetched anew when a token names an unknown one, at most every ten seconds:
a rotation is noticed at once, and made-up key ids cannot make us hammer the provider.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import jwt

from services.request.auth.principals import Principal
from shared.core.config import Settings, read_pairs
from shared.domain.accounts import DEFAULT_TENANT, ROLES
from shared.errors import BadInput, Unauthorized, Unavailable

ALGORITHMS: Final = ("RS256", "ES256", "PS256", "EdDSA")
KEYS_AGE_S: Final = 300.0
FETCH_PAUSE_S: Final = 10.0
MOST_DOCUMENT: Final = 256 * 1024
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass
class OidcProvider:
    """`roles_map`: what a group of the claim is called here; a group that is not in it gives nothing."""

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
        """None where LACUNA_OIDC_ISSUER is not set; raises BadInput for what cannot be right."""
        if not settings.oidc.issuer:
            return None
        settings.need("oidc_audience")
        mapped = read_pairs("LACUNA_OIDC_ROLES", settings.oidc.roles)
        if unknown := set(mapped.values()) - set(ROLES):
            raise BadInput(f"LACUNA_OIDC_ROLES names no role of ours: {', '.join(sorted(unknown))}.")
        _secure(settings.oidc.issuer)
        return cls(
            settings.oidc.issuer,
            settings.oidc.audience,
            settings.oidc.roles_claim,
            mapped,
            settings.oidc.leeway_s,
        )

    def principal(self, token: str) -> Principal:
        """The person; raises Unauthorized without saying more than which check failed."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise Unauthorized("The token's algorithm is not accepted here.")
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
        return Principal(DEFAULT_TENANT, self._name(claims), self._roles(claims))

    def _name(self, claims: dict[str, Any]) -> str:
        """`sub` is the one name that an issuer never gives to somebody else."""
        return f"oidc:{claims['sub']}"[:200]

    def _roles(self, claims: dict[str, Any]) -> tuple[str, ...]:
        found: Any = claims
        for part in self.roles_claim.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        named = [found] if isinstance(found, str) else found if isinstance(found, list) else []
        return tuple(sorted({self.roles_map[one] for one in named if isinstance(one, str) and one in self.roles_map}))

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
                known = _document(http, f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                if known.get("issuer") != self.issuer:
                    raise Unavailable("The OpenID provider names another issuer than the one that is configured.")
                published = _document(http, _secure(str(known.get("jwks_uri", ""))))
            keys = [one for one in published.get("keys", []) if one.get("use", "sig") == "sig" and one.get("kid")]
            usable = [one for one in keys if one.get("kty") in ("RSA", "EC", "OKP")]
            self._keys = {str(one["kid"]): jwt.PyJWK(one) for one in usable}
            self._fetched = time.monotonic()
        except (httpx.HTTPError, ValueError, AttributeError, TypeError, jwt.PyJWTError, BadInput, Unavailable) as exc:
            if not self._keys:
                raise Unavailable("The OpenID provider cannot be reached, so nobody's token can be checked.") from exc
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


def _secure(url: str) -> str:
    """HTTPS, or loopback; raises BadInput."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise BadInput("The OpenID provider has to be reached by https.")
    return url
