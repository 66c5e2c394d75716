"""SmolVLM2: as Idefics3 (idefics3.py), with a processor that would also take videos. Videos are not supported."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoImageProcessor, AutoTokenizer, ProcessorMixin, SmolVLMForConditionalGeneration
from transformers.models.smolvlm.processing_smolvlm import SmolVLMProcessor

from shared.errors import BadInput
from shared.vlm.adapters.idefics3 import FRAME, WHOLE, Idefics3Adapter


class SmolStillProcessor(SmolVLMProcessor):  # type: ignore[misc]  # transformers publishes no annotations
    """The processor for pictures and text. The class of transformers requires a video part, and torchvision for it."""

    apply_chat_template = ProcessorMixin.apply_chat_template  # SmolVLMProcessor's asks the video part

    def __init__(
        self, image_processor: Any, tokenizer: Any, image_seq_len: int = 169, chat_template: str | None = None
    ) -> None:
        self.image_seq_len = image_seq_len
        self.image_token, self.video_token = "<image>", "<video>"
        self.fake_image_token, self.global_image_token = FRAME, WHOLE
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


class SmolVlmAdapter(Idefics3Adapter):
    """`SmolVLMForConditionalGeneration` with `SmolVLMProcessor`."""

    model_class = SmolVLMForConditionalGeneration

    @classmethod
    def load(cls, source: str | Path, dtype: torch.dtype) -> tuple[Any, Any]:
        """See Adapter. The processor is assembled without its video part, which would need torchvision."""
        model = cls.model_class.from_pretrained(source, dtype=dtype, use_safetensors=True, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        images = AutoImageProcessor.from_pretrained(source, trust_remote_code=False)
        settings, _ = SmolStillProcessor.get_processor_dict(source)
        template = settings.get("chat_template") or tokenizer.chat_template
        if template is None:
            raise BadInput(f"{source} has no chat template.")
        tokens = settings.get("image_seq_len", model.model.image_seq_len)
        return model, SmolStillProcessor(images, tokenizer, image_seq_len=tokens, chat_template=template)
