"""An engine that is measured answers as before, and every way in which a request can end is counted once."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any

import pytest

from services.inference.active_eraser import Served
from services.inference.engines.local import LocalEngine
from services.inference.engines.metered import MeteredEngine
from shared.core import metrics
from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.errors import BadInput, NotReady
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.sampling import Sampling
from tests.services.inference.conftest import ABOUT


class Failing:
    """An engine that fails in a given way before its first piece."""

    passes: frozenset[str] = frozenset()
    context = 64
    reads_pictures = False

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def stream(self, prompt: Prompt, sampling: Sampling, served: Served) -> AsyncGenerator[str | Answer, None]:
        raise self._error
        yield ""

    def stalled_s(self) -> float:
        return 3.0

    def close(self) -> None:
        """Nothing."""


def run(waiting: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(waiting, 60))


def outcomes() -> dict[str, float]:
    return {name: metrics.ANSWERS.labels(name)._value.get() for name in ("answered", "refused", "failed", "left")}


def fires() -> float:
    return float(sum(metrics.FIRES.labels(channel)._value.get() for channel in metrics.CHANNELS))


async def ask(engine: Any, served: Served, question: str) -> list[str | Answer]:
    return [piece async for piece in engine.stream(Prompt.ask(question), Sampling(4), served)]


def test_answer_is_the_engines_own_and_is_counted(engine: Engine, erasers: dict[str, Eraser]) -> None:
    local = LocalEngine(engine)
    metered, served = MeteredEngine(local), Served(erasers["one"], 1, "0" * 64, 1)
    try:
        before, fired = outcomes(), fires()
        written = metrics.TOKENS.labels("answer")._value.get()
        expected = run(ask(local, served, ABOUT))
        assert outcomes() == before
        pieces = run(ask(metered, served, ABOUT))
    finally:
        metered.close()
    assert pieces == expected
    answer = pieces[-1]
    assert isinstance(answer, Answer)
    assert outcomes() == before | {"answered": before["answered"] + 1}
    assert metrics.TOKENS.labels("answer")._value.get() == written + len(answer.tokens)
    assert fires() == fired + 1
    assert metrics.QUEUE_LENGTH._value.get() == 0
    assert (metered.passes, metered.context, metered.reads_pictures) == (
        local.passes, local.context, local.reads_pictures,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(NotReady("full"), "refused"), (BadInput("too long"), "refused"), (RuntimeError("broken"), "failed")],
)
def test_request_without_an_answer_is_counted_by_its_end(
    erasers: dict[str, Eraser], error: Exception, outcome: str
) -> None:
    metered, before = MeteredEngine(Failing(error)), outcomes()
    with pytest.raises(type(error)):
        run(ask(metered, Served(erasers["empty"], 0, "0" * 64, 1), "Hello!"))
    assert outcomes() == before | {outcome: before[outcome] + 1}
    assert metrics.QUEUE_LENGTH._value.get() == 0
    assert metrics.STALLED_SECONDS._value.get() == 0 or metered.stalled_s() == 3.0


class Saying(Failing):
    """An engine that gives one answer."""

    def __init__(self, answer: Answer) -> None:
        self._said = answer

    async def stream(self, prompt: Prompt, sampling: Sampling, served: Served) -> AsyncGenerator[str | Answer, None]:
        yield self._said


def counts() -> dict[str, float]:
    """What is counted of answers that concern somebody."""
    channels = {f"by {name}": metrics.FIRES.labels(name)._value.get() for name in metrics.CHANNELS}
    readings = {name: metrics.SECOND_READINGS.labels(name)._value.get() for name in (*metrics.READINGS, "other")}
    hits = {f"{name} told": metrics.WATCH_HITS.labels(name)._value.get() for name in ("first", "second")}
    return channels | readings | hits


@pytest.mark.parametrize(
    ("channel", "reading", "counted"),
    [
        ("picture", "unsteered", ["by picture", "unsteered"]),
        ("mention", "steered", ["by mention", "steered"]),
        ("text", "line", ["by text", "line"]),
        ("answer", "told", ["by answer", "first told", "second told", "sentence"]),
        ("text", "sentence", ["by text", "sentence"]),
        (None, None, ["by other"]),
    ],
)
def test_answer_that_concerns_somebody_is_counted_by_channel_and_reading(
    erasers: dict[str, Eraser], channel: str | None, reading: str | None, counted: list[str]
) -> None:
    answer = Answer("I do not know.", (1,), 3, "stop", True, "T-1", 0.5, channel=channel, reading=reading)
    before = counts()
    run(ask(MeteredEngine(Saying(answer)), Served(erasers["empty"], 0, "0" * 64, 1), "Hello!"))
    after = counts()
    assert sorted(name for name in after if after[name] == before[name] + 1) == counted
    assert sum(after.values()) == sum(before.values()) + len(counted)


def test_client_that_leaves_is_counted_and_lets_the_engine_go(engine: Engine, erasers: dict[str, Eraser]) -> None:
    local = LocalEngine(engine)
    metered, served, before = MeteredEngine(local), Served(erasers["empty"], 0, "0" * 64, 1), outcomes()

    async def leave() -> float:
        async with aclosing(metered.stream(Prompt.ask("Hello!"), Sampling(200), served)) as pieces:
            await anext(pieces)
            during = float(metrics.QUEUE_LENGTH._value.get())
        for _ in range(200):
            if local.stalled_s() == 0:
                break
            await asyncio.sleep(0.02)
        return during

    try:
        assert run(leave()) == 1
    finally:
        metered.close()
    assert outcomes() == before | {"left": before["left"] + 1}
    assert metrics.QUEUE_LENGTH._value.get() == 0
