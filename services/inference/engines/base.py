"""What the service asks of an engine: one method, whatever computes the answers.

`local.py` runs the model in this process and steers it; `remote.py` stands in front of another OpenAI-compatible
server. Both decide with the eraser of the version that the request began with, and both fail closed.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

from services.inference.active_eraser import Served
from shared.domain.prompts import Prompt
from shared.vlm.generation import Answer
from shared.vlm.sampling import Sampling


class AnswerEngine(Protocol):
    """Answers prompts under an eraser version.

    `passes`: the names in `Sampling.extra` that it understands; the service refuses the others with 400.
    `context`: most tokens of prompt and answer together. `reads_pictures`: whether prompts may have pictures.
    """

    @property
    def passes(self) -> frozenset[str]: ...

    @property
    def context(self) -> int: ...

    @property
    def reads_pictures(self) -> bool: ...

    def stream(self, prompt: Prompt, sampling: Sampling, served: Served) -> AsyncGenerator[str | Answer, None]:
        """The text of one answer piece by piece, then the whole Answer, whose text is the pieces joined.

        Whoever leaves closes the generator (`aclose`); the computing then ends within two steps. Never blocks the event
        loop. Raises before the first piece where nothing can be answered: BadInput for a prompt that does not fit,
        NotReady (with `retry_after_s`) where too many requests wait, Unavailable where a remote engine fails. A caller
        that does not read holds up nobody: the pieces wait for it, joined.
        """

    def stalled_s(self) -> float:
        """Seconds for which there has been work and no step of it was finished; 0 without work."""

    def close(self) -> None:
        """End what is under way with an error, and release threads and connections. Safe to call twice."""
