"""Named tensors to bytes and back: safetensors with a JSON header, nothing else. Never pickle."""

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from shared.errors import IntegrityFailure

_HEADER = "lacuna"


def pack(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> bytes:
    """One safetensors file."""
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    return save(plain, metadata={_HEADER: json.dumps(header, sort_keys=True)})


def to_half_if_lossless(value: Tensor) -> Tensor:
    """As float16 where that loses nothing, else as it is: half the bytes for what was rounded when it was made."""
    half = value.half()
    return half if torch.equal(half.to(value.dtype), value) else value


def to_float32(value: Tensor) -> Tensor:
    """What `shortest` made short, as float32 again."""
    return value.float() if value.dtype == torch.float16 else value


def unpack(blob: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header; raises IntegrityFailure for another file or a number that is not finite."""
    try:
        tensors = load(blob)
        length = int.from_bytes(blob[:8], "little")
        header = json.loads(json.loads(blob[8 : 8 + length])["__metadata__"][_HEADER])
    except (SafetensorError, ValueError, KeyError, TypeError) as exc:
        raise IntegrityFailure("The artifact is no readable safetensors file of ours.") from exc
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise IntegrityFailure(f"The artifact's tensor {name} holds numbers that are not finite.")
    return tensors, header
