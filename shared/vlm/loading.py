"""Loads a model with its processor from a folder or hub id, and describes the site where erasers may act on it.

Only safetensors are read, and no code of the repository is run (`trust_remote_code=False`).
"""

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers.utils import logging as transformers_logging

from shared.erasure.site import Site
from shared.errors import BadInput
from shared.vlm.adapters import causal_lm
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
from shared.vlm.adapters.templates import template_of, traits_of
from shared.vlm.checkpoint import PROCESSOR_FILES, Checkpoint, inspect
from shared.vlm.first_blocks import Rest, rest_of
from shared.vlm.first_look import FAILURES, SAMPLE, look_at, shown
from shared.vlm.memory import bytes_free

logger = logging.getLogger(__name__)

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
    **dict.fromkeys(causal_lm.MODEL_TYPES, causal_lm.CausalLmAdapter),
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


def load(
    source: str | Path, *, device: str | None = None, dtype: torch.dtype | None = None, blocks: int | None = None
) -> Vlm:
    """The model at `source`: bfloat16 on a GPU where there is one, else float32 on the CPU.

    `blocks`: the first of its decoder blocks alone, for a reader; the site is the whole model's all the same.

    Raises BadInput, with a sentence that says what to do, where there is no model that can be served.
    """
    chosen = _device(device)
    kind = dtype or (torch.float32 if chosen.type == "cpu" else torch.bfloat16)
    transformers_logging.disable_progress_bar()
    checkpoint = inspect(source)
    family = _family(checkpoint.model_type, str(source))
    _check_decoder(checkpoint)
    _check_pictures(checkpoint, family)
    if blocks is None:
        _check_memory(checkpoint, kind, chosen)
    try:
        model, processor = family.load(source, kind, blocks)
    except (*FAILURES, OSError, ImportError, StrictDataclassError) as exc:
        raise BadInput(f"No model could be loaded from {source}: {shown(exc)}. {_remedy(source)}") from exc
    _check_processor(source, processor)
    rest = None if blocks is None else rest_of(source, model, family(model, processor).blocks)
    model = model.to(chosen).eval().requires_grad_(requires_grad=False)
    look_at(source, model, processor, family(model, processor))
    if blocks is not None and rest is None:
        logger.info("%s is loaded whole once, to know its digest: its tensors have other names in the files", source)
        return replace(wrap(model, processor), site=load(source, device=device, dtype=dtype).site)
    return wrap(model, processor, rest)


def _device(named: str | None) -> torch.device:
    """The device of that name, else a GPU where there is one; raises BadInput where torch cannot use it."""
    try:
        device = torch.device(named or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as exc:
        raise BadInput(
            f"The device {named} cannot be used here ({shown(exc).split('.')[0]}): "
            "set LACUNA_DEVICE to cpu or cuda, or leave it out."
        ) from exc
    return device


def wrap(model: Any, processor: Any, rest: Rest | None = None) -> Vlm:
    """The same for a model that is in memory already; `rest`: what the digest of the whole model needs besides."""
    adapter = _family(model.config.model_type, "This")(model, processor)
    parameter = next(model.parameters())
    site = Site(
        layers=tuple(range(len(adapter.blocks) if rest is None else rest.blocks)),
        hidden_size=adapter.hidden_size,
        base_model=_model_digest(model, rest),
        template=hashlib.sha256(template_of(processor).encode()).hexdigest(),
        processor=_processor_digest(processor),
        dtype=str(parameter.dtype).removeprefix("torch."),
    )
    return Vlm(model, processor, processor.tokenizer, adapter, site, parameter.device)


def _family(model_type: str, source: str) -> type[Adapter]:
    if model_type not in FAMILIES:
        raise BadInput(
            f"{source} is a model of type {model_type}; there are adapters for {', '.join(FAMILIES)}. "
            "docs/adding-a-model.md says how to add one."
        )
    return FAMILIES[model_type]


def _check_decoder(checkpoint: Checkpoint) -> None:
    """A model with pictures may hold any language model: raise BadInput for one of another shape than is served."""
    text = checkpoint.config.get("text_config")
    named = text.get("model_type") if isinstance(text, dict) else None
    if named is None or named in causal_lm.MODEL_TYPES or str(named).startswith(checkpoint.model_type):
        return
    raise BadInput(
        f"{checkpoint.source} is a {checkpoint.model_type} around a language model of type {named}, which is not "
        f"served. Those that are: {', '.join(causal_lm.MODEL_TYPES)}."
    )


def _check_pictures(checkpoint: Checkpoint, family: type[Adapter]) -> None:
    """Raise BadInput for a folder of a family with pictures that says nothing of how they are prepared."""
    folder = Path(checkpoint.source)
    if family.has_pictures and folder.is_dir() and not any((folder / name).is_file() for name in PROCESSOR_FILES):
        raise BadInput(
            f"{folder} does not say how pictures are prepared: it has neither {' nor '.join(PROCESSOR_FILES)}. "
            "Copy them from the original model."
        )


def _remedy(source: str | Path) -> str:
    if Path(source).is_dir() and not (Path(source) / "tokenizer.json").is_file():
        return "It has no tokenizer.json: save its tokenizer as a fast one (`use_fast=True`), and give that folder."
    return "If that does not say what to change, compare its files with the original's, or download them again."


def _check_memory(checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device) -> None:
    """The weights are read into the CPU's memory first, and go from there to the device."""
    for place in {"cpu": torch.device("cpu"), device.type: device}.values():
        needed, free = checkpoint.bytes_needed(dtype), bytes_free(place)
        if free is not None and needed > free:
            precision = str(dtype).removeprefix("torch.")
            raise BadInput(
                f"{checkpoint.source} needs about {needed / 1e9:.1f} GB of memory in {precision}, and {place.type} has "
                f"{free / 1e9:.1f} GB free: end what else runs there, or take a larger machine or a smaller model."
            )


def _check_processor(source: str | Path, processor: Any) -> None:
    """Raise BadInput for a tokenizer or chat template that cannot be used; note what is done about system turns."""
    if not processor.tokenizer.is_fast:
        raise BadInput(
            f"{source} has a tokenizer ({type(processor.tokenizer).__name__}) that does not say where its tokens stand "
            "in a text, without which no name can be found: save it as a fast one (a file tokenizer.json)."
        )
    read = processor.tokenizer.decode(processor.tokenizer.encode(SAMPLE, add_special_tokens=False))
    if read.casefold().split() != SAMPLE.casefold().split():
        raise BadInput(
            f"{source} has a tokenizer that does not give back what it reads: the files of its vocabulary are missing "
            "or damaged (tokenizer.json), download them again."
        )
    if not traits_of(processor).system_turns:
        logger.warning("the chat template of %s has no system turns: they stand before the next user's text", source)


def _model_digest(model: Any, rest: Rest | None = None) -> str:
    """Over weights and configuration: the same weights read from another vision layer are another model."""
    config = model.config if rest is None else rest.config
    digest = hashlib.sha256(json.dumps(_without_incidental(config.to_dict()), sort_keys=True, default=str).encode())
    tensors = dict(model.state_dict())
    for name in sorted({*tensors, *(rest.names if rest is not None else ())}):
        value = tensors[name] if name in tensors or rest is None else rest.read(name)
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
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
        "images": None if processor.image_processor is None else processor.image_processor.to_dict(),
        "special": tokenizer.special_tokens_map,
        "processor": {name: value for name, value in plain.items() if name != "chat_template"},
    }
    return hashlib.sha256(f"{vocabulary}\n{json.dumps(rest, sort_keys=True, default=str)}".encode()).hexdigest()
