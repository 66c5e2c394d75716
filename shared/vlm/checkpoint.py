"""What a folder or hub id holds, before its weights are read: each reason why it cannot be served, in a sentence."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from safetensors import SafetensorError, safe_open

from shared.errors import BadInput

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
HUB_ID: Final = re.compile(r"[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?")
PICKLED: Final = (".bin", ".pt", ".pth", ".ckpt")
WRITES_TEXT: Final = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel", "ForImageTextToText")
FLOATING: Final = {"F64", "F32", "F16", "BF16"}  # names of dtypes in safetensors
COUNTING: Final = {"I64", "BOOL"}  # of buffers, such as the numbers of positions
OTHER_FILES: Final = ("generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
PROCESSOR_FILES: Final = ("processor_config.json", "preprocessor_config.json")
WORKING_SPACE: Final = 1.1  # weights and a tenth more: activations and the cache of a short prompt
LONGEST_SHOWN: Final = 200  # characters of a source that is no path
CONVERT: Final = (
    "from transformers import AutoModelForCausalLM as M; "
    "M.from_pretrained(SOURCE, use_safetensors=False).save_pretrained(FOLDER)"
)


@dataclass(frozen=True)
class Checkpoint:
    """A model as its files describe it. `parameters`: how many numbers its weights hold."""

    source: str
    model_type: str
    config: Mapping[str, Any]
    parameters: int

    def bytes_needed(self, dtype: torch.dtype) -> int:
        """Memory to serve it in that precision."""
        return int(self.parameters * dtype.itemsize * WORKING_SPACE)


def inspect(source: str | Path) -> Checkpoint:
    """Read what there is beside the weights, and how large they are.

    Raises BadInput for what is no model, is not complete, is pickled or quantised, or cannot be fetched.
    """
    if not str(source).strip():
        raise BadInput("No model is named: give a folder or the id of a model on the hub.")
    try:
        return _inspected(source)
    except OSError as exc:  # no right to read it, a name too long for a file
        raise BadInput(f"{str(source)[:LONGEST_SHOWN]} cannot be read: {exc.strerror or exc}.") from exc


def _inspected(source: str | Path) -> Checkpoint:
    folder = Path(source)
    if folder.is_dir():
        _check_folder(folder)
    elif folder.is_file():
        raise BadInput(f"{source} is a file: give the folder that it is in.")
    elif not HUB_ID.fullmatch(str(source)):
        raise BadInput(f"There is no folder {source}: give a folder, or the id OWNER/NAME of a model on the hub.")
    config = _config(source)
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or not model_type:
        raise BadInput(f"{source} is no model of transformers: its {CONFIG} names no model_type.")
    _check_config(source, config)
    return Checkpoint(str(source), model_type, config, _parameters(source, config))


def weight_files(source: str | Path) -> list[Path]:
    """The safetensors files of a checkpoint that was inspected; those of a hub model are fetched if need be."""
    only = _file(source, WEIGHTS, cached_is_enough=True)
    index = _file(source, INDEX, cached_is_enough=True)
    if only is not None or index is None:  # transformers reads no index beside it
        return [] if only is None else [only]
    names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    return [path for name in names if (path := _file(source, name)) is not None]


def _check_folder(folder: Path) -> None:
    """Raise for the folders that are often given by mistake."""
    if (folder / CONFIG).exists():
        _check_texts(folder)
        return
    if (folder / "adapter_config.json").exists():
        raise BadInput(
            f"{folder} is an adapter (LoRA) without its base model: merge it into the base model "
            "(peft, `merge_and_unload`), save that, and give its folder."
        )
    if any(folder.glob("*.gguf")):
        raise BadInput(
            f"{folder} holds a model in the format GGUF, which is quantised: give the folder of the original weights "
            "in safetensors (training/real_lm.py shows how a GGUF file is converted)."
        )
    raise BadInput(f"{folder} is no model: it has no {CONFIG}. Give the folder that `save_pretrained` wrote.")


def _check_texts(folder: Path) -> None:
    """Raise for a small file of a model that cannot be read. A hub's files were compared with their digests."""
    for name in (*OTHER_FILES, *PROCESSOR_FILES):
        try:
            content = json.loads((folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (ValueError, OSError) as exc:
            raise BadInput(f"The {name} of {folder} is damaged ({exc}): download it again.") from exc
        if not isinstance(content, dict):
            raise BadInput(f"The {name} of {folder} is damaged (it is no object of JSON): download it again.")
    for path in folder.glob("*.jinja"):
        try:
            path.read_text(encoding="utf-8")
        except (ValueError, OSError) as exc:
            raise BadInput(f"{path} is damaged ({exc}): download it again.") from exc


def _config(source: str | Path) -> dict[str, Any]:
    path = _file(source, CONFIG)
    if path is None:
        raise BadInput(f"{source} is no model of transformers: it has no {CONFIG}.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise BadInput(f"The {CONFIG} of {source} is damaged ({exc}): download it again.") from exc
    if not isinstance(config, dict):
        raise BadInput(f"The {CONFIG} of {source} is no configuration of a model.")
    return config


def _check_config(source: str | Path, config: Mapping[str, Any]) -> None:
    method = _quantisation(config)
    if method is not None:
        raise BadInput(
            f"{source} is quantised ({method}), which is not supported: steering vectors are fitted by gradients "
            "through the weights, and thresholds belong to the precision that is served. "
            "Give the folder or id of the original weights."
        )
    named = config.get("architectures") or []
    kinds = named if isinstance(named, list) else [named]
    if kinds and not any(str(kind).endswith(WRITES_TEXT) for kind in kinds):
        raise BadInput(f"{source} is a {kinds[0]}, which does not write text: give a model that answers questions.")


def _quantisation(config: Any) -> str | None:
    """How the weights are quantised, if they are; a part of the configuration may say so for that part."""
    if not isinstance(config, dict):
        return None
    for name in ("quantization_config", "compression_config"):
        details = config.get(name)
        if details:
            named = details.get("quant_method") if isinstance(details, dict) else None
            return str(named or "bitsandbytes")  # the oldest of them, which did not name itself
    return next((method for part in config.values() if (method := _quantisation(part)) is not None), None)


def _parameters(source: str | Path, config: Mapping[str, Any]) -> int:
    """The numbers in the weights, from the headers of the safetensors files; of a hub model's index, from its size."""
    index = None if (Path(source) / WEIGHTS).is_file() else _file(source, INDEX, cached_is_enough=True)
    if index is None:
        only = _file(source, WEIGHTS)
        if only is None:
            raise BadInput(_without_weights(source))
        return _numbers_in(only)
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        names = sorted({str(name) for name in content["weight_map"].values()})
        stored = int(content["metadata"].get("total_size", 0))
    except (ValueError, LookupError, AttributeError, TypeError) as exc:
        raise BadInput(f"The {INDEX} of {source} is damaged: download it again.") from exc
    if not Path(source).is_dir():
        return stored // _stored_dtype(config).itemsize  # a hub model's files are not here yet
    missing = [name for name in names if not (Path(source) / name).is_file()]
    if missing:
        raise BadInput(
            f"{source} lacks {len(missing)} of {len(names)} weight files, {missing[0]} first: download them."
        )
    return sum(_numbers_in(Path(source) / name) for name in names)


def _stored_dtype(config: Mapping[str, Any]) -> torch.dtype:
    """The precision of the files; float32 where the configuration does not say, as transformers did then."""
    named = str(config.get("dtype") or config.get("torch_dtype")).removeprefix("torch.")
    stored = getattr(torch, named, None)
    return stored if isinstance(stored, torch.dtype) else torch.float32


def _numbers_in(path: Path) -> int:
    with path.open("rb") as file:
        if file.read(20).startswith(b"version https://git-"):
            raise BadInput(f"{path} is a pointer of Git LFS, not the weights: run `git lfs pull` in its folder.")
    try:
        return sum(_sizes(path))
    except (SafetensorError, OSError) as exc:
        raise BadInput(f"{path} is damaged or cut off ({exc}): download it again.") from exc


def _sizes(path: Path) -> Iterator[int]:
    with safe_open(path, framework="pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118  # no dictionary: it cannot be iterated
            stored = tensors.get_slice(name)
            dtype = str(stored.get_dtype())
            if dtype not in FLOATING | COUNTING:
                raise BadInput(
                    f"{path} holds {name} as {dtype}: the weights are quantised, which is not supported. "
                    "Give the folder or id of the original weights."
                )
            yield prod(stored.get_shape())


def _without_weights(source: str | Path) -> str:
    folder = Path(source)
    if folder.is_dir() and not any(path.suffix in PICKLED for path in folder.iterdir()):
        return f"{source} has no weights: it needs {WEIGHTS}, or {INDEX} with the files that it names."
    return (
        f"{source} has its weights as pickle files alone, which may run code of their author when they are opened. "
        f"Convert them to safetensors on a machine that holds nothing of value: {CONVERT}"
    )


def _file(source: str | Path, name: str, *, cached_is_enough: bool = False) -> Path | None:
    """A file of the folder, or of the hub's repository, which is downloaded; None where there is none.

    Without a network a downloaded model is served too: what it never had is then not in the cache either, and
    `cached_is_enough` says that this is no error.
    """
    if Path(source).is_dir():
        path = Path(source) / name
        return path if path.is_file() else None
    try:
        return Path(hf_hub_download(str(source), name))
    except LocalEntryNotFoundError as exc:
        if cached_is_enough:
            return None
        raise BadInput(
            f"{source} is no folder here, and the hub cannot be reached to look for a model of that name. "
            "Download it on another machine and give the folder."
        ) from exc
    except GatedRepoError as exc:
        raise BadInput(
            f"{source} is a gated model of the hub: accept its terms there, create a token that may read it, and set "
            "HF_TOKEN."
        ) from exc
    except RepositoryNotFoundError as exc:
        raise BadInput(
            f"{source} is neither a folder here nor a model of the hub (or a private one: then set HF_TOKEN)."
        ) from exc
    except EntryNotFoundError:
        return None
    except (HFValidationError, OSError) as exc:
        raise BadInput(f"{source} cannot be fetched from the hub: {str(exc).splitlines()[0]}") from exc
