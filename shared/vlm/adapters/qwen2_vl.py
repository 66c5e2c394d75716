"""Qwen2-VL: see qwen_vl.py."""

from transformers import Qwen2VLForConditionalGeneration, Qwen2VLProcessor

from shared.vlm.adapters.qwen_vl import QwenVlAdapter, StillPictures


class Qwen2StillProcessor(StillPictures, Qwen2VLProcessor):  # type: ignore[misc]  # transformers has no annotations
    """The processor for pictures and text."""


class Qwen2VlAdapter(QwenVlAdapter):
    """`Qwen2VLForConditionalGeneration` with `Qwen2VLProcessor`."""

    model_class = Qwen2VLForConditionalGeneration
    processor_class = Qwen2StillProcessor
