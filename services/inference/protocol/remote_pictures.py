"""Pictures by address: only from hosts that the operator allows, over https, bounded in bytes and time.

Nothing else is followed: no redirect, no address of a private network (unless its host is listed by number), no
credentials in the URL. The name is resolved once, and the connection goes to the address that was checked.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from shared.domain.photos import MAX_BYTES
from shared.errors import BadInput, TooLarge

FETCH_S: Final = 10.0
MOST_REDIRECTS: Final = 0


@dataclass(frozen=True)
class RemotePictures:
    """`hosts`: names that may be asked, or `*.example.org`; empty: none. `transport` is for tests."""

    hosts: Sequence[str] = ()
    transport: httpx.AsyncBaseTransport | None = None

    async def fetch(self, url: str) -> bytes:
        """The bytes at `url`. Raises BadInput where it may not or cannot be fetched, TooLarge for too many bytes."""
        host, port = self._allowed(url)
        try:
            async with asyncio.timeout(FETCH_S):
                address = await _public_address(host, port, listed=host in self.hosts)
                return await self._get(url, host, port, address)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
            raise BadInput(f"The picture could not be fetched from {host}.", reason="invalid_image_url") from exc

    def _allowed(self, url: str) -> tuple[str, int]:
        if not self.hosts:
            raise BadInput(
                "A picture must be given as a data URL (data:image/png;base64,...), not as an address.",
                reason="invalid_image_url",
            )
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower().rstrip("."), parts.port or 443
        except ValueError as exc:
            raise BadInput("The address of the picture is not a URL.", reason="invalid_image_url") from exc
        if parts.scheme != "https" or parts.username is not None or parts.password is not None or port != 443:
            raise BadInput("The address of a picture must be https://host/path.", reason="invalid_image_url")
        if not any(host == listed or (listed.startswith("*.") and host.endswith(listed[1:])) for listed in self.hosts):
            raise BadInput("Pictures are not fetched from this host.", reason="invalid_image_url")
        return host, port

    async def _get(self, url: str, host: str, port: int, address: str) -> bytes:
        target = httpx.URL(url).copy_with(host=address, port=port)
        data = bytearray()
        async with (
            httpx.AsyncClient(follow_redirects=False, trust_env=False, transport=self.transport) as client,
            client.stream(
                "GET", target, headers={"Host": host}, extensions={"sni_hostname": host}, timeout=FETCH_S
            ) as response,
        ):
            if response.status_code != 200:
                raise BadInput(
                    f"The picture could not be fetched from {host}: status {response.status_code}.",
                    reason="invalid_image_url",
                )
            async for part in response.aiter_raw(64 * 1024):
                data += part
                if len(data) > MAX_BYTES:
                    raise TooLarge(f"A picture may have {MAX_BYTES // 1024 // 1024} MB.")
        return bytes(data)


async def _public_address(host: str, port: int, *, listed: bool) -> str:
    """An address of `host` that is public, or any where the host is an address that is listed itself."""
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        numbers = [ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]
        public = [number for number in numbers if number.is_global and not number.is_multicast]
        if not public or len(public) < len(numbers):
            raise BadInput("Pictures are not fetched from this host.", reason="invalid_image_url") from None
        return str(public[0])
    if not listed:
        raise BadInput("Pictures are not fetched from this host.", reason="invalid_image_url")
    return str(number)
