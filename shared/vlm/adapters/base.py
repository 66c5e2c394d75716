"""The interface to a model family, and helpers that the families share. Each family has one file beside this one.

How to add a family: docs/adding-a-model.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from PIL.Image import Image
from torch import Tensor, nn
from transformers import AutoConfig
from transformers.utils import logging as transformers_logging

from shared.domain.prompts import Prompt
from shared.errors import BadInput
from shared.text.token_text import TokenText
from shared.vlm.adapters.control_tokens import end_turns, text_tokens, with_typed_as_text
from shared.vlm.adapters.templates import render


@dataclass(frozen=True)
class Encoded:
    """One prompt: tokens [T], and its pictures as the family's vision tower takes them (None without pictures).

    LLaVA and Gemma 3: `pixels` [k, 3, H, W]. Qwen's: `pixels` [n, c], the patches of all k pictures, and their `grids`
    [k, 3]. Where pictures are cut into tiles: `pixels` [n, 3, S, S], and in `grids` how they are cut.
    Tokens may be appended to `ids` (teacher forcing): `inputs` derives from them whatever else the model needs.
    `prompt`: what was encoded, where it may have to be asked in another way. `text`: what the text tokens say, where it
    was read ahead.
    """

    ids: Tensor
    pixels: Tensor | None
    grids: Tensor | None = None
    prompt: Prompt | None = None
    text: TokenText | None = None

    @property
    def photos(self) -> tuple[Image, ...]:
        """The pictures as they were given; none where the prompt was not kept."""
        return () if self.prompt is None else self.prompt.images


class Adapter(Protocol):
    """A loaded model of one family with its processor.

    `has_pictures`: whether prompts may have pictures; a family without them raises BadInput for such a prompt.
    """

    has_pictures: ClassVar[bool]

    def __init__(self, model: Any, processor: Any) -> None: ...

    @staticmethod
    def load(source: str | Path, dtype: torch.dtype, blocks: int | None = None) -> tuple[Any, Any]:
        """Model and processor from a folder or hub id. Reads safetensors only and runs no code of the repository.

        `blocks`: the first of the decoder blocks, which alone are read from the files; None: all.
        """

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The decoder blocks in order; the output of each is the residual stream."""

    @property
    def hidden_size(self) -> int:
        """Width of the residual stream."""

    @property
    def context(self) -> int:
        """Most tokens of prompt and answer together."""

    def encode(self, prompts: Sequence[Prompt]) -> list[Encoded]:
        """Each prompt by itself, unpadded. Raises BadInput where a text holds a token that stands for pictures."""

    def inputs(self, rows: Sequence[Encoded]) -> dict[str, Tensor]:
        """The model's keyword arguments for a batch, padded on the left, on the model's device.

        `input_ids` [B, T]; `attention_mask` [B, T] only where something is padded; `position_ids` [..., B, T] where the
        model would not derive them itself; pictures only where there are some.
        """

    def following(self, inputs: Mapping[str, Tensor], past: int, count: int) -> dict[str, Tensor]:
        """Mask [B, T + past + count] and positions [..., B, count] for `count` tokens, `past` tokens after `inputs`."""

    def pictures(self, row: Encoded) -> list[tuple[int, int]]:
        """The span [start, end) of each picture's tokens, without the tokens that frame it."""

    def span(self, prompt: Prompt, words: str) -> tuple[int, int]:
        """The span [start, end) of the last occurrence of `words` among the tokens of a prompt without pictures.

        Raises BadInput where they do not occur, or for a tokenizer without offsets.
        """

    def images(self, row: Encoded) -> list[Tensor]:
        """Its pictures [3, H, W] in 0..1, before normalisation, at the sizes that the model sees."""

    def with_images(self, row: Encoded, pictures: Sequence[Tensor]) -> Encoded:
        """The same prompt with other pictures of the same sizes: the inverse of `images`, differentiable."""


class LoadedModel:
    """The part of an adapter that is the same in every family: a decoder of transformers and its processor."""

    has_pictures: ClassVar[bool] = True

    def __init__(self, model: Any, processor: Any) -> None:
        self._model, self._processor = model, processor
        end_turns(model, processor)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """See Adapter."""
        blocks: Sequence[nn.Module] = self._model.get_decoder().layers
        return blocks

    @property
    def hidden_size(self) -> int:
        """See Adapter."""
        return int(self._model.config.get_text_config().hidden_size)

    @property
    def context(self) -> int:
        """See Adapter."""
        return int(self._model.config.get_text_config().max_position_embeddings)

    @property
    def filler(self) -> int:
        """The token that stands in padded places, which nothing attends to. It has to have an embedding."""
        token = self._processor.tokenizer.pad_token_id or 0
        return token if token < embeddings_of(self._model) else 0

    def span(self, prompt: Prompt, words: str) -> tuple[int, int]:
        """See Adapter."""
        text = chat_text(self._processor, prompt)
        at = text.rfind(words)
        if at < 0 or prompt.images or not self._processor.tokenizer.is_fast:
            raise BadInput("The words cannot be found among the tokens of this prompt.")
        tokens = text_tokens(self._processor, prompt, add_special_tokens=_adds_special_tokens(self._processor, text))
        inside = [
            place
            for place, token in enumerate(tokens)
            if token.start < at + len(words) and token.end > at and token.end > token.start
        ]
        return inside[0], inside[-1] + 1


def pretrained(model_class: Any, source: str | Path, dtype: torch.dtype, blocks: int | None = None) -> Any:
    """The model of that class of transformers at `source`, from safetensors alone and without code of the repository.

    `blocks`: see `Adapter.load`; transformers leaves tensors of the others on the disk. Raises BadInput where the files
    lack tensors of the model, which transformers would fill with random numbers, have them in other shapes, or have
    tensors of the decoder blocks that the configuration has no place for, which transformers would leave out.
    """
    shorter = {} if blocks is None else {"config": first_blocks(whole_config(source), blocks)}
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # what it reports of tensors is said below, in a sentence
    try:
        model, report = model_class.from_pretrained(
            source,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **shorter,
        )
    finally:
        transformers_logging.set_verbosity(verbosity)
    _check_tensors(source, model, report, whole=blocks is None)
    return model


def _check_tensors(source: str | Path, model: Any, report: Mapping[str, Any], *, whole: bool) -> None:
    shapes = sorted(report["mismatched_keys"])
    if shapes:
        name, stored, expected = shapes[0]
        raise BadInput(
            f"{source} has {len(shapes)} tensors of other shapes than its configuration says, for example {name} "
            f"({_shape(stored)} in the files, {_shape(expected)} by the configuration): take config.json and the "
            "weights from the same model."
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise BadInput(
            f"{source} lacks {len(missing)} of the model's tensors, for example {missing[0]}: "
            "download it again, or take the model that was trained to write text."
        )
    layers = model.get_decoder().layers
    decoder = next(name for name, module in model.named_modules() if module is layers)
    unused = sorted(name for name in report["unexpected_keys"] if name.startswith(f"{decoder}."))
    if unused and whole:
        raise BadInput(
            f"{source} has {len(unused)} tensors in its decoder blocks that its configuration has no place for, for "
            f"example {unused[0]}: take config.json and the weights from the same model."
        )


def _shape(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def embeddings_of(model: Any) -> int:
    """The number of tokens that the model has an embedding for."""
    return int(model.get_input_embeddings().weight.shape[0])


def whole_config(source: str | Path) -> Any:
    """The configuration of the model at `source`."""
    return AutoConfig.from_pretrained(source, trust_remote_code=False)


def first_blocks(config: Any, count: int) -> Any:
    """The configuration of the same model with its first `count` decoder blocks alone; `config` is changed.

    Raises BadInput where the model has fewer.
    """
    text = config.get_text_config()
    whole = text.num_hidden_layers
    if not 1 <= count <= whole:
        raise BadInput(f"The model has {whole} decoder blocks: there are no first {count} of them.")
    text.num_hidden_layers = count
    for name, value in text.to_dict().items():
        if "layer" in name and isinstance(value, list) and len(value) == whole:
            setattr(text, name, value[:count])  # one entry for each block: layer_types, no_rope_layers
    return config


def chat_text(processor: Any, prompt: Prompt) -> str:
    """The prompt under the chat template, with the generation prompt."""
    return render(processor, prompt.turns)


def processed(processor: Any, prompts: Sequence[Prompt], reserved: Sequence[str]) -> Any:
    """The processor's output for the prompts, unpadded; control tokens that somebody typed are text.

    `reserved` are the tokens that stand for pictures, first the one that the chat template writes for each. Raises
    BadInput where a text holds one of them, where the template leaves out a picture, and for a picture that the
    processor refuses.
    """
    for prompt in prompts:
        for token in reserved:
            if any(token in turn.text for turn in prompt.turns):
                raise BadInput(f"A message may not contain the text {token}.")
    texts = [chat_text(processor, prompt) for prompt in prompts]
    for prompt, text in zip(prompts, texts, strict=True):
        if reserved and text.count(reserved[0]) != len(prompt.images):
            raise BadInput("The model's chat template leaves out a picture: show pictures in the user's turns.")
        if any(0 in image.size for image in prompt.images):
            raise BadInput("A picture has no pixels.")
    images = [[image.convert("RGB") for image in prompt.images] for prompt in prompts]
    adds = _adds_special_tokens(processor, texts[0])
    try:  # nested, since Gemma 3 takes a flat list for the pictures of one prompt
        output = processor(text=texts, images=images if any(images) else None, add_special_tokens=adds)
    except ValueError as exc:
        raise BadInput(f"A picture cannot be used: {exc}") from exc
    pictures = frozenset(processor.tokenizer.convert_tokens_to_ids(list(reserved)))
    output["input_ids"] = [
        with_typed_as_text(processor, prompt, ids, add_special_tokens=adds, pictures=pictures)
        for prompt, ids in zip(prompts, output["input_ids"], strict=True)
    ]
    return output


def _adds_special_tokens(processor: Any, text: str) -> bool:
    """Whether the tokenizer adds its beginning-of-text token to a rendered chat.

    Not where the template has written it, and never for a tokenizer alone, whose template writes all there is to be
    (transformers, `apply_chat_template` of tokenizers and of processors).
    """
    token = processor.tokenizer.bos_token
    return processor.image_processor is not None and not (token is not None and text.startswith(token))


def picture_spans(mask: Tensor, counts: Sequence[int]) -> list[tuple[int, int]]:
    """The spans [start, end) of pictures with `counts` tokens each; `mask` [T] says which tokens are a picture's."""
    parts = mask.nonzero()[:, 0].split(list(counts)) if counts else ()
    return [(int(part[0]), int(part[-1]) + 1) for part in parts]


def pad_left(rows: Sequence[Encoded], filler: int) -> tuple[Tensor, Tensor]:
    """Tokens and mask [B, T]: the last token of each prompt stands in the last column."""
    width = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), width), filler)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, width - len(row.ids) :] = row.ids
        mask[index, width - len(row.ids) :] = 1
    return ids, mask


def extend_mask(mask: Tensor, count: int) -> Tensor:
    """The mask [B, T] with `count` more tokens that are attended to."""
    return torch.cat([mask, mask.new_ones(mask.shape[0], count)], dim=1)


def padded_inputs(rows: Sequence[Encoded], filler: int, device: torch.device) -> dict[str, Tensor]:
    """`Adapter.inputs` of a text whose positions count its tokens from 0; mask and positions only where padded."""
    ids, mask = pad_left(rows, filler)
    inputs = {"input_ids": ids.to(device)}
    if not bool(mask.all()):
        inputs["attention_mask"] = mask.to(device)
        inputs["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0).to(device)
    return inputs


def following_padded(inputs: Mapping[str, Tensor], past: int, count: int) -> dict[str, Tensor]:
    """`Adapter.following` after `padded_inputs`; nothing where nothing is padded."""
    if "attention_mask" not in inputs:
        return {}
    mask = extend_mask(inputs["attention_mask"], past + count)
    return {"attention_mask": mask, "position_ids": (mask.cumsum(dim=1) - 1)[:, -count:]}


def channels(values: Sequence[float], like: Tensor) -> Tensor:
    """One value for each colour channel, [3, 1, 1], on the device and in the dtype of `like`."""
    return torch.tensor(values, device=like.device, dtype=like.dtype)[:, None, None]
