"""Loads a model from a folder or a hub id, with its processor, and says where erasers may act on it.

Only safetensors are read and no code of the repository's is run (`trust_remote_code=False`).
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoProcessor, LlavaForConditionalGeneration
from transformers.utils import logging as transformers_logging

from shared.erasure.site import Site
from shared.errors import BadInput
from shared.vlm.adapter import LlavaAdapter


@dataclass(frozen=True)
class Vlm:
    """A loaded model. `site` names every decoder block's output."""

    model: Any
    processor: Any
    tokenizer: Any
    adapter: LlavaAdapter
    site: Site
    device: torch.device


def load(source: str | Path, *, device: str | None = None, dtype: torch.dtype | None = None) -> Vlm:
    """The model at `source`; on a GPU where there is one, else float32 on the CPU.

    Raises BadInput where there is no model, or one of a family that has no adapter.
    """
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    kind = dtype or (torch.float32 if chosen.type == "cpu" else torch.bfloat16)
    transformers_logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        if config.model_type != "llava":
            raise BadInput(f"{source} is a {config.model_type} model; there is an adapter for llava.")
        model = LlavaForConditionalGeneration.from_pretrained(
            source, dtype=kind, use_safetensors=True, trust_remote_code=False
        )
        processor = AutoProcessor.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError) as exc:
        raise BadInput(f"No model could be loaded from {source}: {exc}") from exc
    model = model.to(chosen).eval().requires_grad_(requires_grad=False)
    return wrap(model, processor)


def wrap(model: Any, processor: Any) -> Vlm:
    """A model that is already in memory."""
    adapter = LlavaAdapter(model, processor)
    parameter = next(model.parameters())
    site = Site(
        layers=tuple(range(len(adapter.blocks))),
        hidden_size=adapter.hidden_size,
        base_model=_weights_digest(model),
        template=hashlib.sha256((processor.chat_template or "").encode()).hexdigest(),
        processor=_processor_digest(processor),
        dtype=str(parameter.dtype).removeprefix("torch."),
    )
    return Vlm(model, processor, processor.tokenizer, adapter, site, parameter.device)


def _weights_digest(model: Any) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _processor_digest(processor: Any) -> str:
    tokenizer = processor.tokenizer
    words = tokenizer.backend_tokenizer.to_str() if tokenizer.is_fast else json.dumps(tokenizer.get_vocab())
    images = json.dumps(processor.image_processor.to_dict(), sort_keys=True, default=str)
    return hashlib.sha256(f"{words}\n{images}".encode()).hexdigest()
