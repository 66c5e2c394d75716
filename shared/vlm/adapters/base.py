"""What differs between model families, as the engine asks for it; and what all families share. One file a family.

Knows no family and nothing of erasers. How to write one: docs/adding-a-model.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from shared.domain.prompts import Prompt
from shared.errors import BadInput


@dataclass(frozen=True)
class Encoded:
    """One prompt as tokens [T] and its pictures as the family's vision tower takes them (None without pictures).

    LLaVA: `pixels` [k, 3, H, W]. Qwen2.5-VL: `pixels` [n, c], the patches of all k pictures, and their `grids` [k, 3].
    Tokens may be appended to `ids` (teacher forcing): whatever else the model needs is made of them by `inputs`.
    """

    ids: Tensor
    pixels: Tensor | None
    grids: Tensor | None = None


class Adapter(Protocol):
    """A loaded model of one family with its processor."""

    def __init__(self, model: Any, processor: Any) -> None: ...

    @staticmethod
    def load(source: str | Path, dtype: torch.dtype) -> tuple[Any, Any]:
        """Model and processor from a folder or hub id: safetensors only, no code of the repository's."""

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The decoder blocks in order; the residual stream is what each puts out."""

    @property
    def hidden_size(self) -> int:
        """Width of the residual stream."""

    @property
    def context(self) -> int:
        """Most tokens of prompt and answer together."""

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """Each prompt by itself, unpadded, as the processor would. BadInput where a text holds a picture's token."""

    def inputs(self, rows: Sequence[Encoded]) -> dict[str, Tensor]:
        """A batch as the model wants it, padded on the left, on the model's device.

        `input_ids` [B, T]; `attention_mask` [B, T] only where something is padded; `position_ids` [..., B, T] where the
        model would not find them by itself. No key for pictures where there are none.
        """

    def following(self, inputs: Mapping[str, Tensor], past: int, count: int) -> dict[str, Tensor]:
        """Mask [B, T + past + count] and positions [..., B, count] of `count` tokens, `past` tokens after `inputs`."""

    def pictures(self, row: Encoded) -> list[tuple[int, int]]:
        """Where each picture's tokens lie in `row`, [start, end), without the words that frame it."""

    def span(self, prompt: Prompt, words: str) -> tuple[int, int]:
        """Where the last occurrence of `words` lies among the tokens of a prompt without pictures, [start, end).

        Raises BadInput where it does not stand there, or the tokenizer cannot tell.
        """

    def images(self, row: Encoded) -> list[Tensor]:
        """Its pictures [3, H, W], 0..1, before normalisation, in the sizes in which the model sees them."""

    def with_images(self, row: Encoded, pictures: Sequence[Tensor]) -> Encoded:
        """The same prompt with other pictures of the same sizes; differentiable, the inverse of `images`."""


def chat_text(processor: Any, prompt: Prompt) -> str:
    """The prompt under the chat template, with the generation prompt."""
    messages = [
        {
            "role": turn.role,
            "content": [*({"type": "image"} for _ in turn.images), {"type": "text", "text": turn.text}],
        }
        for turn in prompt.turns
    ]
    rendered: str = processor.apply_chat_template(messages, add_generation_prompt=True)
    return rendered


def processed(processor: Any, prompts: Sequence[Prompt], reserved: Sequence[str]) -> Any:
    """What the processor makes of the prompts, unpadded. Raises BadInput where a text holds a `reserved` token."""
    for prompt in prompts:
        for token in reserved:
            if any(token in turn.text for turn in prompt.turns):
                raise BadInput(f"A message may not contain the text {token}.")
    texts = [chat_text(processor, prompt) for prompt in prompts]
    images = [image.convert("RGB") for prompt in prompts for image in prompt.images]
    return processor(text=texts, images=images or None, add_special_tokens=not _begun(processor, texts[0]))


def _begun(processor: Any, text: str) -> bool:
    """Whether the template has written the beginning-of-text token already."""
    begin = processor.tokenizer.bos_token
    return begin is not None and text.startswith(begin)


def spans(pictured: Tensor, counts: Sequence[int]) -> list[tuple[int, int]]:
    """[start, end) of pictures with `counts` tokens each, where `pictured` [T] says which tokens are a picture's."""
    parts = pictured.nonzero()[:, 0].split(list(counts)) if counts else ()
    return [(int(part[0]), int(part[-1]) + 1) for part in parts]


def span_of(processor: Any, prompt: Prompt, words: str) -> tuple[int, int]:
    """See `Adapter.span`."""
    text, tokenizer = chat_text(processor, prompt), processor.tokenizer
    at = text.rfind(words)
    if at < 0 or prompt.images or not tokenizer.is_fast:
        raise BadInput("The words cannot be found among the tokens of this prompt.")
    made = tokenizer(text, return_offsets_mapping=True, add_special_tokens=not _begun(processor, text))
    offsets = made["offset_mapping"]
    inside = [i for i, (start, end) in enumerate(offsets) if start < at + len(words) and end > at and end > start]
    return inside[0], inside[-1] + 1


def padded(rows: Sequence[Encoded], filler: int) -> tuple[Tensor, Tensor]:
    """Tokens and mask [B, T], padded on the left: the last token of each prompt stands in the last column."""
    width = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), width), filler)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, width - len(row.ids) :] = row.ids
        mask[place, width - len(row.ids) :] = 1
    return ids, mask


def longer(mask: Tensor, count: int) -> Tensor:
    """The mask [B, T] with `count` more tokens that are seen."""
    return torch.cat([mask, mask.new_ones(mask.shape[0], count)], dim=1)


def channels(values: Sequence[float], like: Tensor) -> Tensor:
    """One number a colour, [3, 1, 1]."""
    return torch.tensor(values, device=like.device, dtype=like.dtype)[:, None, None]
