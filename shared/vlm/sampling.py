"""How an answer is drawn, and how likely its tokens were. Field names and ranges are those of OpenAI's chat API."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from shared.errors import BadInput

CONTEXT: Final = 40  # characters before a token that are read with it


@dataclass(frozen=True)
class Sampling:
    """How one answer is drawn. `seed` None: from fresh random numbers. `top_logprobs` None: no likelihoods are wanted.

    `fills_context`: the client gave no limit, so the answer may be as long as the context leaves room for; an engine
    that cannot do so keeps to `max_new_tokens`. `extra` are members of OpenAI's request that only some engines
    understand (tools, response_format, ...); they are handed on as they came to an engine that names them in its
    `passes`.
    """

    max_new_tokens: int
    temperature: float = 0.0
    seed: int | None = 0
    stop: tuple[str, ...] = ()
    top_p: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    top_logprobs: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    fills_context: bool = False


@dataclass(frozen=True)
class TokenLogprob:
    """A token of an answer, the natural logarithm of its probability, and the most likely tokens at its place."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class ToolCall:
    """A call of a function that an engine asks for; `arguments` is JSON as the model wrote it."""

    id: str
    name: str
    arguments: str


def without_telling(logprobs: Sequence[TokenLogprob], tells: Callable[[str], bool]) -> tuple[TokenLogprob, ...]:
    """The likelihoods of an answer without the alternatives that would tell of somebody forgotten.

    `tells` reads a text. Each alternative is read behind the last words of the answer before it: those of one place
    together, and one by one only where together they tell something. The tokens of the answer itself stay.
    """
    kept, text = [], ""
    for chosen in logprobs:
        before = text[-CONTEXT:]
        top = chosen.top
        if tells("\n".join(before + token for token, _ in top if token != chosen.token)):
            top = tuple(pair for pair in top if pair[0] == chosen.token or not tells(before + pair[0]))
        kept.append(replace(chosen, top=top))
        text += chosen.token
    return tuple(kept)


def context_exceeded(context: int, prompt_tokens: int, max_new_tokens: int) -> BadInput:
    """The refusal of a prompt that does not fit into the context, in the words that OpenAI's clients look for."""
    return BadInput(
        f"This model's maximum context length is {context} tokens. However, you requested "
        f"{prompt_tokens + max_new_tokens} tokens ({prompt_tokens} in the messages, {max_new_tokens} in the "
        "completion). Please reduce the length of the messages or completion.",
        param="messages",
        reason="context_length_exceeded",
    )
