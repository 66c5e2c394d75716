"""What the officer's API reads of a request before it knows who sends it, over real connections."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from services.request.app import build
from services.request.auth.admission import Admission
from services.request.auth.authentication import Authenticator
from services.request.auth.permissions import PERMISSIONS
from services.request.auth.principals import Principal
from services.request.auth.rate_limits import RateLimiter
from shared.core import admission
from shared.core.admission import MB, SMALL
from shared.core.client_addresses import TrustedProxies
from shared.core.connections import BoundedConnection
from shared.errors import BadInput
from tests.support.api import People

FAR_TOO_LONG = 60 * MB


@pytest.fixture
def app(people: People) -> FastAPI:
    return build(people.context)


@pytest.fixture
def url(app: FastAPI, listening: Callable[[Any], str]) -> str:
    return listening(app)


@contextlib.contextmanager
def connected(url: str, sent: bytes) -> Iterator[socket.socket]:
    with socket.create_connection((urlsplit(url).hostname or "", urlsplit(url).port or 0), timeout=20) as connection:
        connection.sendall(sent)
        yield connection


def head(path: str, key: str | None, length: int, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: lacuna", "Content-Type: application/json", f"Content-Length: {length}"]
    lines += [f"Authorization: Bearer {key}"] if key else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer_on(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            received += part
    return received


@pytest.mark.parametrize("path", ["/v1/tickets", "/v1/imports", "/v1/retain-sets", "/v1/nothing", "/v1/tickets/search"])
@pytest.mark.parametrize("key", [None, "lk_wrong", "x" * 20_000])
def test_body_of_a_client_without_a_key_is_never_read(url: str, path: str, key: str | None) -> None:
    with connected(url, head(path, key, FAR_TOO_LONG)) as connection:  # and not a byte of it
        received = answer_on(connection)
    assert received.startswith(b"HTTP/1.1 401")
    assert b"connection: close" in received.lower()
    assert b"application/problem+json" in received


def test_body_of_a_principal_without_the_role_is_never_read(url: str, people: People) -> None:
    for person, path in (("oscar", "/v1/tickets"), ("ada", "/v1/imports"), ("adam", "/v1/retain-sets")):
        with connected(url, head(path, people.keys[person], FAR_TOO_LONG)) as connection:
            assert answer_on(connection).startswith(b"HTTP/1.1 403"), person


def test_body_where_no_photograph_belongs_is_some_kilobytes(url: str, people: People) -> None:
    for path in ("/v1/tickets/search", "/v1/tickets/T-AAAAAAAA/approve", "/v1/refits", "/v1/nothing"):
        with connected(url, head(path, people.keys["olivia"], SMALL.size + 1)) as connection:
            assert answer_on(connection).startswith(b"HTTP/1.1 413"), path
    large = {name for name, permission in PERMISSIONS.items() if permission.body is not SMALL}
    drop_lists = {"create_drop_list", "report_drop_list"}
    assert large == {"submit", "edit_ticket", "add_retain_set", "create_import"} | drop_lists


def test_body_of_many_members_is_refused_before_it_is_built(url: str, people: People) -> None:
    body = b'{"names": [' + b"[]," * 100_000 + b"[]]}"
    answer = httpx.post(
        f"{url}/v1/tickets",
        content=body,
        headers={"Authorization": f"Bearer {people.keys['olivia']}", "Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["type"]) == (413, "/v1/problems/too-large")
    assert "members" in answer.json()["detail"]


@pytest.mark.parametrize("depth", [30, 900, 100_000])
def test_nested_body_is_a_problem_of_the_client(url: str, people: People, depth: int) -> None:
    body = b'{"names": ' + b"[" * depth + b"]" * depth + b"}"
    answer = httpx.post(
        f"{url}/v1/tickets/search",
        content=body[:60_000],
        headers={"Authorization": f"Bearer {people.keys['olivia']}", "Content-Type": "application/json"},
    )
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_slow_body_ends_with_408(url: str, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "BODY_S", 0.3)
    for path in ("/v1/tickets", "/v1/imports", "/v1/tickets/search"):
        with connected(url, head(path, people.keys["olivia"], 100) + b"{") as connection:
            assert answer_on(connection).startswith(b"HTTP/1.1 408"), path


def test_bodies_under_way_are_bounded_together(url: str, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Admission, "all_body_bytes", 100_000)
    body = json.dumps({"names": ["Mara"], "facts": [], "padding": "x" * 200_000}).encode()
    headers = {"Authorization": f"Bearer {people.keys['olivia']}", "Content-Type": "application/json"}
    answer = httpx.post(f"{url}/v1/tickets", content=body, headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert httpx.get(f"{url}/v1/tickets", headers=headers).status_code == 200


def test_connections_without_a_request_and_endless_headers_are_cut(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "headers_s", 0.3)
    for beginning in (b"", b"GET", b"GET /healthz HTTP/1.1\r\nHost: a\r\n"):
        with connected(url, beginning) as connection:
            assert answer_on(connection) == b""
    with connected(url, b"GET /healthz HTTP/1.1\r\nX: ") as connection, pytest.raises(ConnectionError):  # noqa: PT012
        for _ in range(4000):
            connection.sendall(b"a" * 10_000)
    assert httpx.get(f"{url}/healthz").status_code == 200


def test_wrong_keys_of_an_address_are_not_looked_up_any_more_and_right_ones_go_on(
    people: People, listening: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = build(people.context, limiter=RateLimiter("1000/minute", "3/minute"))
    looked_up: list[str] = []
    original = Authenticator._by_key

    def look_up(authenticator: Authenticator, key: str) -> Principal:
        looked_up.append(key)
        return original(authenticator, key)

    monkeypatch.setattr(Authenticator, "_by_key", look_up)
    url = listening(app)

    def get(key: str) -> int:
        return httpx.get(f"{url}/v1/tickets", headers={"Authorization": f"Bearer {key}"}).status_code

    assert get(people.keys["olivia"]) == 200
    assert [get(f"lk_{number}") for number in range(6)] == [401, 401, 401, 429, 429, 429]
    assert looked_up[1:] == ["lk_0", "lk_1", "lk_2"]
    app.state.authenticator.forget()
    assert get(people.keys["olivia"]) == 200  # it was valid a moment ago


def test_client_without_any_key_is_answered_without_the_database(app: FastAPI, url: str) -> None:
    app.state.authenticator = type(app.state.authenticator)(None)  # whoever asked it would fail
    assert httpx.post(f"{url}/v1/tickets", json={}).status_code == 401


@pytest.mark.parametrize(
    ("proxies", "addresses"),
    [
        ("", {"127.0.0.1"}),
        ("10.0.0.0/8", {"127.0.0.1"}),
        ("127.0.0.1", {"203.0.113.7"}),
        ("127.0.0.0/8, 10.1.1.1", {"203.0.113.7"}),
    ],
)
def test_forwarded_address_is_believed_of_configured_proxies_only(
    people: People,
    listening: Callable[[Any], str],
    monkeypatch: pytest.MonkeyPatch,
    proxies: str,
    addresses: set[str],
) -> None:
    app = build(people.context)
    app.add_middleware(TrustedProxies, proxies=proxies)
    counted: set[str] = set()
    monkeypatch.setattr(app.state.rate_limiter, "count_failure", counted.add)
    headers = {"Authorization": "Bearer lk_no", "X-Forwarded-For": "198.51.100.1, 203.0.113.7"}
    assert httpx.get(f"{listening(app)}/v1/tickets", headers=headers).status_code == 401
    assert counted == addresses


def test_proxies_that_are_no_addresses_are_refused() -> None:
    for wrong in ("proxy.example", "*", "10.0.0.0/40"):
        with pytest.raises(BadInput, match="LACUNA_PROXIES"):
            TrustedProxies(None, wrong)  # type: ignore[arg-type]
