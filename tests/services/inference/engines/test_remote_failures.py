"""The remote engine in front of a server that misbehaves, and what it refuses itself, at the start and later."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from services.inference.active_eraser import Served
from services.inference.engines.upstream import Upstream
from shared.core.config import EngineSettings
from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import LACUNA, PROTOTYPE
from shared.errors import BadInput, LacunaError, NotReady, SiteMismatch, Unavailable
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from tests.support.remote_engines import KEY, NAME, Open, ask, photo, sampling
from tests.support.upstream import FakeUpstream


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_failure_before_the_first_byte_is_tried_again(
    open_remote: Open, served: Served, fake: FakeUpstream, status: int
) -> None:
    fake.statuses = [status, status]
    assert ask(open_remote(), served, "Hello").text == "You said: Hello"
    assert len(fake.bodies) == 3


@pytest.mark.parametrize(
    ("status", "kind", "times"),
    [
        (500, Unavailable, 3), (502, Unavailable, 3), (503, NotReady, 3), (429, NotReady, 3), (400, BadInput, 1),
        (404, Unavailable, 1), (401, Unavailable, 1), (403, Unavailable, 1), (422, BadInput, 1), (302, Unavailable, 1),
    ],
)  # fmt: skip
def test_failure_that_lasts_is_an_error_of_the_project(
    open_remote: Open, served: Served, fake: FakeUpstream, status: int, kind: type[LacunaError], times: int
) -> None:
    fake.statuses = [status] * 5
    with pytest.raises(kind) as caught:
        ask(open_remote(), served, "Hello")
    assert len(fake.bodies) == times
    assert "secret" not in str(caught.value)
    assert KEY not in repr(caught.value) + repr(caught.value.__cause__)


def test_time_that_the_server_asks_for_is_handed_on(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    fake.statuses, fake.retry_after = [429] * 3, "37"
    with pytest.raises(NotReady) as caught:
        ask(open_remote(), served, "Hello")
    assert caught.value.extra["retry_after_s"] == 37
    assert len(fake.bodies) == 1


def test_server_that_is_down_is_an_error(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote(attempts=2)
    remote.upstream.settings = EngineSettings(url="http://127.0.0.1:9/v1", attempts=2, connect_s=0.5)
    with pytest.raises(Unavailable, match="cannot be reached"):
        ask(remote, served, "Hello")


@pytest.mark.parametrize("text", ["Hello", f"Where does {NAME} work?"])
def test_answer_that_breaks_off_is_an_error(open_remote: Open, served: Served, fake: FakeUpstream, text: str) -> None:
    fake.break_after = 2
    with pytest.raises(Unavailable, match="broke off"):
        ask(open_remote(), served, text)
    assert len(fake.bodies) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"data: [DONE]\n\n", b"data: {}\n\n", b"data: nonsense\n\n", b"data: [1]\n\n",
        b'data: {"error": "no"}\n\n',
        b'data: {"model": "fake", "choices": [{"delta": {"content": 7}}]}\n\n',
        b'data: {"model": "fake", "choices": [3]}\n\n', b"<html>", b"data: " + b"[" * 100_000 + b"\n\n",
        b'data: {"model": "fake", "choices": [{"delta": {"content": "Hi"}, "finish_reason": null}]}\n\n',
        b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\n',
    ],
)  # fmt: skip
def test_what_is_no_answer_is_an_error(open_remote: Open, served: Served, fake: FakeUpstream, raw: bytes) -> None:
    remote = open_remote()
    fake.raw = raw
    with pytest.raises(Unavailable):
        ask(remote, served, "Hello")


def test_answer_in_another_models_name_is_an_error(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote()
    fake.answers_as = "other"
    with pytest.raises(Unavailable, match="another model"):
        ask(remote, served, "Hello")


def test_slow_server_is_given_up(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote(read_s=0.2)
    fake.pause_s = 1.0
    with pytest.raises(Unavailable):
        ask(remote, served, "Hello")


def test_server_that_drips_is_given_up(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote(total_s=0.3)
    fake.reply, fake.pause_s = lambda _: "word " * 30, 0.05
    with pytest.raises(Unavailable, match="too long"):
        ask(remote, served, "Hello")


def test_client_that_leaves_ends_the_servers_work(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote()
    fake.reply, fake.pause_s = lambda _: "word " * 500, 0.01

    async def leave() -> None:
        pieces = remote.stream(Prompt.ask("Hello"), sampling(max_new_tokens=400), served)
        async with aclosing(pieces):
            await anext(pieces)
        for _ in range(100):
            if fake.left:
                break
            await asyncio.sleep(0.02)
        await remote.upstream.let_go()

    asyncio.run(leave())
    assert fake.left == 1
    assert fake.sent < 100
    assert remote.stalled_s() == 0


def test_many_at_once_get_their_own_answers(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote()

    async def one(number: int) -> str:
        pieces: AsyncIterator[str | Answer] = remote.stream(Prompt.ask(f"Number {number}"), sampling(), served)
        answer = [piece async for piece in pieces][-1]
        assert isinstance(answer, Answer)
        return answer.text

    async def together() -> list[str]:
        try:
            return await asyncio.gather(*(one(number) for number in range(24)))
        finally:
            await remote.upstream.let_go()

    assert asyncio.run(together()) == [f"You said: Number {number}" for number in range(24)]


def test_key_goes_to_the_server_and_nowhere_else(
    open_remote: Open, served: Served, fake: FakeUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    remote = open_remote()
    answer = ask(remote, served, "Hello")
    assert fake.headers[-1]["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(answer) + caplog.text


# What the engine refuses


def test_version_that_cannot_be_read_here_is_refused(open_remote: Open, served: Served, engine: Engine) -> None:
    remote = open_remote()
    site = engine.vlm.site
    without_text = replace(served.eraser, text=None)
    prototype = Eraser(PROTOTYPE, site, served.eraser.directions, (0,), ("T-1",))
    other = replace(served.eraser, site=replace(site, base_model="0" * 64))
    for eraser, kind in ((without_text, NotReady), (prototype, NotReady), (other, SiteMismatch)):
        with pytest.raises(kind):
            ask(remote, replace(served, eraser=eraser), "Hello")
    remote.check(Eraser.empty(LACUNA, site))


def test_prompt_that_does_not_fit_is_refused(open_remote: Open, served: Served, fake: FakeUpstream) -> None:
    remote = open_remote()
    with pytest.raises(BadInput, match="tokens"):
        ask(remote, served, "Hello", max_new_tokens=remote.context)
    assert fake.bodies == []


def test_smaller_context_of_the_server_counts(open_remote: Open, fake: FakeUpstream, engine: Engine) -> None:
    fake.listed = {"max_model_len": 20}
    assert open_remote().context == 20
    fake.listed = {"max_model_len": 10**6}
    assert open_remote().context == engine.vlm.adapter.context


def test_picture_for_a_server_without_pictures_is_refused(
    open_remote: Open, served: Served, fake: FakeUpstream
) -> None:
    fake.reads_pictures = False
    remote = open_remote()
    assert not remote.reads_pictures
    with pytest.raises(BadInput, match="text alone"):
        ask(remote, served, Prompt.ask("Who?", photo()))


def test_closed_engine_refuses(open_remote: Open, served: Served) -> None:
    remote = open_remote()
    remote.close()
    remote.close()
    with pytest.raises(NotReady, match="shutting down"):
        ask(remote, served, "Hello")


# At the start


def find(url: str, model: str = "fake", **settings: Any) -> Any:
    upstream = Upstream(EngineSettings(url=url, read_s=2.0, connect_s=1.0, **settings), model)
    return asyncio.run(upstream.find_abilities(None, pause_s=0.01))


def test_server_with_other_models_is_refused_at_the_start(listening: Callable[[Any], str], fake: FakeUpstream) -> None:
    with pytest.raises(BadInput, match="serves fake, and not mine: set LACUNA_ENGINE_MODEL"):
        find(f"{listening(fake)}/v1", "mine")


def test_server_that_lists_nothing_is_tried(listening: Callable[[Any], str], fake: FakeUpstream) -> None:
    fake.listed = None
    assert find(f"{listening(fake)}/v1").model == "fake"


def test_server_that_answers_as_another_model_is_refused_at_the_start(
    listening: Callable[[Any], str], fake: FakeUpstream
) -> None:
    fake.answers_as = "other"
    with pytest.raises(BadInput, match="another model"):
        find(f"{listening(fake)}/v1")


def test_server_that_is_not_up_yet_is_waited_for(listening: Callable[[Any], str], fake: FakeUpstream) -> None:
    fake.statuses, fake.probability = [503, 502, 500], 0.5
    found = find(f"{listening(fake)}/v1")
    assert (found.logprobs, found.pictures) == (True, False)
    assert str(found) == "model fake, context not said, pictures no, logprobs yes"
