"""Causal language models without pictures, all in one adapter: Llama and what shares its shape.

In transformers their classes are one kind: decoder blocks in `model.layers`, positions that count the tokens from 0,
and a cache of keys and values alone. `MODEL_TYPES` are those for which the contract of all families holds
(tests/shared/vlm/adapters). Families with recurrent blocks have another shape and are not among them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from shared.domain.prompts import Prompt
from shared.errors import BadInput
from shared.vlm.adapters.base import Encoded, LoadedModel, following_padded, padded_inputs, pretrained, processed

MODEL_TYPES: Final = (
    "apertus",
    "arcee",
    "cohere",
    "cohere2",
    "ernie4_5",
    "exaone4",
    "gemma",
    "gemma2",
    "gemma3_text",
    "glm",
    "glm4",
    "granite",
    "granitemoe",
    "helium",
    "hunyuan_v1_dense",
    "llama",
    "ministral",
    "ministral3",
    "mistral",
    "mixtral",
    "nemotron",
    "olmo",
    "olmo2",
    "olmo3",
    "olmoe",
    "phi3",
    "phimoe",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "seed_oss",
    "smollm3",
    "stablelm",
    "starcoder2",
)


class CausalLmAdapter(LoadedModel):
    """A model of `AutoModelForCausalLM` with a TextProcessor."""

    has_pictures: ClassVar[bool] = False

    @staticmethod
    def load(source: str | Path, dtype: torch.dtype, blocks: int | None = None) -> tuple[Any, Any]:
        """See Adapter."""
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        return pretrained(AutoModelForCausalLM, source, dtype, blocks), TextProcessor(tokenizer)

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """See Adapter; raises BadInput for a prompt with a picture."""
        if any(prompt.images for prompt in prompts):
            raise BadInput("This model reads text alone: ask without a picture.")
        if not prompts:
            return []
        output = processed(self._processor, prompts, reserved=())
        return [Encoded(torch.as_tensor(ids, dtype=torch.long), None) for ids in output["input_ids"]]

    def inputs(self, rows: Sequence[Encoded]) -> dict[str, Tensor]:
        """See Adapter; mask and positions only where something is padded."""
        return padded_inputs(rows, self.filler, self._model.device)

    def following(self, inputs: Mapping[str, Tensor], past: int, count: int) -> dict[str, Tensor]:
        """See Adapter; nothing where nothing is padded."""
        return following_padded(inputs, past, count)

    def pictures(self, row: Encoded) -> list[tuple[int, int]]:
        """None."""
        return []

    def images(self, row: Encoded) -> list[Tensor]:
        """None."""
        return []

    def with_images(self, row: Encoded, pictures: Sequence[Tensor]) -> Encoded:
        """The same prompt, as there are no pictures to put in. Raises BadInput where some are given."""
        if pictures:
            raise BadInput("This model reads text alone: it has no place for a picture.")
        return row


class TextProcessor:
    """A tokenizer with the interface of a processor; its `image_processor` is None."""

    image_processor: None = None

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.chat_template = tokenizer.chat_template

    def __call__(self, text: Sequence[str], images: None = None, **options: Any) -> Any:
        """What the tokenizer makes of the texts. Raises BadInput where there are pictures."""
        if images:
            raise BadInput("This model reads text alone: ask without a picture.")
        return self.tokenizer(list(text), **options)

    def apply_chat_template(self, messages: Any, chat_template: str | None = None, **options: Any) -> Any:
        """As the tokenizer's."""
        template = chat_template or self.chat_template
        return self.tokenizer.apply_chat_template(messages, chat_template=template, **options)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the tokenizer with the chat template."""
        self.tokenizer.chat_template = self.chat_template
        self.tokenizer.save_pretrained(folder)
