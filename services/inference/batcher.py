"""Collects requests that arrive together and asks the engine once for all of them.

A request carries the version that it began with; requests of different versions or settings are never mixed. The queue
is bounded: beyond it requests are refused. Knows no HTTP.
"""

import logging
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Final

from services.inference.active_eraser import Served
from shared.domain.prompts import Prompt
from shared.errors import LacunaError, NotReady
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer

logger = logging.getLogger(__name__)
MOST_WAITING: Final = 512
MOST_AT_ONCE: Final = 32  # requests of one batch
GATHER_S: Final = 0.004  # how long a batch waits for one more request


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn."""

    max_new_tokens: int
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclass
class _Job:
    prompt: Prompt
    sampling: Sampling
    served: Served
    answer: "Future[Answer]" = field(default_factory=Future)
    context: Context = field(default_factory=copy_context)  # carries the request id into log lines

    def fits(self, other: "_Job") -> bool:
        """Whether both may be asked in one call. Sampled requests are asked alone: each has its own seed."""
        return (
            self.served is other.served
            and self.sampling == other.sampling
            and self.sampling.temperature == 0.0
            and not self.sampling.stop
        )


class Batcher:
    """One thread that feeds the engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._waiting: queue.Queue[_Job | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    def ask(self, prompt: Prompt, sampling: Sampling, served: Served) -> "Future[Answer]":
        """Queue a request; raises NotReady where the queue is full. A cancelled future is not answered."""
        job = _Job(prompt, sampling, served)
        self.engine.progress.begin()
        job.answer.add_done_callback(lambda _: self.engine.progress.end())
        try:
            self._waiting.put_nowait(job)
        except queue.Full as exc:
            job.answer.cancel()
            raise NotReady("Too many requests are waiting; try again in a moment.") from exc
        return job.answer

    def stream(self, prompt: Prompt, sampling: Sampling, served: Served) -> Iterator[str | Answer]:
        """The text of one answer in pieces, then the whole Answer. Goes to the engine by itself, without the queue."""
        return self.engine.stream(
            prompt,
            eraser=served.eraser,
            max_new_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            seed=sampling.seed,
            stop=sampling.stop,
        )

    def stalled_s(self) -> float:
        """Seconds for which there has been work and no step of it was finished; see Progress."""
        return self.engine.progress.stalled_s()

    def close(self) -> None:
        """Answer what is queued, then end the thread."""
        self._waiting.put(None)
        self._thread.join(timeout=10)

    def _work(self) -> None:
        left: _Job | None = None
        while True:
            first = left or self._waiting.get()
            left = None
            if first is None:
                return
            batch = [first]
            while len(batch) < MOST_AT_ONCE:
                try:
                    following = self._waiting.get(timeout=GATHER_S)
                except queue.Empty:
                    break
                if following is None:
                    self._waiting.put(None)
                    break
                if not first.fits(following):
                    left = following
                    break
                batch.append(following)
            wanted = [job for job in batch if job.answer.set_running_or_notify_cancel()]
            if wanted:  # a request that was cancelled is not answered
                self._answer(wanted)

    def _answer(self, batch: list[_Job]) -> None:
        sampling, served = batch[0].sampling, batch[0].served
        try:
            answers = self.engine.generate(
                [job.prompt for job in batch],
                eraser=served.eraser,
                max_new_tokens=sampling.max_new_tokens,
                temperature=sampling.temperature,
                seed=sampling.seed,
                stop=sampling.stop,
            )
        except LacunaError as exc:
            self._answer_one_by_one(batch, exc)
            return
        except Exception as exc:  # noqa: BLE001 - logged, and handed to those who wait for the answers
            for job in batch:
                job.context.run(logger.error, "the engine failed", exc_info=exc)
                job.answer.set_exception(exc)
            return
        for job, answer in zip(batch, answers, strict=True):
            job.answer.set_result(answer)

    def _answer_one_by_one(self, batch: list[_Job], error: LacunaError) -> None:
        """After an error of a batch: ask its requests one by one, so that a bad prompt fails alone."""
        if len(batch) == 1:
            batch[0].answer.set_exception(error)
            return
        for job in batch:
            self._answer([job])
