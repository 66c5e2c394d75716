"""What LLaVA, Gemma 3 and Idefics3 share: what the vision tower is given always has the same size, and becomes the
same number of tokens; positions count from 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from shared.domain.prompts import Prompt
from shared.vlm.adapters.base import (
    Encoded,
    LoadedModel,
    channels,
    following_padded,
    padded_inputs,
    picture_spans,
    pretrained,
    processed,
)
from shared.vlm.adapters.processors import whole_processor


class FixedSizeAdapter(LoadedModel):
    """A model of the class `model_class`. A family adds `reserved`."""

    model_class: ClassVar[Any]

    @classmethod
    def load(cls, source: str | Path, dtype: torch.dtype, blocks: int | None = None) -> tuple[Any, Any]:
        """See Adapter."""
        processor = cls.processor(source)
        return pretrained(cls.model_class, source, dtype, blocks), processor

    @classmethod
    def processor(cls, source: str | Path) -> Any:
        """The processor at `source`. Raises BadInput where the adapter cannot read what it would make of pictures."""
        return whole_processor(source)

    @property
    def reserved(self) -> Sequence[str]:
        """The tokens that the processor or the model takes for a picture or its frame; no message may hold them."""
        raise NotImplementedError

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """See Adapter."""
        if not prompts:
            return []
        output = processed(self._processor, prompts, self.reserved)
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
        inputs = padded_inputs(rows, self.filler, self._model.device)
        pixels = [row.pixels for row in rows if row.pixels is not None]
        if pixels:
            inputs["pixel_values"] = torch.cat(pixels).to(self._model.device, self._model.dtype)
        return inputs

    def following(self, inputs: Mapping[str, Tensor], past: int, count: int) -> dict[str, Tensor]:
        """See Adapter; nothing where nothing is padded."""
        return following_padded(inputs, past, count)

    def pictures(self, row: Encoded) -> list[tuple[int, int]]:
        """See Adapter."""
        mask = row.ids == self._model.config.image_token_id
        counts = [] if row.pixels is None else [int(mask.sum()) // len(row.pixels)] * len(row.pixels)
        return picture_spans(mask, counts)

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


def with_gradient_of(computed: Tensor, before: Tensor) -> Tensor:
    """The values of `before`, with the gradient of `computed`, which equals it up to rounding."""
    return computed + (before.to(computed) - computed).detach()


def _stacked(pixels: Any) -> Tensor:
    if hasattr(pixels, "shape"):
        return torch.as_tensor(pixels)
    return torch.stack([torch.as_tensor(picture) for picture in pixels])
