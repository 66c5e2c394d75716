"""Loads a model with its processor from a folder or hub id, and describes the site where erasers may act on it.

Only safetensors are read, and no code of the repository is run (`trust_remote_code=False`).
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoConfig
from transformers.utils import logging as transformers_logging

from shared.erasure.site import Site
from shared.errors import BadInput
from shared.vlm.adapters.base import Adapter
from shared.vlm.adapters.gemma3 import Gemma3Adapter
from shared.vlm.adapters.idefics3 import Idefics3Adapter
from shared.vlm.adapters.llava import LlavaAdapter
from shared.vlm.adapters.llava_next import LlavaNextAdapter
from shared.vlm.adapters.llava_onevision import LlavaOnevisionAdapter
from shared.vlm.adapters.qwen2_5_vl import Qwen25VlAdapter
from shared.vlm.adapters.qwen2_vl import Qwen2VlAdapter
from shared.vlm.adapters.qwen3_vl import Qwen3VlAdapter
from shared.vlm.adapters.smolvlm import SmolVlmAdapter

FAMILIES: Final[dict[str, type[Adapter]]] = {
    "llava": LlavaAdapter,
    "llava_next": LlavaNextAdapter,
    "llava_onevision": LlavaOnevisionAdapter,
    "qwen2_vl": Qwen2VlAdapter,
    "qwen2_5_vl": Qwen25VlAdapter,
    "qwen3_vl": Qwen3VlAdapter,
    "gemma3": Gemma3Adapter,
    "idefics3": Idefics3Adapter,
    "smolvlm": SmolVlmAdapter,
}
INCIDENTAL: Final = {
    "_name_or_path",
    "architectures",
    "dtype",
    "torch_dtype",
    "transformers_version",
}  # configuration that does not change what the model computes


@dataclass(frozen=True)
class Vlm:
    """A loaded model. `site` names the output of every decoder block."""

    model: Any
    processor: Any
    tokenizer: Any
    adapter: Adapter
    site: Site
    device: torch.device


def load(source: str | Path, *, device: str | None = None, dtype: torch.dtype | None = None) -> Vlm:
    """The model at `source`: bfloat16 on a GPU where there is one, else float32 on the CPU.

    Raises BadInput where there is no model, or one whose family has no adapter.
    """
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    kind = dtype or (torch.float32 if chosen.type == "cpu" else torch.bfloat16)
    transformers_logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        model, processor = _family(config, str(source)).load(source, kind)
    except (OSError, ValueError) as exc:
        raise BadInput(f"No model could be loaded from {source}: {exc}") from exc
    model = model.to(chosen).eval().requires_grad_(requires_grad=False)
    return wrap(model, processor)


def wrap(model: Any, processor: Any) -> Vlm:
    """The same for a model that is in memory already."""
    adapter = _family(model.config, "This")(model, processor)
    parameter = next(model.parameters())
    site = Site(
        layers=tuple(range(len(adapter.blocks))),
        hidden_size=adapter.hidden_size,
        base_model=_model_digest(model),
        template=hashlib.sha256((processor.chat_template or "").encode()).hexdigest(),
        processor=_processor_digest(processor),
        dtype=str(parameter.dtype).removeprefix("torch."),
    )
    return Vlm(model, processor, processor.tokenizer, adapter, site, parameter.device)


def _family(config: Any, source: str) -> type[Adapter]:
    if config.model_type not in FAMILIES:
        raise BadInput(f"{source} is a {config.model_type} model; there are adapters for {', '.join(FAMILIES)}.")
    return FAMILIES[config.model_type]


def _model_digest(model: Any) -> str:
    """Over weights and configuration: the same weights read from another vision layer are another model."""
    digest = hashlib.sha256(
        json.dumps(_without_incidental(model.config.to_dict()), sort_keys=True, default=str).encode()
    )
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _without_incidental(config: Any) -> Any:
    if isinstance(config, dict):
        return {str(name): _without_incidental(value) for name, value in config.items() if name not in INCIDENTAL}
    return [_without_incidental(value) for value in config] if isinstance(config, list | tuple) else config


def _processor_digest(processor: Any) -> str:
    """Over vocabulary, special tokens, image processing and the processor's own settings (tokens of a picture)."""
    tokenizer = processor.tokenizer
    vocabulary = tokenizer.backend_tokenizer.to_str() if tokenizer.is_fast else json.dumps(tokenizer.get_vocab())
    plain = {name: value for name, value in vars(processor).items() if isinstance(value, str | int | None)}
    rest = {
        "images": processor.image_processor.to_dict(),
        "special": tokenizer.special_tokens_map,
        "processor": {name: value for name, value in plain.items() if name != "chat_template"},
    }
    return hashlib.sha256(f"{vocabulary}\n{json.dumps(rest, sort_keys=True, default=str)}".encode()).hexdigest()
