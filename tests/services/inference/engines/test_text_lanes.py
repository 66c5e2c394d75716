"""Who waits while a long text is read: those who sent one, and nobody else."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import aclosing
from typing import Any, NamedTuple

import pytest

from services.inference.active_eraser import Served
from services.inference.engines import text_lanes
from services.inference.engines.base import AnswerEngine
from services.inference.engines.local import LocalEngine
from services.inference.engines.text_lanes import TextLanes
from shared.domain.prompts import Prompt
from shared.erasure.gates.text import TextGate
from shared.errors import NotReady
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.sampling import Sampling
from tests.support.remote_engines import NAME, Open

HOSTILE = "abracadabra " * 8
LONGER_THAN = 60  # characters: the model of the tests has a short context
WAITS_S = 30


class Reading(NamedTuple):
    """The gate does not get on with a hostile text until `go_on` is set."""

    has_begun: threading.Event
    go_on: threading.Event


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
    reading = Reading(threading.Event(), threading.Event())
    read = TextGate.read

    def wait_and_read(gate: TextGate, text: str) -> Any:
        if HOSTILE.strip() in text:
            reading.has_begun.set()
            assert reading.go_on.wait(WAITS_S * 2)
        return read(gate, text)

    monkeypatch.setattr(text_lanes, "LONG", LONGER_THAN)
    monkeypatch.setattr(TextGate, "read", wait_and_read)
    yield reading
    reading.go_on.set()


@pytest.fixture(params=["local", "remote"])
def answering(request: pytest.FixtureRequest, engine: Engine, open_remote: Open) -> Iterator[AnswerEngine]:
    if request.param == "remote":
        yield open_remote()
        return
    local = LocalEngine(engine)
    yield local
    local.close()


async def ask(engine: AnswerEngine, served: Served, text: str) -> Answer:
    async with aclosing(engine.stream(Prompt.ask(text), Sampling(4), served)) as pieces:
        *_, answer = [piece async for piece in pieces]
    assert isinstance(answer, Answer)
    return answer


def run(engine: AnswerEngine, work: Coroutine[Any, Any, Any]) -> Any:
    async def whole() -> Any:
        try:
            return await work
        finally:
            if (upstream := getattr(engine, "upstream", None)) is not None:
                await upstream.let_go()

    return asyncio.run(whole())


def test_other_request_is_answered_while_a_hostile_text_is_read(
    answering: AnswerEngine, served: Served, reading: Reading
) -> None:
    async def both() -> tuple[Answer, Answer]:
        hostile = asyncio.create_task(ask(answering, served, HOSTILE))
        assert await asyncio.to_thread(reading.has_begun.wait, WAITS_S)
        other = await asyncio.wait_for(ask(answering, served, "Hello!"), WAITS_S)
        assert not hostile.done()
        assert answering.stalled_s() == 0.0  # nothing waits for the model
        reading.go_on.set()
        return await hostile, other

    assert all(answer.tokens for answer in run(answering, both()))


def test_hostile_text_that_fires_is_never_read_by_the_engines_thread(
    engine: Engine, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither for the decision, nor where its mention is redacted or left out."""
    read, by = TextGate.read, set()

    def note(gate: TextGate, text: str) -> Any:
        if HOSTILE.strip() in text:
            by.add(threading.current_thread().name)
        return read(gate, text)

    monkeypatch.setattr(text_lanes, "LONG", LONGER_THAN)
    monkeypatch.setattr(TextGate, "read", note)
    local = LocalEngine(engine)
    answer = run(local, ask(local, served, f"{HOSTILE}. I met {NAME}. What is six?"))
    local.close()
    assert answer.fired
    assert by == {"long-texts_0"}


def test_request_whose_text_waits_is_refused_when_the_engine_closes(
    answering: AnswerEngine, served: Served, reading: Reading
) -> None:
    async def close() -> list[Any]:
        asked = [asyncio.create_task(ask(answering, served, HOSTILE)) for _ in range(2)]
        assert await asyncio.to_thread(reading.has_begun.wait, WAITS_S)
        answering.close()
        reading.go_on.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    assert isinstance(run(answering, close())[1], NotReady)


def test_closed_lanes_take_no_work() -> None:
    lanes = TextLanes()
    lanes.close()
    lanes.close()
    with pytest.raises(NotReady):
        asyncio.run(lanes.run(Prompt.ask("Hello!"), str))
