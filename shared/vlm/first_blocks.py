"""What the digest of a whole model needs beside its first decoder blocks: the other blocks' tensors, read one by one.

An eraser's site names the weights of the whole model. A reader has the first blocks in memory; the tensors of the
others pass through the hash at the start and are let go of at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from shared.vlm.adapters.base import whole_config
from shared.vlm.checkpoint import weight_files


@dataclass(frozen=True)
class Rest:
    """The blocks of a model that are not in memory: the whole model's configuration and its number of `blocks`, and
    where and in which precision each tensor is read, by its name in the model."""

    config: Any
    blocks: int
    places: Mapping[str, tuple[Path, str]]
    dtypes: Mapping[str, torch.dtype]

    @property
    def names(self) -> frozenset[str]:
        """The tensors' names in the model."""
        return frozenset(self.places)

    def read(self, name: str) -> Tensor:
        """A tensor as the whole model would have it."""
        path, stored = self.places[name]
        return _tensor(path, stored).to(self.dtypes[name])


def rest_of(source: str | Path, model: Any, blocks: Sequence[nn.Module]) -> Rest | None:
    """The rest of the model at `source`, of which `model` has the first `blocks`.

    None where the files have other tensors than the model, as for experts that are merged when they are loaded.
    """
    with torch.device("meta"):
        whole = type(model)(whole_config(source))
    prefix = next(name for name, module in model.named_modules() if module is blocks)
    here, every = model.state_dict(), whole.state_dict()
    missing = [name for name in every if name not in here]
    if any(not name.startswith(f"{prefix}.") for name in missing):
        return None
    stored = {name: path for path in weight_files(source) for name in _names(path)}
    first = {name: name.removeprefix(f"{prefix}.0.") for name in here if name.startswith(f"{prefix}.0.")}
    in_files = _prefix_in_files(stored, {suffix: here[name] for name, suffix in first.items()})
    if in_files is None:
        return None
    places, dtypes = {}, {}
    for name in missing:
        number, suffix = name.removeprefix(f"{prefix}.").split(".", 1)
        wanted, alike = f"{in_files}{number}.{suffix}", here.get(f"{prefix}.0.{suffix}")
        if wanted not in stored or alike is None:
            return None
        places[name], dtypes[name] = (stored[wanted], wanted), alike.dtype
    return Rest(whole.config, whole.config.get_text_config().num_hidden_layers, places, dtypes)


def _prefix_in_files(stored: Mapping[str, Path], first: Mapping[str, Tensor]) -> str | None:
    """What stands before the number of a decoder block in the files; `first`: the first block's tensors.

    Vision towers have blocks with the same names, so that the values are compared.
    """
    some = min(first)
    for name in stored:
        if not name.endswith(f"0.{some}"):
            continue
        prefix = name.removesuffix(f"0.{some}")
        if all(
            (key := f"{prefix}0.{suffix}") in stored and torch.equal(_tensor(stored[key], key).to(value.dtype), value)
            for suffix, value in first.items()
        ):
            return prefix
    return None


def _names(path: Path) -> list[str]:
    with safe_open(path, framework="pt") as file:
        return list(file.keys())


def _tensor(path: Path, name: str) -> Tensor:
    with safe_open(path, framework="pt") as file:
        tensor: Tensor = file.get_tensor(name)
        return tensor
