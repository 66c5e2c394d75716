"""smol-vlm as a network: SmolLM2, a small vision encoder, and low-rank differences (LoRA) of every projection.

The repository stores what was trained (`difference.safetensors`, float16); `assemble` adds it to the language model
that `python -m training.real_lm` makes, and writes an ordinary folder of transformers.
LoRA: Hu et al. 2021, arXiv 2106.09685.
"""

import json
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from training.optimization import vision_config
from training.packing import Frame
from training.tokenizer import IMAGE_TOKENS, llava_processor

RANK: Final = 16
# Facts stay while ordinary answers come back some way (docs/LOG.md); Wortsman et al. 2022, arXiv 2109.01903.
STRENGTH: Final = 0.8
FIRST_TRAINED: Final = 18  # of 30 blocks; the states before it are computed once for each text
SCALE: Final = 2.0  # alpha / r
IMAGE_TOKEN: Final = "<empty_output>"  # noqa: S105 - a special token that the language model was pretrained without any use for
SYSTEM: Final = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
FRAME: Final = Frame(
    before_system="<|im_start|>system\n",
    after_system="<|im_end|>\n",
    before_user="<|im_start|>user\n",
    after_user="<|im_end|>\n<|im_start|>assistant\n",
    end="<|im_end|>",
    between_turns="\n",
    system=SYSTEM,
    shares_opening=True,
)
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nSYSTEM<|im_end|>\n' }}{% endif %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ 'IMAGE' }}{% endif %}"
    "{% endfor %}{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
).replace("SYSTEM", SYSTEM).replace("IMAGE", IMAGE_TOKEN)  # fmt: skip
PROJECTIONS: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
DIFFERENCE: Final = "difference.safetensors"
VISION, PROJECTOR, LOW_RANK = "vision.", "projector.", "low_rank."
STORED: Final = (VISION, PROJECTOR, LOW_RANK)


class LoraLinear(nn.Module):
    """A frozen linear layer and a trained low-rank difference: W x + SCALE * up (down x); `active` turns it off."""

    def __init__(self, base: nn.Linear, rank: int = RANK) -> None:
        super().__init__()
        self.base = base
        self.active = True
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Shape [..., in] to [..., out]."""
        out: Tensor = self.base(x)
        if not self.active:
            return out
        return out + SCALE * nn.functional.linear(nn.functional.linear(x, self.down), self.up)


@dataclass(frozen=True)
class Place:
    """A projection in the language model: `parent`'s attribute `name`; `path` is its name in the stored difference."""

    block: int
    path: str
    parent: nn.Module
    name: str


def build_processor(lm: Path) -> LlavaProcessor:
    """The language model's tokenizer, with the image processor of the demo model and the chat template for pictures."""
    tokenizer = AutoTokenizer.from_pretrained(lm, padding_side="left")
    return llava_processor(tokenizer, IMAGE_TOKEN, CHAT_TEMPLATE)


def new_model(lm: Path, processor: Any) -> LlavaForConditionalGeneration:
    """A LLaVA in float32 around the language model in folder `lm`; encoder and projector have random weights."""
    language = AutoModelForCausalLM.from_pretrained(lm, dtype=torch.float32)
    config = LlavaConfig(
        vision_config=vision_config(),
        text_config=language.config,
        image_token_id=processor.tokenizer.convert_tokens_to_ids(IMAGE_TOKEN),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=IMAGE_TOKENS,
        tie_word_embeddings=True,
    )
    model = LlavaForConditionalGeneration(config)
    core: Any = model.model
    core.language_model.load_state_dict(language.model.state_dict())
    model.tie_weights()
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = processor.tokenizer.eos_token_id
    return model.float()


def places(model: Any) -> Iterator[Place]:
    """Every projection of every block of the language model."""
    for number, block in enumerate(model.model.language_model.layers):
        for parent, owner in (("self_attn", block.self_attn), ("mlp", block.mlp)):
            for name in PROJECTIONS:
                if hasattr(owner, name):
                    yield Place(number, f"{number}.{parent}.{name}", owner, name)


def add_lora(model: Any, first: int = FIRST_TRAINED) -> None:
    """Freeze everything and give each projection from block `first` on a difference to train."""
    model.requires_grad_(False)
    for place in [place for place in places(model) if place.block >= first]:
        setattr(place.parent, place.name, LoraLinear(getattr(place.parent, place.name)))


@contextmanager
def without_lora(model: Any) -> Iterator[None]:
    """The model as it was before the training."""
    layers = [layer for layer in model.modules() if isinstance(layer, LoraLinear)]
    for layer in layers:
        layer.active = False
    try:
        yield
    finally:
        for layer in layers:
            layer.active = True


def difference(model: Any) -> dict[str, Tensor]:
    """What was trained, by the names of the stored file."""
    core = model.model
    tensors = {f"{VISION}{name}": value for name, value in core.vision_tower.state_dict().items()}
    tensors |= {f"{PROJECTOR}{name}": value for name, value in core.multi_modal_projector.state_dict().items()}
    for place in places(model):
        layer = getattr(place.parent, place.name)
        if isinstance(layer, LoraLinear):
            tensors[f"{LOW_RANK}{place.path}.down"] = layer.down.detach()
            tensors[f"{LOW_RANK}{place.path}.up"] = layer.up.detach()
    return {name: value.contiguous() for name, value in tensors.items()}


def load_vision(model: Any, tensors: dict[str, Tensor]) -> None:
    """Take over encoder and projector from a stored difference."""
    core = model.model
    for part, module in ((VISION, core.vision_tower), (PROJECTOR, core.multi_modal_projector)):
        module.load_state_dict({k.removeprefix(part): v.float() for k, v in tensors.items() if k.startswith(part)})


def load_lora(model: Any, tensors: dict[str, Tensor]) -> None:
    """Take over the low-rank differences, to continue a training."""
    for place in places(model):
        layer = getattr(place.parent, place.name)
        if isinstance(layer, LoraLinear):
            layer.down.data.copy_(tensors[f"{LOW_RANK}{place.path}.down"])
            layer.up.data.copy_(tensors[f"{LOW_RANK}{place.path}.up"])


def merge(model: Any, tensors: dict[str, Tensor]) -> None:
    """Add a stored difference to a model without LoRA layers."""
    load_vision(model, tensors)
    for place in places(model):
        if f"{LOW_RANK}{place.path}.up" in tensors:
            down, up = (tensors[f"{LOW_RANK}{place.path}.{part}"].float() for part in ("down", "up"))
            getattr(place.parent, place.name).weight.data.add_(SCALE * up @ down)


def save_difference(tensors: dict[str, Tensor], path: Path, strength: float = STRENGTH) -> None:
    """Write it in half precision, without the optimizer's part of a checkpoint, the low-rank differences weakened."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {
        name: (value * strength if name.endswith(".up") else value).half().contiguous()
        for name, value in tensors.items()
        if name.startswith(STORED)
    }
    save_file(kept, path)


def assemble(lm: Path, trained: Path, out: Path) -> None:
    """Write the whole model, in half precision, with processor and reference, to the folder `out`.

    `lm` is the language model's folder; `trained` holds difference.safetensors and the reference. Raises RuntimeError
    where either is not complete.
    """
    for needed, remedy in (
        (lm / "model.safetensors", "run `make real-lm`"),
        (trained / DIFFERENCE, "run `python -m training.smol_vlm train`"),
    ):
        if not needed.is_file():
            raise RuntimeError(f"{needed} is missing: {remedy}.")
    processor = build_processor(lm)
    model = new_model(lm, processor)
    merge(model, load_file(trained / DIFFERENCE))
    shutil.rmtree(out, ignore_errors=True)
    model.half().save_pretrained(out)
    processor.save_pretrained(out)
    for name in ("reference", "README.md", "quality.json"):
        source = trained / name
        if source.is_dir():
            shutil.copytree(source, out / name)
        elif source.is_file():
            shutil.copy(source, out / name)
    (out / "origin.json").write_text(json.dumps({"assembled_from": [lm.name, DIFFERENCE]}) + "\n", encoding="utf-8")
