"""From which address a request comes. A client can write any `X-Forwarded-For`: it is believed of known proxies."""

import ipaddress
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from shared.errors import BadInput

IPV6_PREFIX: Final = 64  # bits that one customer of a provider holds


class TrustedProxies:
    """Plain ASGI: where the connection comes from one of `proxies`, the client is whom the proxy names.

    `proxies`: addresses and networks, comma-separated, as LACUNA_PROXIES has them; empty: nobody is believed. Of
    several addresses in the header, the last that is no proxy counts: what stands before it may be invented. Raises
    BadInput for what is neither an address nor a network.
    """

    def __init__(self, app: ASGIApp, proxies: str) -> None:
        try:
            networks = [
                str(ipaddress.ip_network(entry.strip(), strict=False)) for entry in proxies.split(",") if entry.strip()
            ]
        except ValueError as exc:
            raise BadInput("LACUNA_PROXIES has to be addresses or networks: 10.0.0.7,192.168.0.0/24.") from exc
        self._app: ASGIApp = ProxyHeadersMiddleware(app, networks) if networks else app  # type: ignore[arg-type,assignment]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def client_address(scope: Scope) -> str:
    """The address from which a request comes; a network of 64 bits for IPv6, whose hosts change addresses at will."""
    client = scope.get("client")
    address = client[0] if client else "unknown"
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return str(address)
    if number.version == 4:
        return str(number)
    if number.ipv4_mapped is not None:
        return str(number.ipv4_mapped)
    return str(ipaddress.ip_network((number, IPV6_PREFIX), strict=False))
