"""A first look at a model that was loaded, before it is served: is each weight a number, can it read a question and a
picture.

What is wrong with a checkpoint may show only when it is run, and then in the middle of a refit or of somebody's
request. Each reason is said in a sentence.
"""

import logging
from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image

from shared.domain.prompts import Prompt
from shared.errors import BadInput
from shared.vlm.adapters.base import Adapter, Encoded, embeddings_of
from shared.vlm.adapters.templates import traits_of

logger = logging.getLogger(__name__)
SAMPLE: Final = "Who wrote this book?"
PICTURE_SIZES: Final = ((96, 64), (64, 320))  # of sample pictures; a processor may cut wide and high ones differently
MOST: Final = 300  # characters of a library's error that are shown
FAILURES: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)
# Settings of a generation configuration that change no token of a greedy answer, or are given with each request.
WITHOUT_EFFECT: Final = {
    "_from_model_config",
    "bos_token_id",
    "cache_implementation",
    "do_sample",
    "eos_token_id",
    "max_length",
    "max_new_tokens",
    "min_p",
    "pad_token_id",
    "temperature",
    "top_k",
    "top_p",
    "transformers_version",
    "typical_p",
    "use_cache",
}
NEUTRAL: Final[tuple[object, ...]] = (
    None,
    0,
    1,
    [],
    {},
    "",
)  # values by which a setting does nothing, such as a penalty of 1.0


def look_at(source: str | Path, model: Any, processor: Any, adapter: Adapter) -> None:
    """Raise BadInput where the model cannot be served; note what is done in another way than elsewhere."""
    _check_numbers(source, model)
    _check_tokens(source, model, processor)
    _ask(source, model, adapter)
    if adapter.has_pictures:
        _show(source, model, adapter)
    if traits_of(processor).time_of_day:
        logger.warning(
            "the chat template of %s writes the time of day: it is told 00:00, so that an answer stays the same", source
        )
    unused = _settings_left_out(model.generation_config)
    if unused:
        logger.warning(
            "the generation_config.json of %s sets %s, which is not applied: answers may differ from another server's",
            source,
            ", ".join(unused),
        )


def shown(error: BaseException) -> str:
    """What a library says, on one line that is not too long."""
    said = " ".join(str(error).split())[:MOST].rstrip(".") or type(error).__name__
    return f"{said} is missing or unknown" if isinstance(error, KeyError) else said


def _check_numbers(source: str | Path, model: Any) -> None:
    for name, value in model.named_parameters():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise BadInput(
                f"{source} has weights that are no numbers (NaN or infinite), for example in {name}: "
                "its training diverged, or a conversion overflowed. Take another checkpoint."
            )


def _check_tokens(source: str | Path, model: Any, processor: Any) -> None:
    """Special tokens may lack an embedding: where somebody types one, it is read as text (control_tokens.py)."""
    rows, tokenizer = embeddings_of(model), processor.tokenizer
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    beyond = [name for name, number in tokenizer.get_vocab().items() if number >= rows and number not in special]
    if beyond:
        raise BadInput(_without_embedding(source, rows, beyond))


def _ask(source: str | Path, model: Any, adapter: Adapter) -> None:
    """Run the model on one question, as it will be run."""
    try:
        row = adapter.encode([Prompt.ask(SAMPLE)])[0]
        rows = embeddings_of(model)
        beyond = sorted({int(number) for number in row.ids.tolist() if number >= rows})
        if beyond:
            raise BadInput(_without_embedding(source, rows, [f"number {number}" for number in beyond]))
        logits = _run(model, adapter, row)
    except FAILURES as exc:
        raise BadInput(
            f"{source} is loaded, but cannot be run ({shown(exc)}): its configuration contradicts itself. "
            "Compare its config.json with the original's."
        ) from exc
    if not bool(torch.isfinite(logits).all()):
        raise BadInput(
            f"{source} computes no numbers (NaN or infinite) in {str(logits.dtype).removeprefix('torch.')}: "
            "compare its config.json with the original's, or take another checkpoint."
        )


def _show(source: str | Path, model: Any, adapter: Adapter) -> None:
    """Run the model on a question about a picture: as many tokens of the text as features stand for it."""
    for size in PICTURE_SIZES:
        prompt = Prompt.ask(SAMPLE, Image.new("RGB", size, (90, 140, 60)))
        try:
            logits = _run(model, adapter, adapter.encode([prompt])[0])
        except (*FAILURES, BadInput) as exc:
            raise BadInput(
                f"{source} is loaded, but cannot read a picture ({shown(exc)}): take processor_config.json, "
                "preprocessor_config.json and chat_template.jinja from the same place as config.json. The template has "
                "to write the token of a picture, and patch_size, merge_size, image_seq_len, "
                "num_additional_image_tokens and vision_feature_select_strategy have to fit the model."
            ) from exc
        if not bool(torch.isfinite(logits).all()):
            raise BadInput(
                f"{source} computes no numbers (NaN or infinite) from a picture: compare its preprocessor_config.json "
                "with the original's (image_mean, image_std, rescale_factor)."
            )


def _run(model: Any, adapter: Adapter, row: Encoded) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model(**adapter.inputs([row]), use_cache=True, logits_to_keep=1).logits
    return logits


def _without_embedding(source: str | Path, rows: int, tokens: list[str]) -> str:
    return (
        f"{source} has a tokenizer with {len(tokens)} tokens that the model has no embedding for (it has {rows}), "
        f"for example {tokens[0]}: take model and tokenizer from the same place, or enlarge the model "
        "(`resize_token_embeddings`)."
    )


def _settings_left_out(generation_config: Any) -> list[str]:
    """The settings by which `generate` of transformers would give another greedy answer."""
    changed = generation_config.to_diff_dict()
    return sorted(name for name, value in changed.items() if name not in WITHOUT_EFFECT and value not in NEUTRAL)
