"""What a computation asks of the model. Calls no model.

How an answer comes about (decoding.py, second_pass.py, engine.py) is written as generators that yield the forward
passes they need and are sent the results. One generator can be run alone (`Decoder.run`), and many can share forward
passes (continuous.py); the code of the answer is the same.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor

from shared.vlm.adapters.base import Encoded
from shared.vlm.generation import GenerationRequest, PrefillState

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ReadPrompts:
    """Read prompts and decide; the result is a PrefillState."""

    encoded: Sequence[Encoded]
    request: GenerationRequest


@dataclass(frozen=True, eq=False)
class ReadTokens:
    """Read one more token of each row, `chosen` [B]; puts the logits that follow into `prefill`.

    The result are the tokens' states [B, G, d] at the request's layers where they are `reading`, else None.
    """

    chosen: Tensor
    prefill: PrefillState
    request: GenerationRequest
    reading: bool


ForwardPass = ReadPrompts | ReadTokens
Computation = Generator[ForwardPass, Any, T]
