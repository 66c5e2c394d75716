"""Webhooks (Standard Webhooks 1.0): signing, and sending where nothing inside can be reached. Knows no database.

Only HTTPS. The name is resolved once; every address must be public; the connection goes to the address that was
checked, so that a second answer of the resolver cannot lead inside (DNS rebinding). Redirects are not followed, what is
answered is not kept. `allow_loopback` is for tests and turns off exactly the scheme and address checks for 127.0.0.1.
"""

import base64
import hmac
import http.client
import ipaddress
import secrets
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from shared.errors import BadInput

SECRET_BYTES: Final = 32
TIMEOUT_S: Final = 10.0
PAUSES_S: Final = (5, 30, 120, 900, 3600, 4 * 3600, 12 * 3600)  # after each failed try; then it is given up


@dataclass(frozen=True)
class DeliveryResult:
    """`status` is None where nobody answered; `error` says why in our words."""

    status: int | None
    error: str | None = None

    @property
    def delivered(self) -> bool:
        """2xx."""
        return self.status is not None and 200 <= self.status < 300


def draw_secret() -> bytes:
    """A new signing secret."""
    return secrets.token_bytes(SECRET_BYTES)


def encode_secret(secret: bytes) -> str:
    """The secret in the text form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secret).decode()


def sign(secrets_valid: Sequence[bytes], message_id: str, timestamp: int, body: str) -> str:
    """The webhook-signature header: one HMAC-SHA256 for each valid secret, so that a rotation breaks nobody."""
    signed = f"{message_id}.{timestamp}.{body}".encode()
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets_valid
    )


def check_url(url: str, hosts: Sequence[str], *, allow_loopback: bool = False) -> SplitResult:
    """The parts; raises BadInput unless it is https to an allowed host (`*` allows all), without user or fragment."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise BadInput("url: cannot be read.") from exc
    name = parts.hostname or ""
    if allow_loopback and parts.scheme == "http" and name == "127.0.0.1" and port:
        return parts
    if parts.scheme != "https" or not name or parts.username or parts.fragment or not url.isascii():
        raise BadInput("url: a webhook is https://host/path, without user, password or fragment.")
    allowed = any(host in ("*", name) or (host.startswith("*.") and name.endswith(host[1:])) for host in hosts)
    if not allowed:
        raise BadInput("url: this host is not on the list of LACUNA_WEBHOOK_HOSTS.")
    return parts


def address_of(host: str, port: int, *, allow_loopback: bool = False) -> str:
    """The first address of `host`, all of which are public; raises BadInput."""
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as exc:
        raise BadInput("The webhook's host has no address.") from exc
    for text in found:
        address = ipaddress.ip_address(text.partition("%")[0])
        inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
        public = inner.is_global and address.is_global and not inner.is_multicast and not inner.is_reserved
        if not public and not (allow_loopback and text == "127.0.0.1"):
            raise BadInput("The webhook's host leads to an address that is not public.")
    return sorted(found)[0]


def send(
    url: str, hosts: Sequence[str], message_id: str, timestamp: int, body: str, signature: str, *, allow_loopback: bool
) -> DeliveryResult:
    """POST one message; never raises."""
    try:
        parts = check_url(url, hosts, allow_loopback=allow_loopback)
        host = parts.hostname or ""
        port = parts.port or 443
        address = address_of(host, port, allow_loopback=allow_loopback)
        connection = PinnedConnection(host, port, address, tls=parts.scheme == "https")
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Lacuna-Webhooks/1",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature,
        }
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body.encode(), headers)
            status = connection.getresponse().status
        finally:
            connection.close()
    except BadInput as exc:
        return DeliveryResult(None, exc.detail)
    except ssl.SSLError:
        return DeliveryResult(None, "The certificate does not hold.")
    except (OSError, http.client.HTTPException, ValueError) as exc:
        return DeliveryResult(None, f"Nobody answered as HTTP ({type(exc).__name__}).")
    return DeliveryResult(status, None if 200 <= status < 300 else f"Answered {status}.")


class PinnedConnection(http.client.HTTPConnection):
    """Connects to the address that was checked, while name and certificate are those of the host."""

    def __init__(self, host: str, port: int, address: str, *, tls: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT_S)
        self._address, self._tls = address, tls

    def connect(self) -> None:
        """See above."""
        plain = socket.create_connection((self._address, self.port), TIMEOUT_S)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host) if self._tls else plain
