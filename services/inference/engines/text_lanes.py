"""Threads that read the texts of requests for the text gate, so that neither the event loop nor the model waits.

A long text may take seconds. Long texts are read by a thread of their own, one after the other, and delay only each
other. How many may wait is bounded by what a replica has under way (shared/core/admission.py).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from shared.domain.prompts import Prompt
from shared.errors import NotReady

Value = TypeVar("Value")
LONG: Final = 2_000  # characters; the slowest text of this length that is known takes 0.2 s
RETRY_AFTER_S: Final = 1


class TextLanes:
    """Two threads: for texts of usual length, and for long ones."""

    def __init__(self) -> None:
        self._usual = ThreadPoolExecutor(1, "texts")
        self._long = ThreadPoolExecutor(1, "long-texts")
        self._closed = False

    async def run(self, prompt: Prompt, work: Callable[..., Value], *arguments: Any) -> Value:
        """Do some work that reads the text of `prompt`. Raises what it raises, and NotReady where this is closed."""
        length = sum(len(turn.text) for turn in prompt.turns)
        lane = self._long if length > LONG else self._usual
        try:
            return await asyncio.get_running_loop().run_in_executor(lane, work, *arguments)
        except (asyncio.CancelledError, RuntimeError) as exc:  # the lane has been shut down, or the client has left
            if self._closed:
                raise NotReady("The service is shutting down.", retry_after_s=RETRY_AFTER_S) from exc
            raise

    def close(self) -> None:
        """Refuse what waits; what is being read is not waited for. Safe to call twice."""
        self._closed = True
        for lane in (self._usual, self._long):
            lane.shutdown(wait=False, cancel_futures=True)
