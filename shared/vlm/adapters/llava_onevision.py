"""LLaVA-OneVision: see anyres.py. Videos are not supported."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import LlavaOnevisionForConditionalGeneration, LlavaOnevisionProcessor, ProcessorMixin

from shared.vlm.adapters.anyres import AnyResAdapter
from shared.vlm.adapters.base import Encoded
from shared.vlm.adapters.processors import still_parts

IMAGE, VIDEO = "<image>", "<video>"  # tokens, as transformers has them by default


class OnevisionStillProcessor(LlavaOnevisionProcessor):  # type: ignore[misc]  # transformers has no annotations
    """The processor for pictures and text. The class of transformers requires a video part, and torchvision for it."""

    def __init__(
        self,
        image_processor: Any,
        tokenizer: Any,
        num_image_tokens: int | None = None,
        vision_feature_select_strategy: str | None = None,
        chat_template: str | None = None,
        image_token: str = IMAGE,
        vision_aspect_ratio: str = "anyres_max_9",
    ) -> None:
        self.num_image_tokens = num_image_tokens
        self.vision_feature_select_strategy = vision_feature_select_strategy
        self.vision_aspect_ratio = vision_aspect_ratio
        self.image_token, self.video_token = image_token, VIDEO
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


class LlavaOnevisionAdapter(AnyResAdapter):
    """`LlavaOnevisionForConditionalGeneration` with `LlavaOnevisionProcessor`."""

    model_class = LlavaOnevisionForConditionalGeneration
    cuts_several = False

    @classmethod
    def processor(cls, source: str | Path) -> Any:
        """See FixedSizeAdapter. It is assembled without its video part, which would need torchvision."""
        parts = still_parts(source, OnevisionStillProcessor)
        names = ("num_image_tokens", "vision_feature_select_strategy", "vision_aspect_ratio", "image_token")
        settings = {name: parts.settings[name] for name in names if name in parts.settings}
        return OnevisionStillProcessor(parts.images, parts.tokenizer, chat_template=parts.template, **settings)

    @property
    def reserved(self) -> Sequence[str]:
        """See FixedSizeAdapter."""
        return [self._processor.image_token, self._processor.video_token]

    def inputs(self, rows: Sequence[Encoded]) -> dict[str, Tensor]:
        """See AnyResAdapter; `batch_num_images` [rows with pictures], since one alone is cut and several are not."""
        inputs = super().inputs(rows)
        counts = [len(row.grids) for row in rows if row.grids is not None]
        if counts:
            inputs["batch_num_images"] = torch.tensor(counts, device=self._model.device)
        return inputs
