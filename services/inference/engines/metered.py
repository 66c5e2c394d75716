"""Wraps any AnswerEngine and counts and traces its answers, so that local and remote engines are measured alike."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from services.inference.active_eraser import Served
from services.inference.engines.around import EngineAround
from services.inference.engines.base import AnswerEngine
from shared.core import metrics, tracing
from shared.domain.prompts import Prompt
from shared.errors import BadInput, NotReady, Unavailable
from shared.vlm.generation import Answer
from shared.vlm.sampling import Sampling


class MeteredEngine(EngineAround):
    """See AnswerEngine."""

    def __init__(self, engine: AnswerEngine, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(engine)
        self._clock = clock
        metrics.STALLED_SECONDS.set_function(engine.stalled_s)

    async def stream(self, prompt: Prompt, sampling: Sampling, served: Served) -> AsyncGenerator[str | Answer, None]:
        """See AnswerEngine."""
        began, first, outcome = self._clock(), True, "left"  # unless it comes to an end
        span = tracing.begin_span("answer")
        metrics.QUEUE_LENGTH.inc()
        try:
            async with aclosing(self._engine.stream(prompt, sampling, served)) as pieces:
                async for piece in pieces:
                    if first:
                        first = False
                        metrics.FIRST_TOKEN_SECONDS.observe(self._clock() - began)
                    if isinstance(piece, Answer):
                        outcome = "answered"
                        metrics.ANSWER_SECONDS.observe(self._clock() - began)
                        _note(piece)
                    yield piece
        except (NotReady, BadInput, Unavailable):
            outcome = "refused"
            raise
        except Exception:
            outcome = "failed"
            raise
        finally:
            metrics.QUEUE_LENGTH.dec()
            metrics.ANSWERS.labels(outcome).inc()
            span.end({"outcome": outcome, "version": served.number})


def _note(answer: Answer) -> None:
    metrics.counted(answer.prompt_tokens, len(answer.tokens))
    if not answer.fired:
        return
    metrics.fired(answer.channel)
    if answer.channel == "answer":
        metrics.watch_hit(second=False)
    if answer.reading is not None:
        metrics.second_reading(answer.reading)
