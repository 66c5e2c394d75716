"""Qwen2.5-VL: see qwen_vl.py."""

from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

from shared.vlm.adapters.qwen_vl import QwenVlAdapter, StillPictures


class StillProcessor(StillPictures, Qwen2_5_VLProcessor):  # type: ignore[misc]  # transformers has no annotations
    """The processor for pictures and text."""


class Qwen25VlAdapter(QwenVlAdapter):
    """`Qwen2_5_VLForConditionalGeneration` with `Qwen2_5_VLProcessor`."""

    model_class = Qwen2_5_VLForConditionalGeneration
    processor_class = StillProcessor
