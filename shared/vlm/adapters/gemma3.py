"""Gemma 3: pictures of one size (fixed_size.py), whose tokens attend to each other in both directions.

The model learns from `token_type_ids` which tokens those are; without them it would read a picture from left to right.
"Pan and scan", which cuts long pictures into more than one, is not supported.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import Gemma3ForConditionalGeneration

from shared.errors import BadInput
from shared.vlm.adapters.base import Encoded
from shared.vlm.adapters.fixed_size import FixedSizeAdapter


class Gemma3Adapter(FixedSizeAdapter):
    """`Gemma3ForConditionalGeneration` with `Gemma3Processor`."""

    model_class = Gemma3ForConditionalGeneration

    @classmethod
    def processor(cls, source: str | Path) -> Any:
        """See FixedSizeAdapter; raises BadInput where it cuts pictures into several (`do_pan_and_scan`)."""
        processor = super().processor(source)
        if processor.image_processor.do_pan_and_scan:
            raise BadInput(
                f"{source} cuts long pictures into several, which is not supported: set do_pan_and_scan to false in "
                "its preprocessor_config.json or processor_config.json."
            )
        return processor

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
