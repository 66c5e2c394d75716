"""Qwen3-VL: as Qwen2.5-VL (qwen_vl.py), and the first decoder blocks are given features of the vision tower too.

These features (DeepStack, Meng et al. 2024, arXiv:2406.04334) are added to the picture tokens between a block and the
next one. They are computed from the same pixels, so that whoever replaces a picture replaces them with it. What Lacuna
captures and steers is the block's output, which is the stream just before the addition.
"""

from transformers import Qwen3VLForConditionalGeneration, Qwen3VLProcessor

from shared.vlm.adapters.qwen_vl import QwenVlAdapter, StillPictures


class Qwen3StillProcessor(StillPictures, Qwen3VLProcessor):  # type: ignore[misc]  # transformers has no annotations
    """The processor for pictures and text."""


class Qwen3VlAdapter(QwenVlAdapter):
    """`Qwen3VLForConditionalGeneration` with `Qwen3VLProcessor`."""

    model_class = Qwen3VLForConditionalGeneration
    processor_class = Qwen3StillProcessor
