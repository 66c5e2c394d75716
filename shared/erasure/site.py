"""The site: the one place where activations are captured, gates are read and steering vectors are added.

It is the residual stream at the OUTPUT of decoder block l (before the final norm), at the last prompt token, under the
chat template with its generation prompt. It is written into every manifest and checked. Knows digests only, no model.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from shared.errors import SiteMismatch


@dataclass(frozen=True)
class Site:
    """`layers` are block indices from 0. The digests are sha256 (hex) of weights, chat template and processor."""

    layers: tuple[int, ...]
    hidden_size: int
    base_model: str
    template: str
    processor: str
    dtype: str

    @property
    def digest(self) -> str:
        """sha256 (hex) over all fields."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()

    def check(self, other: "Site") -> None:
        """Raise SiteMismatch, naming what differs, unless `other` is the very same site."""
        mine, theirs = self.as_json(), other.as_json()
        differing = [name for name in mine if mine[name] != theirs[name]]
        if differing:
            raise SiteMismatch(f"The eraser was made for another site: {', '.join(differing)} differ.")

    def as_json(self) -> dict[str, Any]:
        """Plain values, as in a manifest."""
        return asdict(self) | {"layers": list(self.layers)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Site":
        """Back from a manifest; raises SiteMismatch where a field is missing."""
        try:
            return cls(**{**values, "layers": tuple(values["layers"])})
        except (TypeError, KeyError) as exc:
            raise SiteMismatch("The manifest does not say where the eraser acts.") from exc
