"""Collects requests that come at the same time and asks the engine once for all of them.

A request carries the version that it began with; requests of different versions or settings are never mixed. The
queue is bounded: who comes too late is told so. Knows no HTTP.
"""

import logging
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from services.inference.active_eraser import Served
from shared.domain.prompts import Prompt
from shared.errors import LacunaError, NotReady
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer

logger = logging.getLogger(__name__)
MOST_WAITING: Final = 512
MOST_AT_ONCE: Final = 32
GATHER_S: Final = 0.004


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

    def fits(self, other: "_Job") -> bool:
        """Whether both may be asked in one call; what is sampled is always asked alone (its seed is its own)."""
        return (
            self.served is other.served
            and self.sampling == other.sampling
            and self.sampling.temperature == 0.0
            and not self.sampling.stop
        )


class Batcher:
    """One thread that feeds the engine."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self._waiting: queue.Queue[_Job | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    def ask(self, prompt: Prompt, sampling: Sampling, served: Served) -> "Future[Answer]":
        """Queue a request; raises NotReady where the queue is full."""
        job = _Job(prompt, sampling, served)
        self.engine.progress.begin()
        job.answer.add_done_callback(lambda _: self.engine.progress.end())
        try:
            self._waiting.put_nowait(job)
        except queue.Full as exc:
            job.answer.cancel()
            raise NotReady("Too many requests are waiting; try again in a moment.") from exc
        return job.answer

    def stream(self, prompt: Prompt, sampling: Sampling, served: Served) -> "Iterator[str | Answer]":
        """Pieces of one answer, then the whole of it."""
        return self.engine.stream(
            prompt,
            eraser=served.eraser,
            max_new_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            seed=sampling.seed,
            stop=sampling.stop,
        )

    def stalled_s(self) -> float:
        """For how long there has been work of which no step was finished."""
        return self.engine.progress.stalled_s()

    def close(self) -> None:
        """End after what is queued."""
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
            if wanted:  # who has left is not answered
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
            self._apart(batch, exc)
            return
        except Exception as exc:
            logger.exception("the engine failed")
            for job in batch:
                job.answer.set_exception(exc)
            return
        for job, answer in zip(batch, answers, strict=True):
            job.answer.set_result(answer)

    def _apart(self, batch: list[_Job], error: LacunaError) -> None:
        """One bad prompt must not spoil the others' answers."""
        if len(batch) == 1:
            batch[0].answer.set_exception(error)
            return
        for job in batch:
            self._answer([job])
