"""Clients that leave, clients that do not read, and an engine that hangs: over HTTP, on a loopback port."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from shared.erasure.eraser import Eraser
from shared.vlm.engine import Engine
from tests.services.inference.conftest import MODEL, Replica

PATIENCE_S = 60.0  # generous: an answer of the tiny model takes milliseconds on a quiet machine
TOKENS = 200  # a stream that is far from its end when its client leaves


@pytest.fixture
def url(replica: Replica, erasers: dict[str, Eraser], listening: Callable[[Any], str]) -> str:
    """Base URL of a replica that serves the empty version."""
    replica.publish(erasers["empty"])
    replica.watcher.look()
    return listening(replica.http.app)


@pytest.fixture
def hanging(engine: Engine) -> Iterator[threading.Event]:
    """A model whose every forward pass waits until the event is set; it is set at the end."""
    going_on = threading.Event()
    hook = engine.vlm.model.register_forward_pre_hook(lambda *_: going_on.wait(PATIENCE_S) and None)
    yield going_on
    going_on.set()
    hook.remove()


def body(text: str, **extra: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 6} | extra


def ask(url: str, key: str, text: str = "Hello!", **extra: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{url}/v1/chat/completions", json=body(text, **extra), headers=headers, timeout=PATIENCE_S)


def open_stream(url: str, key: str, text: str = "Hello!") -> socket.socket:
    """A connection with a request for a long streamed answer, sampled so that it holds text; nothing has been read."""
    where = urlsplit(url)
    sent = json.dumps(body(text, stream=True, max_tokens=TOKENS, temperature=1.0, seed=3)).encode()
    connection = socket.create_connection((where.hostname or "", where.port or 0), timeout=PATIENCE_S)
    connection.sendall(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n".encode()
        + sent
    )
    return connection


def hang_up(connection: socket.socket, lines: int) -> None:
    """Read `lines` events of the answer and close the connection."""
    with connection, connection.makefile("rb") as answer:
        events = 0
        assert b" 200 " in answer.readline()
        while events < lines and (line := answer.readline()):
            events += line.startswith(b"data: ")
        assert events == lines


def wait_for(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_answers_go_on_after_twelve_clients_left_in_mid_stream(url: str, replica: Replica) -> None:
    key = replica.people.keys["casey"]
    for number in range(12):
        hang_up(open_stream(url, key, f"Hello number {number}!"), lines=2 + number % 3)
    assert ask(url, key).status_code == 200
    assert ask(url, key, stream=True).text.endswith("data: [DONE]\n\n")


def test_stream_of_a_client_that_left_is_not_continued(url: str, replica: Replica, engine: Engine) -> None:
    steps: list[float] = []
    hook = engine.vlm.model.register_forward_pre_hook(lambda *_: steps.append(time.monotonic()))
    try:
        hang_up(open_stream(url, replica.people.keys["casey"]), lines=2)
        assert wait_for(lambda: bool(steps) and time.monotonic() - steps[-1] > 2.0)
    finally:
        hook.remove()
    assert len(steps) < TOKENS


def test_concurrent_streams_are_all_whole(url: str, replica: Replica) -> None:
    key = replica.people.keys["casey"]
    expected = ask(url, key, max_tokens=24, stream=True).text.count("\n")
    for _ in range(4):
        with ThreadPoolExecutor(8) as pool:
            streams = list(pool.map(lambda _: ask(url, key, max_tokens=24, stream=True), range(8)))
        assert [stream.text.endswith("data: [DONE]\n\n") for stream in streams] == [True] * 8
        assert [stream.text.count("\n") for stream in streams] == [expected] * 8


def test_unread_streams_block_no_other_client(url: str, replica: Replica) -> None:
    key = replica.people.keys["casey"]
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(open_stream(url, key))
        assert ask(url, key).status_code == 200


def test_readiness_fails_while_a_step_hangs_and_comes_back_after(
    url: str, replica: Replica, hanging: threading.Event
) -> None:
    key = replica.people.keys["casey"]
    replica.context.step_grace_s = 0.5
    assert httpx.get(f"{url}/readyz").status_code == 200  # a rest is no stall
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, url, key)
        assert wait_for(lambda: httpx.get(f"{url}/readyz").status_code == 503)
        problem = httpx.get(f"{url}/readyz").json()
        assert problem["type"].endswith("/not-ready")
        assert "has not finished a step" in problem["detail"]
        assert httpx.get(f"{url}/healthz").status_code == 200
        hanging.set()
        assert answer.result(PATIENCE_S).status_code == 200
    assert httpx.get(f"{url}/readyz").status_code == 200


def test_readiness_answers_while_streams_wait_for_a_step_that_hangs(
    url: str, replica: Replica, hanging: threading.Event
) -> None:
    """More streams than the server has threads, all waiting for the engine: the health checks need none of them."""
    key = replica.people.keys["casey"]
    replica.context.step_grace_s = 0.5
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(open_stream(url, key)) for _ in range(48)]
        assert wait_for(lambda: httpx.get(f"{url}/readyz", timeout=PATIENCE_S).status_code == 503)
        assert httpx.get(f"{url}/healthz", timeout=PATIENCE_S).status_code == 200
        for stream in streams:
            stream.close()
        hanging.set()
    assert ask(url, key).status_code == 200
    assert wait_for(lambda: httpx.get(f"{url}/readyz").status_code == 200)
