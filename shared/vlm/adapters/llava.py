"""LLaVA and LLaVA-1.5: see fixed_size.py."""

from collections.abc import Sequence
from typing import Any

from transformers import LlavaForConditionalGeneration

from shared.vlm.adapters.fixed_size import FixedSizeAdapter


class LlavaAdapter(FixedSizeAdapter):
    """`LlavaForConditionalGeneration` with `LlavaProcessor`."""

    model_class = LlavaForConditionalGeneration

    def __init__(self, model: Any, processor: Any) -> None:
        super().__init__(model, processor)
        if processor.patch_size is None:  # older folders state it in the model's configuration alone
            processor.patch_size = model.config.vision_config.patch_size
        if processor.vision_feature_select_strategy is None:
            processor.vision_feature_select_strategy = model.config.vision_feature_select_strategy
            processor.num_additional_image_tokens = 1  # CLIP's class token

    @property
    def reserved(self) -> Sequence[str]:
        """See FixedSizeAdapter."""
        return [self._processor.image_token]
