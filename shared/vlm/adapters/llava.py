"""LLaVA and LLaVA-1.5: every picture has the same size and number of tokens; positions count from 0."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import AutoProcessor, LlavaForConditionalGeneration

from shared.domain.prompts import Prompt
from shared.vlm.adapters.base import (
    Encoded,
    channels,
    following_padded,
    padded_inputs,
    picture_spans,
    pretrained,
    processed,
    span_of,
)


class LlavaAdapter:
    """`LlavaForConditionalGeneration` with `LlavaProcessor`."""

    has_pictures: ClassVar[bool] = True

    def __init__(self, model: Any, processor: Any) -> None:
        self._model, self._processor = model, processor
        if processor.patch_size is None:  # older folders state it in the model's configuration alone
            processor.patch_size = model.config.vision_config.patch_size
        if processor.vision_feature_select_strategy is None:
            processor.vision_feature_select_strategy = model.config.vision_feature_select_strategy
            processor.num_additional_image_tokens = 1  # CLIP's class token

    @staticmethod
    def load(source: str | Path, dtype: torch.dtype) -> tuple[Any, Any]:
        """See Adapter."""
        model = pretrained(LlavaForConditionalGeneration, source, dtype)
        return model, AutoProcessor.from_pretrained(source, trust_remote_code=False)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """See Adapter."""
        blocks: Sequence[nn.Module] = self._model.model.language_model.layers
        return blocks

    @property
    def hidden_size(self) -> int:
        """See Adapter."""
        return int(self._model.config.text_config.hidden_size)

    @property
    def context(self) -> int:
        """See Adapter."""
        return int(self._model.config.text_config.max_position_embeddings)

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """See Adapter."""
        if not prompts:
            return []
        output = processed(self._processor, prompts, [self._processor.image_token])
        pixels = _stacked(output["pixel_values"]) if "pixel_values" in output else None
        encoded, start = [], 0
        for prompt, ids in zip(prompts, output["input_ids"], strict=True):
            count = len(prompt.images)
            own = pixels[start : start + count] if pixels is not None and count else None
            encoded.append(Encoded(torch.as_tensor(ids, dtype=torch.long), own))
            start += count
        return encoded

    def inputs(self, rows: Sequence[Encoded]) -> dict[str, Tensor]:
        """See Adapter; mask and positions only where something is padded."""
        inputs = padded_inputs(rows, self._processor.tokenizer.pad_token_id or 0, self._model.device)
        pixels = [row.pixels for row in rows if row.pixels is not None]
        if pixels:
            inputs["pixel_values"] = torch.cat(pixels).to(self._model.device, self._model.dtype)
        return inputs

    def following(self, inputs: Mapping[str, Tensor], past: int, count: int) -> dict[str, Tensor]:
        """See Adapter; nothing where nothing is padded."""
        return following_padded(inputs, past, count)

    def pictures(self, row: Encoded) -> list[tuple[int, int]]:
        """See Adapter."""
        total = int((row.ids == self._processor.image_token_id).sum())
        counts = [] if row.pixels is None else [total // len(row.pixels)] * len(row.pixels)
        return picture_spans(row.ids == self._processor.image_token_id, counts)

    def span(self, prompt: Prompt, words: str) -> tuple[int, int]:
        """See Adapter."""
        return span_of(self._processor, prompt, words)

    def images(self, row: Encoded) -> list[Tensor]:
        """See Adapter."""
        if row.pixels is None:
            return []
        images = self._processor.image_processor
        pixels = row.pixels.float()
        return list(pixels * channels(images.image_std, pixels) + channels(images.image_mean, pixels))

    def with_images(self, row: Encoded, pictures: Sequence[Tensor]) -> Encoded:
        """See Adapter."""
        images = self._processor.image_processor
        pixels = torch.stack(list(pictures))
        return replace(row, pixels=(pixels - channels(images.image_mean, pixels)) / channels(images.image_std, pixels))


def _stacked(pixels: Any) -> Tensor:
    if hasattr(pixels, "shape"):
        return torch.as_tensor(pixels)
    return torch.stack([torch.as_tensor(picture) for picture in pixels])
