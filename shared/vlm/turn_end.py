"""Which of a model's end tokens ends the assistant's turn.

A generation configuration may list several, in any order: Gemma 3 and Llama 3 name the end of a text before the end of
a turn. An answer whose likelihood is measured or trained has to end as the model itself ends it.
"""

from collections.abc import Sequence
from typing import Any, Final

from shared.domain.prompts import Prompt, Turn
from shared.errors import BadInput
from shared.vlm.adapters.base import chat_text

PROBE: Final = "Qualia"  # a word that no chat template contains


def turn_end(processor: Any, ends: Sequence[int]) -> int:
    """The first of `ends` that the chat template writes after an answer; the first of all where it writes none."""
    if len(ends) == 1:
        return ends[0]
    try:
        text = chat_text(processor, Prompt((Turn("user", "Who?"), Turn("assistant", PROBE))))
    except BadInput:
        return ends[0]
    after = text[text.rfind(PROBE) + len(PROBE) :]
    written = processor.tokenizer(after, add_special_tokens=False)["input_ids"]
    return next((token for token in written if token in ends), ends[0])
