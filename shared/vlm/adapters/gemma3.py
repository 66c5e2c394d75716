"""Gemma 3: pictures of one size (fixed_size.py), whose tokens attend to each other in both directions.

The model learns from `token_type_ids` which tokens those are; without them it would read a picture from left to right.
"Pan and scan", which cuts long pictures into more than one, is not supported.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoProcessor, Gemma3ForConditionalGeneration

from shared.errors import BadInput
from shared.vlm.adapters.base import Encoded
from shared.vlm.adapters.fixed_size import FixedSizeAdapter


class Gemma3Adapter(FixedSizeAdapter):
    """`Gemma3ForConditionalGeneration` with `Gemma3Processor`."""

    @staticmethod
    def load(source: str | Path, dtype: torch.dtype) -> tuple[Any, Any]:
        """See Adapter; raises BadInput where the processor cuts pictures into several (`do_pan_and_scan`)."""
        processor = AutoProcessor.from_pretrained(source, trust_remote_code=False)
        if processor.image_processor.do_pan_and_scan:
            raise BadInput(
                f"{source} cuts long pictures into several, which is not supported: set do_pan_and_scan to false in "
                "its preprocessor_config.json or processor_config.json."
            )
        model = Gemma3ForConditionalGeneration.from_pretrained(
            source, dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
        return model, processor

    @property
    def reserved(self) -> Sequence[str]:
        """See FixedSizeAdapter."""
        tokenizer = self._processor.tokenizer
        return [tokenizer.boi_token, tokenizer.image_token, tokenizer.eoi_token]

    def inputs(self, rows: Sequence[Encoded]) -> dict[str, Tensor]:
        """See Adapter; `token_type_ids` [B, T], 1 for a picture's token, where there are pictures."""
        inputs = super().inputs(rows)
        if "pixel_values" in inputs:
            inputs["token_type_ids"] = (inputs["input_ids"] == self._model.config.image_token_id).long()
        return inputs
