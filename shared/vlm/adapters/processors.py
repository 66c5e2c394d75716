"""Loads a processor from a folder or hub id, whole or without the part for videos, which would need torchvision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer


@dataclass(frozen=True)
class ProcessorParts:
    """What a processor for pictures and text is assembled from; `settings` are those of its own configuration file."""

    images: Any
    tokenizer: Any
    template: Any
    settings: dict[str, Any]


def whole_processor(source: str | Path) -> Any:
    """The processor as transformers loads it; with the tokenizer's chat template where it has none of its own."""
    processor = AutoProcessor.from_pretrained(source, trust_remote_code=False)
    if not processor.chat_template:
        processor.chat_template = processor.tokenizer.chat_template
    return processor


def still_parts(source: str | Path, processor_class: Any) -> ProcessorParts:
    """The parts of a processor of `processor_class` but for videos."""
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    images = AutoImageProcessor.from_pretrained(source, trust_remote_code=False)
    settings, _ = processor_class.get_processor_dict(source)
    return ProcessorParts(images, tokenizer, settings.get("chat_template") or tokenizer.chat_template, settings)
