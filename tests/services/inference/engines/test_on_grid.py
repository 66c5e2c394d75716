"""Answers are handed out at the moments of a grid; how long the engine took inside one cannot be seen."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from services.inference.active_eraser import Served
from services.inference.engines.on_grid import EngineOnGrid
from services.inference.replica import for_clients
from shared.core.config import Settings, load_settings
from shared.domain.prompts import Prompt
from shared.errors import BadInput, NotReady
from shared.vlm.generation import Answer
from shared.vlm.sampling import Sampling

GRID_S = 1.0
ANSWER = Answer("So it is.", (1, 2), 3, "stop")
Timed = tuple[float, str | Answer | Exception]


class Time:
    """A clock that goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.25
        self._sleeping: list[tuple[float, asyncio.Event]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        over = asyncio.Event()
        self._sleeping.append((self.now + seconds, over))
        await over.wait()

    async def run(self) -> None:
        """Wake whoever sleeps, in the order of their moments, once everybody else waits."""
        while True:
            for _ in range(20):
                await asyncio.sleep(0)
            if self._sleeping:
                self._sleeping.sort(key=lambda each: each[0])
                self.now, over = self._sleeping.pop(0)
                over.set()


class ScriptedEngine:
    """Gives pieces, each so many seconds after the one before."""

    passes: frozenset[str] = frozenset()
    context, reads_pictures = 512, False

    def __init__(self, time: Time, *script: Timed) -> None:
        self._time, self._script, self.is_left = time, script, False

    async def stream(self, prompt: Prompt, sampling: Sampling, served: Served) -> AsyncGenerator[str | Answer, None]:
        try:
            for wait_s, piece in self._script:
                await self._time.sleep(wait_s)
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            self.is_left = True

    def stalled_s(self) -> float:
        return 0.0

    def close(self) -> None:
        pass


def handed_out(served: Served, *script: Timed, pieces: int | None = None) -> list[tuple[float, str | Answer]]:
    """Every piece with the seconds after the request at which it came; `pieces`: after which the client leaves."""

    async def run() -> list[tuple[float, str | Answer]]:
        time = Time()
        inner = ScriptedEngine(time, *script)
        engine = EngineOnGrid(inner, GRID_S, time, time.sleep)
        running, began, seen = asyncio.create_task(time.run()), time.now, []
        try:
            async with aclosing(engine.stream(Prompt.ask("Hello!"), Sampling(4), served)) as source:
                async for piece in source:
                    seen.append((time.now - began, piece))
                    if len(seen) == pieces:
                        break
            assert inner.is_left
        finally:
            running.cancel()
        return seen

    return asyncio.run(run())


def test_answers_of_one_and_of_two_readings_come_at_the_same_moment(served: Served) -> None:
    one = handed_out(served, (0.3, "So it "), (0.0, "is."), (0.0, ANSWER))
    two = handed_out(served, (0.6, "So it "), (0.05, "is."), (0.2, ANSWER))
    assert one == two == [(1.0, "So it "), (1.0, "is."), (1.0, ANSWER)]


def test_what_comes_later_is_handed_out_at_the_next_moment(served: Served) -> None:
    seen = handed_out(served, (0.3, "So "), (0.8, "it "), (0.2, "is."), (1.1, ANSWER))
    assert seen == [(1.0, "So "), (2.0, "it "), (2.0, "is."), (3.0, ANSWER)]


def test_error_is_raised_at_once(served: Served) -> None:
    with pytest.raises(NotReady, match="full"):
        handed_out(served, (0.3, NotReady("full")))


def test_engine_is_left_when_the_client_leaves(served: Served) -> None:
    assert handed_out(served, (0.3, "So "), (5.0, "it "), (0.2, ANSWER), pieces=1) == [(1.0, "So ")]


def test_replica_hands_out_on_a_grid_only_where_the_settings_name_one() -> None:
    engine = ScriptedEngine(Time())
    assert isinstance(for_clients(engine, Settings(release_grid_s=GRID_S)), EngineOnGrid)
    assert not isinstance(for_clients(engine, Settings()), EngineOnGrid)


def test_grid_below_nothing_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LACUNA_RELEASE_GRID_S", "-1")
    with pytest.raises(BadInput, match="RELEASE_GRID_S"):
        load_settings.__wrapped__()  # not what an earlier test has loaded
