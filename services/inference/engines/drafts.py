"""An answer while it is received: one task appends to it, and the request reads the text that has arrived."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

from services.inference.engines.upstream import Delta
from shared.errors import Unavailable
from shared.vlm.sampling import TokenLogprob, ToolCall

MOST_CALLS = 128  # tool calls of one answer


class Draft:
    """What has come of one answer, and why it ended, if it did. For one task that reads and one that fills."""

    def __init__(self) -> None:
        self.text = ""
        self.logprobs: list[TokenLogprob] = []
        self.finish: str | None = None
        self.ended = False
        self._calls: dict[int, list[str]] = {}  # id, name and arguments by the number of the call
        self._arrived = asyncio.Event()
        self._error: Exception | None = None
        self._closed = False

    @asynccontextmanager
    async def filled_by(self, deltas: AsyncGenerator[Delta, None]) -> AsyncIterator[None]:
        """Fill it in the background; whoever leaves the block ends that."""
        task = asyncio.create_task(self._fill(deltas))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _fill(self, deltas: AsyncGenerator[Delta, None]) -> None:
        try:
            async with aclosing(deltas):
                async for delta in deltas:
                    self._add(delta)
                    self._arrived.set()
                    if self._closed:
                        break
        except Exception as exc:  # noqa: BLE001 (raised again by `check`)
            self._error = exc
        finally:
            self.ended = True
            self._arrived.set()

    def _add(self, delta: Delta) -> None:
        self.text += delta.text
        self.logprobs += delta.logprobs
        self.finish = delta.finish or self.finish
        for call in delta.calls:
            number, function = call.get("index", len(self._calls)), call.get("function") or {}
            if not isinstance(number, int) or len(self._calls) >= MOST_CALLS:
                raise Unavailable("The engine sent what is no answer.")
            parts = self._calls.setdefault(number, ["", "", ""])
            for at, part in enumerate((call.get("id"), function.get("name"), function.get("arguments"))):
                parts[at] += part if isinstance(part, str) else ""

    async def grown(self) -> None:
        """Wait until there is more, or nothing more will come."""
        await self._arrived.wait()
        self._arrived.clear()

    def close(self) -> None:
        """No more is wanted: it counts as ended by a stop word."""
        self._closed, self.ended = True, True
        self.finish = self.finish or "stop"

    def check(self) -> None:
        """Raise what ended it, unless it is whole."""
        if self._error is not None and not self._closed:
            raise self._error

    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls of tools that it asks for."""
        return tuple(ToolCall(*self._calls[number]) for number in sorted(self._calls))

    def everything(self, text_of_calls: Callable[[Sequence[ToolCall]], str]) -> str:
        """All that it says: its text and, on lines of their own, its calls."""
        calls = text_of_calls(self.tool_calls())
        return f"{self.text}\n{calls}" if calls else self.text
