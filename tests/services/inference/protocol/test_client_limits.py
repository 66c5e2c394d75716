"""One key cannot take a replica for itself: its requests have limits in time and at once, and other keys go on."""

from typing import Any

import httpx
import openai
import pytest

from services.inference.authentication import Rights
from services.inference.client_limits import ClientLimits
from shared.errors import TooManyRequests
from shared.vlm.generation import Answer
from tests.services.inference.protocol.conftest import KEY, MODEL, PATIENCE_S, TEXT, KnownKeys, Service, wait_for
from tests.services.inference.protocol.test_hostile_clients import request

OTHER = "lk_other"


@pytest.fixture(autouse=True)
def two_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTHER is valid as well."""
    look_up = KnownKeys._look_up

    def known(self: KnownKeys, key: str) -> Rights:
        return look_up(self, KEY if key == OTHER else key)

    monkeypatch.setattr(KnownKeys, "_look_up", known)


def models(service: Service, key: str = KEY) -> httpx.Response:
    return httpx.get(f"{service.url}/v1/models", headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE_S)


def test_requests_of_a_key_are_limited_and_those_of_another_are_not(service: Service) -> None:
    service.context.client_limits = ClientLimits("3/minute")
    answers = [models(service) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers[:3]] == ["2", "1", "0"]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    error = answers[-1].json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert models(service, OTHER).status_code == 200
    with service.client as client, pytest.raises(openai.RateLimitError):
        client.models.list()
    assert httpx.get(f"{service.url}/healthz", timeout=PATIENCE_S).status_code == 200


def test_key_has_so_many_requests_under_way_and_no_more(service: Service) -> None:
    service.context.client_limits = ClientLimits(at_once=3)
    service.engine.answering = lambda *_: [PATIENCE_S, Answer(TEXT, (1,), 7, "stop")]
    streams = [service.connect(request(stream=True)) for _ in range(3)]
    assert wait_for(lambda: len(service.engine.asked) == 3)
    refused = service.chat()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    service.engine.answering = None
    body: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Hello!"}]}
    other = httpx.post(
        f"{service.url}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {OTHER}"}, timeout=60
    )
    assert other.status_code == 200
    for stream in streams:
        stream.close()
    assert wait_for(lambda: service.chat().status_code == 200)


def test_nothing_is_kept_of_a_key_whose_requests_are_done() -> None:
    limits = ClientLimits(at_once=1)
    for _ in range(3):
        limits.admit("digest")
        with limits.under_way("digest"), pytest.raises(TooManyRequests):
            limits.admit("digest")
    assert not limits._under_way
