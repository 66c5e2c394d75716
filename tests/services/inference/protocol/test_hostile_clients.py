"""Clients that mean harm, or merely behave so: each is bounded, and nobody else waits for it."""

import contextlib
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from services.inference import authentication
from services.inference.authentication import WrongKeys
from shared.core import admission
from shared.core.connections import BoundedConnection
from shared.vlm.generation import Answer
from tests.services.inference.protocol.conftest import KEY, MODEL, PATIENCE_S, TEXT, Service, wait_for

CHAT = "/v1/chat/completions"
LONG = "word " * 20_000  # more than the buffers of a connection hold, many times over


def head(path: str = CHAT, key: str | None = KEY, length: int = 0, **headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: lacuna", "Content-Type: application/json", f"Content-Length: {length}"]
    lines += [f"Authorization: Bearer {key}"] if key else []
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def request(**members: Any) -> bytes:
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hello!"}]} | members).encode()
    return head(length=len(body)) + body


def answer_on(connection: socket.socket, until: bytes | None = None) -> bytes:
    """Everything until the connection ends, or until `until` has come: the server keeps a connection for seconds."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while (until is None or until not in received) and (part := connection.recv(65536)):
            received += part
    return received


def health(service: Service) -> int:
    return httpx.get(f"{service.url}/healthz", timeout=PATIENCE_S).status_code


def test_client_without_a_key_is_refused_before_its_body_is_read(service: Service) -> None:
    for key, status in ((None, b"401"), ("lk_wrong", b"401"), ("x" * 600, b"401")):
        with service.connect(head(key=key, length=60 * 1024 * 1024)) as connection:  # and not a byte of it
            received = answer_on(connection)
        assert received.startswith(b"HTTP/1.1 " + status)
        assert b"connection: close" in received.lower()
        assert b"invalid_api_key" in received


def test_body_longer_than_its_route_allows_is_refused_before_it_is_read(service: Service) -> None:
    for path, length in ((CHAT, 65 * 1024 * 1024), ("/v1/completions", 9 * 1024 * 1024), ("/v1/models", 70_000)):
        with service.connect(head(path, length=length)) as connection:
            assert answer_on(connection).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("begins", [b"GET / HTTP/1.1\r\nX: ", b"GET /", b"GET / HTTP/1.1\r\n"])
def test_headers_without_an_end_are_cut(service: Service, begins: bytes) -> None:
    with service.connect(begins) as connection:
        sent = 0
        with pytest.raises(ConnectionError):  # noqa: PT012 (whichever piece is the last)
            for _ in range(4000):
                connection.sendall(b"a: b\r\n" * 1700 if begins.endswith(b"\r\n") else b"a" * 10_000)
                sent += 10_000
        assert sent < 40_000_000
    assert service.chat().status_code == 200


def test_connection_that_sends_no_request_is_cut(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "headers_s", 0.3)
    beginnings = (b"", b"G", b"\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n")
    connections = [service.connect(sent) for sent in beginnings for _ in range(15)]
    for connection in connections:
        with connection:
            assert answer_on(connection) == b""
    assert service.chat().status_code == 200


def test_connection_between_two_requests_is_bounded_too(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "headers_s", 0.5)
    with service.connect(request() + b"GET /healthz HT") as connection:
        received = answer_on(connection)
    assert received.count(b"HTTP/1.1 200") == 1


def test_blanks_behind_a_request_do_not_end_its_answer(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "headers_s", 0.2)
    service.engine.answering = lambda *_: ["A", 1.0, Answer("A", (1,), 7, "stop")]
    with service.connect(request(stream=True) + b"\r\n") as connection:
        assert b"[DONE]" in answer_on(connection, until=b"[DONE]")


def test_slow_body_is_refused(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "BODY_S", 0.3)
    with service.connect(request()[:-5]) as connection:
        assert answer_on(connection).startswith(b"HTTP/1.1 408")
    assert service.chat().status_code == 200


def test_wrong_keys_are_limited_and_right_ones_of_the_same_address_are_not(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "KEY_REMEMBERED_S", 0.0)
    object.__setattr__(service.context.client_keys, "wrong_keys", WrongKeys("5/minute"))
    assert service.chat().status_code == 200
    answers = [
        httpx.get(f"{service.url}/v1/models", headers={"Authorization": f"Bearer lk_{number}"}, timeout=PATIENCE_S)
        for number in range(8)
    ]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 3
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].json()["error"]["type"] == "rate_limit_error"
    assert service.chat().status_code == 200


def test_database_that_hangs_holds_up_neither_health_nor_known_keys(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on = threading.Event()
    assert service.chat().status_code == 200
    look_up = type(service.context.client_keys)._look_up
    monkeypatch.setattr(
        type(service.context.client_keys),
        "_look_up",
        lambda self, key: look_up(self, key) if key == KEY else going_on.wait(PATIENCE_S) and ("client",),
    )
    monkeypatch.setattr(authentication, "LOOK_UP_S", 1.0)
    with ThreadPoolExecutor(12) as pool:
        waiting = [
            pool.submit(
                httpx.get, f"{service.url}/v1/models", headers={"Authorization": f"Bearer lk_{number}"}, timeout=60
            )
            for number in range(12)
        ]
        assert health(service) == 200
        assert service.chat().status_code == 200
        answers = [answer.result(PATIENCE_S) for answer in waiting]
        going_on.set()
    assert {answer.status_code for answer in answers} == {503}
    assert all(answer.headers["retry-after"] for answer in answers)


def test_client_that_does_not_read_loses_its_stream(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedConnection, "read_s", 0.5)
    service.engine.answering = lambda *_: [LONG] * 500 + [Answer(LONG, (1,), 7, "stop")]
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(service.connect(request(stream=True)))
        assert wait_for(lambda: service.engine.closed_early == 8)
        service.engine.answering = None
        assert service.chat().status_code == 200
        assert wait_for(lambda: service.at_rest)


@pytest.mark.parametrize("stream", [False, True])
def test_client_that_leaves_before_the_first_piece_ends_its_computing(service: Service, stream: bool) -> None:
    service.engine.answering = lambda *_: [PATIENCE_S, Answer(TEXT, (1,), 7, "stop")]
    connections = [service.connect(request(stream=stream, n=3)) for _ in range(4)]
    assert wait_for(lambda: len(service.engine.asked) == 12)
    for connection in connections:
        connection.close()
    assert wait_for(lambda: service.engine.closed_early == 12)
    assert wait_for(lambda: service.at_rest)


def test_too_many_requests_are_refused_and_health_is_not(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MOST_REQUESTS", 2)
    service.engine.answering = lambda *_: [PATIENCE_S, Answer(TEXT, (1,), 7, "stop")]
    with service.connect(request()), service.connect(request()):
        assert wait_for(lambda: len(service.engine.asked) == 2)
        refused = service.chat()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["type"] == "server_error"
        assert health(service) == 200
        assert httpx.get(f"{service.url}/readyz", timeout=PATIENCE_S).status_code == 200
    service.engine.answering = None
    assert wait_for(lambda: service.chat().status_code == 200)


def test_bodies_under_way_are_bounded_together(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission.Admission, "all_body_bytes", 100_000)
    with service.connect(head(length=50_000_000)):  # announced, and never sent
        assert wait_for(lambda: bool(service.server.server_state.tasks))
        assert service.chat().status_code == 200
    with service.connect(head(length=50_000_000) + b" " * 99_990) as first:
        assert wait_for(lambda: service.chat().status_code == 503)
        first.sendall(b" " * 1000)
        assert answer_on(first, until=b"\r\n").startswith(b"HTTP/1.1 503")
    assert wait_for(lambda: service.chat().status_code == 200)


def test_pictures_that_take_long_hold_up_nobody_else(service: Service) -> None:
    going_on = threading.Event()
    workers = service.context.workers
    blocked = [workers._pool.submit(going_on.wait, PATIENCE_S) for _ in range(2)]
    assert wait_for(lambda: all(future.running() for future in blocked))
    assert service.chat().status_code == 200
    assert health(service) == 200
    going_on.set()


def test_too_many_pictures_that_wait_are_refused(service: Service) -> None:
    going_on = threading.Event()
    places = service.context.workers._places
    taken = 0
    while places.acquire(blocking=False):
        taken += 1
    content = [{"type": "image_url", "image_url": {"url": "abcd"}}, {"type": "text", "text": "What?"}]
    refused = service.chat(messages=[{"role": "user", "content": content}])
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    for _ in range(taken):
        places.release()
    going_on.set()


def test_shutdown_lets_streams_end_and_tells_those_that_do_not(service: Service) -> None:
    service.server.config.timeout_graceful_shutdown = 2
    service.engine.answering = lambda _, sampling: (
        ["A", 0.8, " harbour", Answer("A harbour", (1,), 7, "stop")]
        if sampling.max_new_tokens == 1
        else ["A", PATIENCE_S, Answer("A", (1,), 7, "stop")]
    )
    ending = service.connect(request(stream=True, max_tokens=1))
    lasting = service.connect(request(stream=True, max_tokens=2))
    with ending, lasting:
        assert wait_for(lambda: len(service.engine.asked) == 2)
        service.server.should_exit = True
        assert answer_on(ending).rstrip().endswith(b"0")
        told = answer_on(lasting).decode()
    events = [line.removeprefix("data: ") for line in told.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    assert json.loads(events[-2])["error"]["message"] == "The service is shutting down."
    assert service.engine.closed_early == 1
    assert wait_for(lambda: service.at_rest)
    time.sleep(0.1)
