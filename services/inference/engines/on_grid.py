"""An engine that gives out answers only at multiples of a time (`LACUNA_RELEASE_GRID_S`) after the request.

A request that fires is read again, so that its answer comes later, and by the delay a client may distinguish a
forgotten person from a stranger. Answers that are given out at the same multiple cannot be distinguished by time. In
return, every client waits for the next multiple, and streamed text arrives in bursts (docs/threat-model.md).
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from services.inference.active_eraser import Served
from services.inference.engines.around import EngineAround
from services.inference.engines.base import AnswerEngine
from shared.domain.prompts import Prompt
from shared.vlm.generation import Answer
from shared.vlm.sampling import Sampling

Handed = str | Answer | Exception


class EngineOnGrid(EngineAround):
    """See AnswerEngine. `grid_s`: seconds between two moments, more than 0."""

    def __init__(
        self,
        engine: AnswerEngine,
        grid_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(engine)
        self._grid_s, self._clock, self._sleep = grid_s, clock, sleep

    async def stream(self, prompt: Prompt, sampling: Sampling, served: Served) -> AsyncGenerator[str | Answer, None]:
        """See AnswerEngine. An error is raised at once: none of them depends on who was asked about."""
        began = self._clock()
        arrived: asyncio.Queue[Handed] = asyncio.Queue()  # an answer is the most that it ever holds
        reading = asyncio.create_task(self._read(arrived, prompt, sampling, served))
        try:
            while True:
                handed = [await arrived.get()]
                if not isinstance(handed[0], Exception):
                    await self._next_moment(began)
                while not arrived.empty():
                    handed.append(arrived.get_nowait())
                for piece in handed:
                    if isinstance(piece, Exception):
                        raise piece
                    yield piece
                    if isinstance(piece, Answer):
                        return
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, arrived: asyncio.Queue[Handed], prompt: Prompt, sampling: Sampling, served: Served) -> None:
        try:
            async with aclosing(self._engine.stream(prompt, sampling, served)) as pieces:
                async for piece in pieces:
                    arrived.put_nowait(piece)
        except Exception as exc:  # noqa: BLE001 (raised where the pieces are handed out)
            arrived.put_nowait(exc)

    async def _next_moment(self, began: float) -> None:
        passed_s = self._clock() - began
        moment = math.ceil(passed_s / self._grid_s) * self._grid_s
        await self._sleep(max(0.0, moment - passed_s))
