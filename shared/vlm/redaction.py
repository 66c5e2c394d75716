"""Redaction: a prompt with a placeholder in the person's place, which is what the second pass reads.

A picture becomes an even grey of its size, a name the tokens of "somebody", whatever its length. The answer to such a
prompt cannot depend on whom it named, so that it does not tell one forgotten person from another. Only what the gate
has found is replaced; a person who is described in other words stays.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor

from shared.domain.prompts import Prompt, Turn
from shared.erasure.gates.identity import MentionSpans
from shared.vlm.adapters.base import Adapter, Encoded

PLACEHOLDER: Final = "somebody"
CONTEXT: Final = ("Is ", " here?")  # around it, so that its tokens are those of a word inside a sentence
GREY: Final = 0.5  # of pixel values 0..1


def redact(adapter: Adapter, prompt: Encoded, spans: MentionSpans, placeholder: Tensor) -> Encoded:
    """`prompt` without what `spans` covers; `placeholder` [k] are the tokens that replace each name."""
    if spans.pictures:
        pictures = adapter.images(prompt)
        redacted = [
            torch.full_like(picture, GREY) if number in spans.pictures else picture
            for number, picture in enumerate(pictures)
        ]
        prompt = adapter.with_images(prompt, redacted)
    if not spans.words:
        return prompt
    text_tokens = text_token_mask(adapter, prompt).nonzero()[:, 0]
    ids = prompt.ids
    for start, end in reversed(spans.words):
        ids = torch.cat([ids[: text_tokens[start]], placeholder.to(ids), ids[text_tokens[end - 1] + 1 :]])
    return replace(prompt, ids=ids, text=None)


def without_earlier_turns(prompt: Prompt, spans: MentionSpans) -> Prompt | None:
    """The chat without the turns whose pictures are redacted, where its last turn shows somebody else.

    None where the last turn has no picture, one that is redacted, or where a name is redacted: then the turns are
    needed to know what is asked. A grey picture beside another one would be asked about as well.
    """
    last = len(prompt.images) - len(prompt.turns[-1].images)
    if not spans.pictures or spans.words or not prompt.turns[-1].images or max(spans.pictures) >= last:
        return None
    kept: list[Turn] = []
    number, answers_dropped = 0, False
    for turn in prompt.turns:
        shown = range(number, number + len(turn.images))
        number += len(turn.images)
        dropped = any(picture in spans.pictures for picture in shown)
        if not dropped and not (answers_dropped and turn.role == "assistant"):
            kept.append(turn)
        answers_dropped = dropped
    return Prompt(tuple(kept))


def text_token_mask(adapter: Adapter, prompt: Encoded) -> Tensor:
    """Which tokens [T] of the prompt belong to no picture; `MentionSpans.words` counts only these."""
    mask = torch.ones(len(prompt.ids), dtype=torch.bool)
    for start, end in adapter.pictures(prompt):
        mask[start:end] = False
    return mask


def placeholder_tokens(tokenizer: Any) -> Tensor:
    """The tokens of PLACEHOLDER inside a sentence; those of the word alone for a tokenizer without offsets."""
    before, after = CONTEXT
    if not tokenizer.is_fast:
        return torch.tensor(tokenizer.encode(PLACEHOLDER, add_special_tokens=False))
    encoding = tokenizer(before + PLACEHOLDER + after, return_offsets_mapping=True, add_special_tokens=False)
    end = len(before) + len(PLACEHOLDER)
    inside: Sequence[int] = [
        token
        for token, (first, last) in zip(encoding["input_ids"], encoding["offset_mapping"], strict=True)
        if first < end and last > len(before)
    ]
    return torch.tensor(inside)
