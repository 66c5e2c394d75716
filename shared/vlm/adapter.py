"""What differs between model families: where the decoder blocks are and how prompts become tensors. LLaVA here.

Knows transformers' classes; knows nothing of erasers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from shared.errors import BadInput
from shared.prompt import Prompt


@dataclass(frozen=True)
class Encoded:
    """One prompt as tokens [T] and its pictures [k, 3, H, W] (None without pictures)."""

    ids: Tensor
    pixels: Tensor | None


class LlavaAdapter:
    """`LlavaForConditionalGeneration` with its processor."""

    def __init__(self, model: Any, processor: Any) -> None:
        self._model, self._processor = model, processor

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The decoder blocks in order."""
        blocks: Sequence[nn.Module] = self._model.model.language_model.layers
        return blocks

    @property
    def hidden_size(self) -> int:
        """Width of the residual stream."""
        return int(self._model.config.text_config.hidden_size)

    @property
    def context(self) -> int:
        """Most tokens of prompt and answer together."""
        return int(self._model.config.text_config.max_position_embeddings)

    def text(self, prompt: Prompt) -> str:
        """The prompt under the chat template, with the generation prompt."""
        messages = [
            {
                "role": turn.role,
                "content": [*({"type": "image"} for _ in turn.images), {"type": "text", "text": turn.text}],
            }
            for turn in prompt.turns
        ]
        rendered: str = self._processor.apply_chat_template(messages, add_generation_prompt=True)
        return rendered

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """Each prompt by itself: nothing is padded, so no answer depends on what it is batched with."""
        if not prompts:
            return []
        token = self._processor.image_token
        for prompt in prompts:
            if any(token in turn.text for turn in prompt.turns):
                raise BadInput(f"A message may not contain the text {token}.")
        images = [image.convert("RGB") for prompt in prompts for image in prompt.images]
        made = self._processor(text=[self.text(prompt) for prompt in prompts], images=images or None)
        pixels = torch.as_tensor(_stacked(made["pixel_values"])) if images else None
        encoded, at = [], 0
        for prompt, ids in zip(prompts, made["input_ids"], strict=True):
            count = len(prompt.images)
            own = pixels[at : at + count] if pixels is not None and count else None
            encoded.append(Encoded(torch.as_tensor(ids, dtype=torch.long), own))
            at += count
        return encoded

    def pictures(self, row: Encoded) -> list[tuple[int, int]]:
        """Where each picture's tokens lie in `row`, [start, end): every picture has equally many."""
        places = (row.ids == self._processor.tokenizer.convert_tokens_to_ids(self._processor.image_token)).nonzero()
        count = 0 if row.pixels is None else row.pixels.shape[0]
        if not count:
            return []
        return [(int(part[0]), int(part[-1]) + 1) for part in places[:, 0].chunk(count)]

    def span(self, prompt: Prompt, words: str) -> tuple[int, int]:
        """Where the last occurrence of `words` lies among the tokens of a prompt without pictures, [start, end).

        Raises BadInput where it does not stand there, or the tokenizer cannot tell.
        """
        text = self.text(prompt)
        at = text.rfind(words)
        tokenizer = self._processor.tokenizer
        if at < 0 or prompt.images or not tokenizer.is_fast:
            raise BadInput("The words cannot be found among the tokens of this prompt.")
        offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
        inside = [i for i, (start, end) in enumerate(offsets) if start < at + len(words) and end > at and end > start]
        return inside[0], inside[-1] + 1

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pixels 0..1 [B, 3, H, W] as the vision tower wants them; differentiable."""
        images = self._processor.image_processor
        mean = torch.tensor(images.image_mean, device=pixels.device)[:, None, None]
        deviation = torch.tensor(images.image_std, device=pixels.device)[:, None, None]
        return (pixels - mean) / deviation

    def denormalise(self, pixels: Tensor) -> Tensor:
        """The inverse of `normalise`."""
        images = self._processor.image_processor
        mean = torch.tensor(images.image_mean, device=pixels.device)[:, None, None]
        deviation = torch.tensor(images.image_std, device=pixels.device)[:, None, None]
        return pixels * deviation + mean


def _stacked(pixels: Any) -> Any:
    return pixels if hasattr(pixels, "shape") else torch.stack([torch.as_tensor(one) for one in pixels])
