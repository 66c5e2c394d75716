"""What Qwen2-VL, Qwen2.5-VL and Qwen3-VL share: pictures at their own size, cut into patches; positions in three
dimensions (time, height, width).

Positions are always passed: the model keeps the offsets of its last batch (`rope_deltas`) and would apply them to the
next one. Videos are not supported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from torch import Tensor
from transformers import ProcessorMixin

from shared.domain.prompts import Prompt
from shared.vlm.adapters.base import (
    Encoded,
    LoadedModel,
    channels,
    extend_mask,
    pad_left,
    picture_spans,
    pretrained,
    processed,
)
from shared.vlm.adapters.processors import still_parts

FRAMES: Final = ("<|vision_start|>", "<|vision_end|>")  # the chat template writes them around every picture


class QwenVlAdapter(LoadedModel):
    """A model of the class `model_class` with a processor of the class `processor_class`."""

    model_class: ClassVar[Any]
    processor_class: ClassVar[Any]

    @classmethod
    def load(cls, source: str | Path, dtype: torch.dtype, blocks: int | None = None) -> tuple[Any, Any]:
        """See Adapter. The processor is assembled without its video part, which would need torchvision."""
        model = pretrained(cls.model_class, source, dtype, blocks)
        parts = still_parts(source, cls.processor_class)
        return model, cls.processor_class(parts.images, parts.tokenizer, chat_template=parts.template)

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """See Adapter; raises BadInput for a picture whose sides differ by a factor of more than 200."""
        if not prompts:
            return []
        reserved = [self._processor.image_token, self._processor.video_token, *FRAMES]
        output = processed(self._processor, prompts, reserved)
        grids = torch.as_tensor(output["image_grid_thw"]) if "image_grid_thw" in output else torch.zeros(0, 3).long()
        pixels = torch.as_tensor(output["pixel_values"]) if len(grids) else torch.zeros(0)
        encoded, picture, patch = [], 0, 0
        for prompt, ids in zip(prompts, output["input_ids"], strict=True):
            own = grids[picture : picture + len(prompt.images)]
            count = int(own.prod(dim=1).sum())
            tokens = torch.as_tensor(ids, dtype=torch.long)
            encoded.append(Encoded(tokens, pixels[patch : patch + count], own) if count else Encoded(tokens, None))
            picture, patch = picture + len(own), patch + count
        return encoded

    def inputs(self, rows: Sequence[Encoded]) -> dict[str, Tensor]:
        """See Adapter; `position_ids` [3, B, T] always, `image_grid_thw` [k, 3] beside the patches."""
        device = self._model.device
        ids, mask = pad_left(rows, self.filler)
        grids = [row.grids for row in rows if row.grids is not None]
        positions, _ = self._model.model.get_rope_index(
            ids,
            (ids == self._model.config.image_token_id).int(),  # 1: a picture's token, 0: text
            image_grid_thw=torch.cat(grids) if grids else None,
            attention_mask=mask,
        )
        inputs = {"input_ids": ids.to(device), "position_ids": positions.to(device)}
        if not bool(mask.all()):
            inputs["attention_mask"] = mask.to(device)
        pixels = [row.pixels for row in rows if row.pixels is not None]
        if pixels:
            inputs["pixel_values"] = torch.cat(pixels).to(device, self._model.dtype)
            inputs["image_grid_thw"] = torch.cat(grids).to(device)
        return inputs

    def following(self, inputs: Mapping[str, Tensor], past: int, count: int) -> dict[str, Tensor]:
        """See Adapter; a picture takes fewer positions than tokens, so counting goes on from the largest one."""
        last = inputs["position_ids"].amax(dim=(0, 2))[:, None]  # [B, 1]
        steps = last + 1 + past + torch.arange(count, device=last.device)
        more = {"position_ids": steps.expand(3, -1, -1)}
        if "attention_mask" in inputs:
            more["attention_mask"] = extend_mask(inputs["attention_mask"], past + count)
        return more

    def pictures(self, row: Encoded) -> list[tuple[int, int]]:
        """See Adapter."""
        counts = (
            []
            if row.grids is None
            else (row.grids.prod(dim=1) // self._processor.image_processor.merge_size**2).tolist()
        )
        return picture_spans(row.ids == self._processor.image_token_id, counts)

    def images(self, row: Encoded) -> list[Tensor]:
        """See Adapter. The processor shows one picture as two equal frames: the first is taken."""
        if row.pixels is None or row.grids is None:
            return []
        images, pictures, start = self._processor.image_processor, [], 0
        side, merge, frames = images.patch_size, images.merge_size, images.temporal_patch_size
        for _, high, wide in row.grids.tolist():
            patches = row.pixels[start : start + high * wide].float()
            parts = patches.reshape(high // merge, wide // merge, merge, merge, 3, frames, side, side)[..., 0, :, :]
            picture = parts.permute(4, 0, 2, 5, 1, 3, 6).reshape(3, high * side, wide * side)
            pictures.append(picture * channels(images.image_std, picture) + channels(images.image_mean, picture))
            start += high * wide
        return pictures

    def with_images(self, row: Encoded, pictures: Sequence[Tensor]) -> Encoded:
        """See Adapter: normalised, cut into patches of merged neighbours, each frame twice."""
        images, rows = self._processor.image_processor, []
        side, merge, frames = images.patch_size, images.merge_size, images.temporal_patch_size
        for picture in pictures:
            high, wide = picture.shape[1] // side, picture.shape[2] // side
            plain = (picture - channels(images.image_mean, picture)) / channels(images.image_std, picture)
            parts = plain.reshape(3, high // merge, merge, side, wide // merge, merge, side).permute(
                1, 4, 2, 5, 0, 3, 6
            )
            rows.append(parts[..., None, :, :].expand(*parts.shape[:5], frames, side, side).reshape(high * wide, -1))
        return replace(row, pixels=torch.cat(rows))


class StillPictures:
    """A processor for pictures and text, to be mixed into Qwen's, whose own constructors require a video part."""

    def __init__(self, image_processor: Any, tokenizer: Any, chat_template: str | None = None) -> None:
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)
