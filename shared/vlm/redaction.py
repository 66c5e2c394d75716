"""A prompt with nobody in the place of somebody: what the model reads once a request has fired.

A picture becomes an even grey of its size, a name the tokens of "somebody", whatever its length. What is made of such
a prompt does not depend on whom it named: silence that cannot tell one forgotten person from another. Only what the
gate has found is taken out; a person told by description stays.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor

from shared.erasure.gates.identity import MentionSpans
from shared.vlm.adapters.base import Adapter, Encoded

NOBODY: Final = "somebody"
AROUND: Final = ("Is ", " here?")  # so that its tokens are those of a word inside a sentence
GREY: Final = 0.5  # of 0..1


def redact(adapter: Adapter, row: Encoded, where: MentionSpans, nobody: Tensor) -> Encoded:
    """`row` without what `where` names; `nobody` [k] are the tokens that stand in for a name."""
    if where.pictures:
        shown = adapter.images(row)
        grey = [torch.full_like(one, GREY) if place in where.pictures else one for place, one in enumerate(shown)]
        row = adapter.with_images(row, grey)
    if not where.words:
        return row
    places = text_token_mask(adapter, row).nonzero()[:, 0]
    ids = row.ids
    for start, end in reversed(where.words):
        ids = torch.cat([ids[: places[start]], nobody.to(ids), ids[places[end - 1] + 1 :]])
    return replace(row, ids=ids)


def text_token_mask(adapter: Adapter, row: Encoded) -> Tensor:
    """Which tokens [T] of `row` are no picture's: stretches of `Mentioned.words` count these."""
    found = torch.ones(len(row.ids), dtype=torch.bool)
    for start, end in adapter.pictures(row):
        found[start:end] = False
    return found


def placeholder_tokens(tokenizer: Any) -> Tensor:
    """The tokens of NOBODY inside a sentence; those of the word alone where the tokenizer cannot tell."""
    before, after = AROUND
    if not tokenizer.is_fast:
        return torch.tensor(tokenizer.encode(NOBODY, add_special_tokens=False))
    made = tokenizer(before + NOBODY + after, return_offsets_mapping=True, add_special_tokens=False)
    end = len(before) + len(NOBODY)
    inside: Sequence[int] = [
        token
        for token, (first, last) in zip(made["input_ids"], made["offset_mapping"], strict=True)
        if first < end and last > len(before)
    ]
    return torch.tensor(inside)
