"""The engine in this process: one thread owns the model, and the event loop waits for it without a thread of its own.

Clients may leave, or read as slowly as they like: a call keeps the text that was not fetched yet, and the thread never
waits for anybody.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import AsyncGenerator
from contextvars import copy_context
from typing import Final

from services.inference.active_eraser import Served
from shared.domain.prompts import Prompt
from shared.errors import LacunaError, NotReady
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.sampling import Sampling

logger = logging.getLogger(__name__)
MOST_WAITING: Final = 512  # calls under way
RETRY_AFTER_S: Final = 1


class _Call:
    """One request on its way through the engine's thread."""

    def __init__(self, prompt: Prompt, sampling: Sampling, served: Served) -> None:
        self.prompt, self.sampling, self.served = prompt, sampling, served
        self.context = copy_context()  # carries the request id into log lines
        self.left = False  # nobody waits for the answer any more
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._lock = threading.Lock()
        self._text = ""
        self._end: Answer | BaseException | None = None

    def send(self, piece: str) -> None:
        """More text; from the engine's thread."""
        with self._lock:
            self._text += piece
        self._wake()

    def finish(self, end: Answer | BaseException) -> None:
        """The whole answer, or why there is none; from any thread. What comes after the first end is ignored."""
        with self._lock:
            self._end = self._end or end
        self._wake()

    async def fetch(self) -> tuple[str, Answer | None]:
        """The text since the last fetch, and the answer at its end. Raises the error that ended the call."""
        await self._arrived.wait()
        with self._lock:
            self._arrived.clear()
            text, self._text, end = self._text, "", self._end
        if isinstance(end, BaseException):
            raise end
        return text, end

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._arrived.set)
        except RuntimeError:  # the loop has ended: nobody waits
            self.left = True


class LocalEngine:
    """See AnswerEngine."""

    passes: frozenset[str] = frozenset()

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._waiting: queue.Queue[_Call | None] = queue.Queue(MOST_WAITING)
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    @property
    def context(self) -> int:
        """See AnswerEngine."""
        return self.engine.vlm.adapter.context

    @property
    def reads_pictures(self) -> bool:
        """See AnswerEngine."""
        return self.engine.reads_pictures

    async def stream(self, prompt: Prompt, sampling: Sampling, served: Served) -> AsyncGenerator[str | Answer, None]:
        """See AnswerEngine."""
        if self._closed:
            raise NotReady("The service is shutting down.", retry_after_s=RETRY_AFTER_S)
        call = _Call(prompt, sampling, served)
        try:
            self._waiting.put_nowait(call)
        except queue.Full as exc:
            raise NotReady(
                "Too many requests are waiting; try again in a moment.", retry_after_s=RETRY_AFTER_S
            ) from exc
        self.engine.progress.begin()
        try:
            answer = None
            while answer is None:
                text, answer = await call.fetch()
                if text:
                    yield text
            yield answer
        finally:
            call.left = True
            self.engine.progress.end()

    def stalled_s(self) -> float:
        """See AnswerEngine."""
        return self.engine.progress.stalled_s()

    def close(self) -> None:
        """See AnswerEngine."""
        if not self._closed:
            self._closed = True
            self._waiting.put(None)
            self._thread.join(timeout=10)

    def _work(self) -> None:
        while (call := self._waiting.get()) is not None:
            if not call.left:
                call.context.run(self._answer, call)

    def _answer(self, call: _Call) -> None:
        sampling = call.sampling
        try:
            for piece in self.engine.stream(
                call.prompt,
                eraser=call.served.eraser,
                max_new_tokens=sampling.max_new_tokens,
                temperature=sampling.temperature,
                seed=sampling.seed or 0,
                stop=sampling.stop,
            ):
                if call.left or self._closed:
                    call.finish(NotReady("The service is shutting down.", retry_after_s=RETRY_AFTER_S))
                    return
                if isinstance(piece, str):
                    call.send(piece)
                else:
                    call.finish(piece)
        except LacunaError as exc:
            call.finish(exc)
        except Exception as exc:
            logger.error("the engine failed", exc_info=exc)
            call.finish(exc)
