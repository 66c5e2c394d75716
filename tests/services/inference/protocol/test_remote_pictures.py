"""Pictures by address: only from hosts that are listed, over https, bounded, and never from a private network."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.inference.protocol import remote_pictures
from services.inference.protocol.remote_pictures import RemotePictures
from shared.domain.photos import MAX_BYTES
from shared.errors import BadInput, TooLarge

HOSTS = ("images.example.org", "*.cdn.example.org", "127.0.0.1")


class Web(httpx.AsyncBaseTransport):
    """Every host; `requests` are those that were made."""

    def __init__(self, content: bytes = b"picture", status: int = 200, delay_s: float = 0.0) -> None:
        self.content, self.status, self.delay_s = content, status, delay_s
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await asyncio.sleep(self.delay_s)

        async def parts() -> AsyncIterator[bytes]:
            for at in range(0, len(self.content), 100_000):
                yield self.content[at : at + 100_000]

        return httpx.Response(self.status, headers={"Location": "https://127.0.0.1/"}, content=parts())


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Addresses by name, as a name server would say; others are public."""
    addresses: dict[str, list[str]] = {}

    async def getaddrinfo(_: Any, host: str, port: int, **__: Any) -> list[Any]:
        numbers = addresses.get(host, ["93.184.215.14"])
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port)) for number in numbers]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return addresses


def fetch(url: str, web: Web, hosts: tuple[str, ...] = HOSTS) -> bytes:
    return asyncio.run(RemotePictures(hosts, web).fetch(url))


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize(
    "url",
    ["https://images.example.org/a.png?x=1", "https://IMAGES.example.org./a.png", "https://a.b.cdn.example.org/a.png"],
)
def test_listed_host_is_asked_at_the_address_that_was_checked(url: str) -> None:
    web = Web()
    assert fetch(url, web) == b"picture"
    (request,) = web.requests
    assert request.url.host == "93.184.215.14"
    assert request.headers["host"].endswith("example.org")
    assert request.extensions["sni_hostname"].endswith("example.org")


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.png",
        "https://images.example.org.evil.test/a.png",
        "https://cdn.example.org/a.png",
        "https://evilcdn.example.org@evil.test/",
        "http://images.example.org/a.png",
        "https://images.example.org:8443/a.png",
        "https://user:secret@images.example.org/a.png",
        "https://[::1]/a.png",
        "https://2130706433/a.png",
        "https://169.254.169.254/latest/meta-data",
        "https://images.example.org:port/",
        "https://",
    ],
)
def test_other_addresses_are_refused_without_asking_anybody(url: str) -> None:
    web = Web()
    with pytest.raises(BadInput):
        fetch(url, web)
    assert not web.requests


def test_no_host_is_asked_by_default() -> None:
    with pytest.raises(BadInput, match="data URL"):
        fetch("https://images.example.org/a.png", Web(), ())


@pytest.mark.parametrize(
    "numbers",
    [["127.0.0.1"], ["10.0.0.7"], ["169.254.169.254"], ["93.184.215.14", "192.168.1.1"], ["::1"], ["::ffff:10.0.0.1"]],
)
def test_listed_name_that_leads_into_a_private_network_is_refused(
    resolved: dict[str, list[str]], numbers: list[str]
) -> None:
    resolved["images.example.org"] = numbers
    web = Web()
    with pytest.raises(BadInput, match="not fetched"):
        fetch("https://images.example.org/a.png", web)
    assert not web.requests


def test_private_address_is_asked_where_it_is_listed_itself() -> None:
    assert fetch("https://127.0.0.1/a.png", Web()) == b"picture"


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize("status", [301, 302, 307, 404, 500])
def test_redirects_and_errors_are_not_followed(status: int) -> None:
    web = Web(status=status)
    with pytest.raises(BadInput, match=f"status {status}"):
        fetch("https://images.example.org/a.png", web)
    assert len(web.requests) == 1


@pytest.mark.usefixtures("resolved")
def test_bytes_and_time_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooLarge):
        fetch("https://images.example.org/a.png", Web(bytes(MAX_BYTES + 1)))
    monkeypatch.setattr(remote_pictures, "FETCH_S", 0.05)
    with pytest.raises(BadInput, match="could not be fetched"):
        fetch("https://images.example.org/a.png", Web(delay_s=30.0))
