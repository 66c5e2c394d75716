"""Named tensors to bytes and back: safetensors with a JSON header, never pickle."""

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
    """As float16 where that loses nothing, else unchanged: half the bytes for values that were rounded before."""
    half = value.half()
    return half if torch.equal(half.to(value.dtype), value) else value


def to_float32(value: Tensor) -> Tensor:
    """The inverse of `to_half_if_lossless` for float32 values."""
    return value.float() if value.dtype == torch.float16 else value


def unpack(blob: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header; raises IntegrityFailure for a file of another kind or a value that is not finite."""
    try:
        tensors = load(blob)
        length = int.from_bytes(blob[:8], "little")
        header = json.loads(json.loads(blob[8 : 8 + length])["__metadata__"][_HEADER])
    except (SafetensorError, ValueError, KeyError, TypeError) as exc:
        raise IntegrityFailure("The artifact is not a readable safetensors file with a Lacuna header.") from exc
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise IntegrityFailure(f"The artifact's tensor {name} holds values that are not finite.")
    return tensors, header
