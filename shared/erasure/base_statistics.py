"""What is computed once for a base model, its retain set and a recipe, and shared by all tickets."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from shared.erasure.eraser import LAST_RESORT, UNCERTAIN, ReleaseBounds
from shared.erasure.gates.identity_fit import IdentityStatistics
from shared.erasure.numerics.safetensors_io import pack, unpack
from shared.erasure.numerics.whitening import Whitener
from shared.errors import IntegrityFailure


@dataclass(frozen=True)
class BaseStatistics:
    """`directions` [L, d], and `decode_directions` [L, d] for generated tokens; `gated`: the G layers the gate reads.

    By gate, linear: `null`, bases [d, k] of the null spaces of G layers (float64). prototype: `whitener` over G layers,
    and `calibration` [c, G, d], whitened calibration prompts, each with the identity it speaks of. identity:
    `identity`, and in `identities` whom its known faces show. mlp: `retain` [n, G, d]. always: nothing more.
    """

    recipe: str
    gated: tuple[int, ...]
    directions: Tensor
    null: tuple[Tensor, ...] = ()
    whitener: Whitener | None = None
    calibration: Tensor | None = None
    identities: tuple[str, ...] = ()
    decode_directions: Tensor | None = None
    identity: IdentityStatistics | None = None
    retain: Tensor | None = None
    release: ReleaseBounds = UNCERTAIN  # identity
    last_resort: str = LAST_RESORT  # identity: see `Eraser`

    def to_bytes(self) -> bytes:
        """One safetensors file."""
        tensors = {"directions": self.directions}
        tensors |= {f"null.{i}": basis for i, basis in enumerate(self.null)}
        if self.whitener is not None and self.calibration is not None:
            w = self.whitener
            tensors |= {"mean": w.mean, "basis": w.basis, "scales": w.scales, "rest": w.rest}
            tensors["calibration"] = self.calibration
        if self.decode_directions is not None:
            tensors["held"] = self.decode_directions
        if self.identity is not None:
            tensors |= {f"identity.{name}": value for name, value in self.identity.tensors().items()}
        if self.retain is not None:
            tensors["retain"] = self.retain
        header = {"recipe": self.recipe, "gated": list(self.gated), "identities": list(self.identities)}
        if self.release != UNCERTAIN or self.last_resort != LAST_RESORT:
            header |= {"release": [self.release.silent, self.release.telling], "last_resort": self.last_resort}
        return pack(tensors, header)

    @classmethod
    def from_bytes(cls, blob: bytes) -> "BaseStatistics":
        """Back from bytes; raises IntegrityFailure for bytes that are not statistics."""
        tensors, header = unpack(blob)
        try:
            whitener = None
            if "basis" in tensors:
                whitener = Whitener(tensors["mean"], tensors["basis"], tensors["scales"], tensors["rest"])
            count = sum(name.startswith("null.") for name in tensors)
            return cls(
                recipe=header["recipe"],
                gated=tuple(header["gated"]),
                directions=tensors["directions"],
                null=tuple(tensors[f"null.{i}"] for i in range(count)),
                whitener=whitener,
                calibration=tensors.get("calibration"),
                identities=tuple(header["identities"]),
                decode_directions=tensors.get("held"),
                identity=_identity(tensors, tuple(header["identities"])),
                retain=tensors.get("retain"),
                release=ReleaseBounds(*header["release"]) if "release" in header else UNCERTAIN,
                last_resort=header.get("last_resort", LAST_RESORT),
            )
        except KeyError as exc:
            raise IntegrityFailure(f"The statistics lack {exc}.") from exc


def _identity(tensors: Mapping[str, Tensor], ids: tuple[str, ...]) -> IdentityStatistics | None:
    own = {name.removeprefix("identity."): value for name, value in tensors.items() if name.startswith("identity.")}
    return IdentityStatistics.from_tensors(own, ids) if own else None
