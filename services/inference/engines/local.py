"""The engine in this process: one thread owns the model, and the event loop waits for it without a thread of its own.

Clients may leave, or read as slowly as they like: a call keeps the text that was not fetched yet, and the thread never
waits for anybody.
"""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from typing import Final

from services.inference.active_eraser import Served
from services.inference.engines.text_lanes import TextLanes
from shared.domain.prompts import Prompt
from shared.errors import LacunaError, NotReady
from shared.text.hold_back import words_of
from shared.vlm.adapters.base import Encoded
from shared.vlm.continuous import ContinuousBatch, Outcome, Running
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer, GenerationRequest
from shared.vlm.sampling import Sampling, context_exceeded

logger = logging.getLogger(__name__)
MOST_WAITING: Final = 512  # calls that have not begun
USUAL_ANSWER: Final = 256  # tokens that are reserved for an answer, whatever its limit is
CLOSE_S: Final = 10  # how long a step may take when the process ends
RETRY_AFTER_S: Final = 1


class _Call:
    """One request on its way through the engine's thread."""

    def __init__(self, encoded: Encoded, request: GenerationRequest) -> None:
        self.encoded, self.request = encoded, request
        self.context = copy_context()  # carries the request id into log lines
        self.tokens = len(encoded.ids) + min(request.max_new_tokens, USUAL_ANSWER)
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
    """See AnswerEngine. One thread runs the model; others encode prompts and read their texts, so that neither pictures
    nor long texts hold up the answers to other requests."""

    passes: frozenset[str] = frozenset()

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._waiting: queue.Queue[_Call | None] = queue.Queue(MOST_WAITING)
        self._next: _Call | None = None  # has waited longest, and finds no room yet
        self._closed = threading.Event()
        self._encoder = ThreadPoolExecutor(1, "encoder")
        self._texts = TextLanes()
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
        if self._closed.is_set():
            raise _shutting_down()
        if self._waiting.full():
            raise _too_many()
        request = GenerationRequest.of(sampling, served.eraser)
        self.engine.progress.begin()
        try:
            encoded = await self._encode(prompt)
            request = _fitting(request, sampling, len(encoded.ids), self.context)
            with self.engine.progress.aside():
                encoded = await self._texts.run(prompt, self.engine.read_text, encoded, served.eraser)
            call = _Call(encoded, request)
            try:
                self._waiting.put_nowait(call)
            except queue.Full as exc:
                raise _too_many() from exc
            if self._closed.is_set():  # the thread may have ended already
                call.finish(_shutting_down())
            try:
                answer = None
                while answer is None:
                    text, answer = await call.fetch()
                    for word in words_of(text):
                        yield word
                yield answer
            finally:
                call.left = True
        finally:
            self.engine.progress.end()

    async def _encode(self, prompt: Prompt) -> Encoded:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._encoder, self.engine.encode, prompt)
        except (asyncio.CancelledError, RuntimeError) as exc:  # the encoder has been shut down, or the client has left
            if self._closed.is_set():
                raise _shutting_down() from exc
            raise

    def stalled_s(self) -> float:
        """See AnswerEngine."""
        return self.engine.progress.stalled_s()

    def close(self) -> None:
        """See AnswerEngine."""
        if self._closed.is_set():
            return
        self._closed.set()
        with contextlib.suppress(queue.Full):  # then the thread is not waiting
            self._waiting.put_nowait(None)
        self._thread.join(timeout=CLOSE_S)
        self._encoder.shutdown(wait=False, cancel_futures=True)
        self._texts.close()

    def _work(self) -> None:
        """The engine's thread: take in what waits, advance everybody by a step, hand out what came of it."""
        batch = ContinuousBatch(self.engine)
        calls: dict[Running, _Call] = {}
        while not self._closed.is_set():
            self._take_in(batch, calls)
            try:
                for running in [running for running, call in calls.items() if call.left]:
                    batch.drop(running)
                    del calls[running]
                for outcome in batch.step():
                    self._hand_out(outcome, calls)
            except Exception as exc:  # a step hands errors to their calls; the thread must outlive all others too
                logger.exception("the engine's step failed")
                for call in calls.values():
                    call.finish(exc)
                batch, calls = ContinuousBatch(self.engine), {}
        while not self._waiting.empty():
            if (waiting := self._waiting.get()) is not None:
                waiting.finish(_shutting_down())
        for call in [*calls.values(), *([self._next] if self._next else [])]:
            call.finish(_shutting_down())

    def _take_in(self, batch: ContinuousBatch, calls: dict[Running, _Call]) -> None:
        """Begin the calls that wait, as far as there is room; wait for one where nothing is under way."""
        while True:
            try:
                call = self._next or self._waiting.get(block=not batch.rows)
            except queue.Empty:
                return
            if call is None:
                return
            self._next = None
            if call.left:
                continue
            if not batch.has_room(call.tokens):
                self._next = call
                return
            computation = self.engine.answering(call.encoded, call.request)
            calls[call.context.run(batch.begin, computation, call.tokens)] = call

    def _hand_out(self, outcome: Outcome, calls: dict[Running, _Call]) -> None:
        call, value = calls[outcome.running], outcome.value
        if isinstance(value, str):
            call.send(value)
            return
        del calls[outcome.running]
        call.finish(value)
        if isinstance(value, BaseException) and not isinstance(value, LacunaError):
            call.context.run(logger.error, "the engine failed", exc_info=value)


def _fitting(request: GenerationRequest, sampling: Sampling, prompt_tokens: int, context: int) -> GenerationRequest:
    """The request with its longest answer; raises BadInput where the context has no room for it."""
    most = max(1, context - prompt_tokens) if sampling.fills_context else request.max_new_tokens
    if prompt_tokens + most > context:
        raise context_exceeded(context, prompt_tokens, most)
    return replace(request, max_new_tokens=most)


def _shutting_down() -> NotReady:
    return NotReady("The service is shutting down.", retry_after_s=RETRY_AFTER_S)


def _too_many() -> NotReady:
    return NotReady("Too many requests are waiting; try again in a moment.", retry_after_s=RETRY_AFTER_S)
