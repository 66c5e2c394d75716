"""SmolVLM2: as Idefics3 (idefics3.py), with a processor that would also take videos. Videos are not supported."""

from pathlib import Path
from typing import Any, Final

from transformers import ProcessorMixin, SmolVLMForConditionalGeneration
from transformers.models.smolvlm.processing_smolvlm import SmolVLMProcessor

from shared.vlm.adapters.idefics3 import FRAME, WHOLE, Idefics3Adapter
from shared.vlm.adapters.processors import still_parts

TOKENS: Final = 169  # of a tile, where the processor's configuration does not say, as in transformers


class SmolStillProcessor(SmolVLMProcessor):  # type: ignore[misc]  # transformers publishes no annotations
    """The processor for pictures and text. The class of transformers requires a video part, and torchvision for it."""

    apply_chat_template = ProcessorMixin.apply_chat_template  # SmolVLMProcessor's asks the video part

    def __init__(
        self, image_processor: Any, tokenizer: Any, image_seq_len: int = TOKENS, chat_template: str | None = None
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
    def processor(cls, source: str | Path) -> Any:
        """See FixedSizeAdapter. It is assembled without its video part, which would need torchvision."""
        parts = still_parts(source, SmolStillProcessor)
        tokens = parts.settings.get("image_seq_len", TOKENS)
        return SmolStillProcessor(parts.images, parts.tokenizer, image_seq_len=tokens, chat_template=parts.template)
