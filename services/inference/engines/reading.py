"""The reader's thread: it reads concurrent requests together, and the event loop awaits the result.

The thread runs the first decoder blocks alone. The decision on their activations is made elsewhere, request by
request, because the text gate may take long over a text (text_lanes.py).
"""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.inference.engines.text_lanes import TextLanes
from shared.domain.prompts import Prompt
from shared.erasure.eraser import Eraser
from shared.erasure.readout import Readout
from shared.errors import LacunaError, NotReady
from shared.vlm.adapters.base import Encoded
from shared.vlm.progress import Progress
from shared.vlm.reader import Reader, ReadPrompt

logger = logging.getLogger(__name__)
MOST_TOGETHER: Final = 32  # prompts
MOST_WAITING: Final = 512
RETRY_AFTER_S: Final = 1


@dataclass(frozen=True)
class _Call:
    prompt: Prompt
    eraser: Eraser
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[_Read]"

    def finish(self, end: "_Read | BaseException") -> None:
        """Hand over what was read, or why nothing was; from the reader's thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
            self.loop.call_soon_threadsafe(self._set, end)

    def _set(self, end: "_Read | BaseException") -> None:
        if self.done.done():
            return
        if isinstance(end, BaseException):
            self.done.set_exception(end)
        else:
            self.done.set_result(end)


class _Read(NamedTuple):
    """An encoded prompt and its readout."""

    encoded: Encoded
    readout: Readout


class Reading:
    """Owns a reader. A call that is cancelled before its turn is not read."""

    def __init__(self, reader: Reader, texts: TextLanes, progress: Progress) -> None:
        self.reader, self._texts, self._progress = reader, texts, progress
        self._waiting: queue.Queue[_Call | None] = queue.Queue(MOST_WAITING)
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="reader", daemon=True)
        self._thread.start()

    async def examine(self, prompt: Prompt, eraser: Eraser) -> ReadPrompt:
        """What a prompt says of the tickets of an eraser.

        Raises what `Reader.examine` raises, and NotReady where too many wait or the reader is closed.
        """
        if self._closed:
            raise NotReady("The service is shutting down.", retry_after_s=RETRY_AFTER_S)
        loop = asyncio.get_running_loop()
        call = _Call(prompt, eraser, loop, loop.create_future())
        try:
            self._waiting.put_nowait(call)
        except queue.Full as exc:
            raise NotReady(
                "Too many requests are waiting; try again in a moment.", retry_after_s=RETRY_AFTER_S
            ) from exc
        read = await call.done
        self._progress.step()
        with self._progress.aside():
            return await self._texts.run(prompt, self.reader.judge, read.encoded, read.readout, eraser)

    def close(self) -> None:
        """End the thread; calls that wait are refused. Safe to call twice."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(None)
            self._thread.join(timeout=10)

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None and not self._closed:
            calls = [first]
            with contextlib.suppress(queue.Empty):
                while len(calls) < MOST_TOGETHER:
                    more = self._waiting.get_nowait()
                    if more is None:
                        self._waiting.put_nowait(None)  # for the next turn
                        break
                    calls.append(more)
            by_eraser: dict[int, list[_Call]] = {}
            for call in calls:
                if not call.done.cancelled():
                    by_eraser.setdefault(id(call.eraser), []).append(call)
            for together in by_eraser.values():
                self._read(together)
        refusal = NotReady("The service is shutting down.", retry_after_s=RETRY_AFTER_S)
        if first is not None:
            first.finish(refusal)
        with contextlib.suppress(queue.Empty):
            while True:
                left = self._waiting.get_nowait()
                if left is not None:
                    left.finish(refusal)

    def _read(self, calls: Sequence[_Call]) -> None:
        """Read some prompts under one eraser; what is wrong with one of them does not touch the others."""
        encoded: list[tuple[_Call, Encoded]] = []
        for call in calls:
            try:
                self.reader.check(call.eraser)
                encoded.append((call, self.reader.encode([call.prompt])[0]))
            except Exception as exc:  # noqa: BLE001 (raised again where the call waits)
                call.finish(exc)
        try:
            readouts = self.reader.read([row for _, row in encoded], calls[0].eraser.gated or (0,))
            for (call, row), readout in zip(encoded, readouts, strict=True):
                call.finish(_Read(row, readout))
        except Exception as exc:
            if not isinstance(exc, LacunaError):
                logger.error("the reader failed", exc_info=exc)
            for call, _ in encoded:
                call.finish(exc)
