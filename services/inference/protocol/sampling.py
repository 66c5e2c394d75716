"""The members that say how an answer is drawn, and those that only some engines understand."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, StringConstraints

from services.inference.protocol.bodies import Members
from services.inference.protocol.errors import unsupported
from shared.vlm.sampling import Sampling

MOST_CHOICES: Final = 16
MOST_STOP_WORDS: Final = 16
MOST_TOP_LOGPROBS: Final = 20
DEFAULT_MAX_TOKENS: Final = 64  # of an engine that cannot fill its context
LEAST_TOP_P: Final = 1e-6  # so that the most likely token is always left
SEEDS: Final = 2**64

HINTS: Final = ("reasoning_effort", "verbosity", "parallel_tool_calls")  # ignored by an engine that does not take them
WITHOUT_EFFECT: Final[Mapping[str, tuple[Any, ...]]] = {  # values that ask for nothing special
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "logit_bias": ({},),
    "modalities": (["text"], []),
}


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


StopWords = Annotated[
    list[Annotated[str, StringConstraints(max_length=1000)]],
    Field(max_length=MOST_STOP_WORDS),
    BeforeValidator(_as_list),
]


class StreamOptions(Members):
    """How a stream is sent."""

    include_usage: bool = False


class SamplingMembers(Members):
    """What all endpoints have in common. `temperature` is 0 by default: the same question has the same answer."""

    model: Annotated[str, StringConstraints(max_length=256)]
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    top_p: float = Field(default=1.0, ge=0.0, le=1.0)
    stream: bool = False

    def sampling(self, **more: Any) -> Sampling:
        """How one answer is drawn."""
        return Sampling(temperature=self.temperature, top_p=max(self.top_p, LEAST_TOP_P), **more)


class ChoiceMembers(SamplingMembers):
    """What the chat and the completions have in common."""

    presence_penalty: float = Field(default=0.0, ge=-2.0, le=2.0)
    frequency_penalty: float = Field(default=0.0, ge=-2.0, le=2.0)
    seed: int | None = Field(default=None, ge=-(2**63), le=2**63 - 1)
    stop: StopWords = Field(default_factory=list)
    n: int = Field(default=1, ge=1, le=MOST_CHOICES)
    stream_options: StreamOptions | None = None

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with the counts of tokens."""
        return self.stream_options is not None and self.stream_options.include_usage

    def samplings(self, most: int | None, top_logprobs: int | None, extra: Mapping[str, Any]) -> list[Sampling]:
        """How each of the `n` answers is drawn: with a seed of its own, or fresh ones where none is given."""
        if self.stream_options is not None and not self.stream:
            raise unsupported("stream_options", "stream_options are for streams: they need stream=true.")
        shared = {
            "max_new_tokens": most or DEFAULT_MAX_TOKENS,
            "fills_context": most is None,
            "stop": tuple(word for word in self.stop if word),
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "top_logprobs": top_logprobs,
            "extra": extra,
        }
        return [self.sampling(seed=self._seed(index), **shared) for index in range(self.n)]

    def _seed(self, index: int) -> int | None:
        if self.temperature == 0.0:
            return self.seed or 0
        return None if self.seed is None else (self.seed + index + SEEDS // 2) % SEEDS - SEEDS // 2


def passed_on(given: Mapping[str, Any], passes: frozenset[str]) -> dict[str, Any]:
    """The members of `given` for an engine that understands `passes`, without those that ask for nothing special.

    Raises BadInput for one that it does not understand: an answer that ignored it would not be what was asked for.
    """
    taken = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in passes:
            taken[name] = value
        elif name not in HINTS and value not in WITHOUT_EFFECT.get(name, ()):
            raise unsupported(name, f"{name} is not supported by this model's engine.")
    return taken
