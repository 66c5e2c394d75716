"""Signs webhook messages (Standard Webhooks 1.0) and sends them so that no internal address can be reached (SSRF).

Only HTTPS is allowed. The name is resolved once and every address must be public. The connection goes to the address
that was checked, so that a second answer of the resolver cannot lead to an internal one (DNS rebinding). Redirects are
not followed, and the body of an answer is not read. `allow_loopback` is for tests: it turns off the checks of scheme
and address for 127.0.0.1 alone.
"""

import base64
import contextlib
import hmac
import http.client
import ipaddress
import secrets
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from shared.errors import BadInput

SECRET_BYTES: Final = 32
TIMEOUT_S: Final = 10.0  # of one step: to connect, to wait for the next bytes
TOTAL_S: Final = 15.0  # of the whole exchange after the name is resolved, however slowly the receiver goes on
PAUSES_S: Final = (5, 30, 120, 900, 3600, 4 * 3600, 12 * 3600)  # after each failed attempt; then it gives up


@dataclass(frozen=True)
class DeliveryResult:
    """The outcome of one attempt. `status` is None where there was no answer; `error` then gives the reason."""

    status: int | None
    error: str | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver accepted it: any status of 2xx."""
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
    """The parts of a URL. Raises BadInput unless it is https to one of `hosts` (`*`: any), without user or fragment."""
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
    """The first address of `host`. Raises BadInput where there is none or where one is not public."""
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as exc:
        raise BadInput("The webhook's host has no address.") from exc
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
        public = inner.is_global and address.is_global and not inner.is_multicast and not inner.is_reserved
        if not public and not (allow_loopback and text == "127.0.0.1"):
            raise BadInput("The webhook's host has an address that is not public.")
    return sorted(addresses)[0]


def send(
    url: str, hosts: Sequence[str], message_id: str, timestamp: int, body: str, signature: str, *, allow_loopback: bool
) -> DeliveryResult:
    """POST one message. Never raises: an error is part of the result. Takes TOTAL_S at most, after the resolver."""
    connection: PinnedConnection | None = None
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
        deadline = threading.Timer(TOTAL_S, connection.cut)
        deadline.daemon = True
        deadline.start()
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body.encode(), headers)
            status = connection.getresponse().status
        finally:
            deadline.cancel()
            connection.close()
    except BadInput as exc:
        return DeliveryResult(None, exc.detail)
    except ssl.SSLError:
        if connection is not None and connection.was_cut:
            return DeliveryResult(None, f"There was no answer within {TOTAL_S:.0f} s.")
        return DeliveryResult(None, "The certificate is not valid.")
    except (OSError, http.client.HTTPException, ValueError) as exc:
        if connection is not None and connection.was_cut:
            return DeliveryResult(None, f"There was no answer within {TOTAL_S:.0f} s.")
        return DeliveryResult(None, f"There was no HTTP answer ({type(exc).__name__}).")
    return DeliveryResult(status, None if 200 <= status < 300 else f"Answered {status}.")


class PinnedConnection(http.client.HTTPConnection):
    """A connection to the address that was checked; the Host header and the certificate are those of the host name."""

    def __init__(self, host: str, port: int, address: str, *, tls: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT_S)
        self._address, self._tls = address, tls
        self._plain: socket.socket | None = None
        self.was_cut = False

    def connect(self) -> None:
        """Connect to the checked address."""
        self._plain = plain = socket.create_connection((self._address, self.port), TIMEOUT_S)
        if self.was_cut:
            raise TimeoutError
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host) if self._tls else plain

    def cut(self) -> None:
        """End the exchange from another thread: whatever waits for the receiver fails."""
        self.was_cut = True
        for held in (self._plain, self.sock):
            if held is not None:
                with contextlib.suppress(OSError):
                    held.shutdown(socket.SHUT_RDWR)
