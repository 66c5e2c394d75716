"""How an eraser is made: every choice of the method in one frozen, digestible place. Holds no tensors."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from shared.errors import BadInput

Placement = Literal["broadcast", "last", "hold"]
Gate = Literal["linear", "prototype", "identity", "always", "mlp"]
Direction = Literal["closed", "text", "refined"]  # text: the closed form from pairs without pictures
STORED_NAMES: Final = {"check_answers": "watch", "redact": "blind"}  # fields of manifests and digests, and so for ever


@dataclass(frozen=True)
class Recipe:
    """`None` for layers means all of the site. Shares and levels are in 0..1; lengths are in units of the direction."""

    name: str
    gate: Gate
    placement: Placement
    direction: Direction
    strength: float
    layers: tuple[int, ...] | None = None  # steered, by block index
    gate_layers: tuple[int, ...] | None = None  # read, by block index
    rho: float = 0.5  # linear: share of directions kept as null space
    gamma: float = 1e-2  # linear: ridge; relative to trace(HᵀPH)/n unless `gamma_absolute`
    gamma_absolute: bool = False
    prototypes: int = 96  # prototype: most rows per ticket and layer
    neighbours: int = 3  # prototype: nearest rows whose mean cosine is the score
    shrinkage: float = 0.02  # prototype: of the whitener
    whitener_rank: int = 256  # prototype: directions kept of the retain covariance
    harmless_weight: float = 0.0  # prototype: weight of the likeness to the ticket's harmless questions
    false_positive_rate: float = 0.01  # of all calibration prompts, for the whole decision
    margin: float = 0.5  # how far the threshold is raised towards the tickets' own probes
    identity_shrinkage: float = 0.3  # identity: of both whiteners
    check_answers: bool = False  # identity: read the names in the answer too, before it is given; stored as `watch`
    redact: bool = False  # identity: ask what fires again with a placeholder for the person; stored as `blind`
    refine_steps: int = 160  # refined: Adam steps
    match: float = 0.03  # refined: weight of answers being as likely as of a stranger (squared nats)
    pgd_steps: int = 20  # closed: sign steps of 2.5 ε / steps
    epsilon: float = 16 / 255  # closed: l_inf radius, in pixel values 0..1
    mlp_width: int = 64  # mlp: hidden units
    mlp_steps: int = 300  # mlp: Adam steps over all rows
    fixed_text: str | None = None  # what a fired request is answered, word for word; nothing is steered then

    @property
    def digest(self) -> str:
        """sha256 (hex) over all choices."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()

    @property
    def decides(self) -> bool:
        """Whether one decision is made per request before anything is steered (method.md, section 7)."""
        return self.gate in ("prototype", "identity") or self.fixed_text is not None

    def as_json(self) -> dict[str, Any]:
        """Plain values by their stored names, as in a manifest."""
        return {
            STORED_NAMES.get(name, name): list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Recipe":
        """Back from a manifest; raises BadInput for a field that is not known."""
        fields = {stored: name for name, stored in STORED_NAMES.items()}
        try:
            given: dict[str, Any] = {
                fields.get(stored, stored): tuple(value) if isinstance(value, list) else value
                for stored, value in values.items()
            }
            return cls(**given)
        except TypeError as exc:
            raise BadInput(f"This recipe is not understood: {exc}.") from exc

    @classmethod
    def named(cls, name: str) -> "Recipe":
        """`paper`, `lacuna` or `prototype`; raises BadInput for another name."""
        for recipe in (PAPER, LACUNA, PROTOTYPE):
            if recipe.name == name:
                return recipe
        raise BadInput(f'There is no recipe "{name}"; there are "paper", "lacuna" and "prototype".')


# Equation 13 as published: gate linear in each layer, added at every prompt position. λ, γ and ε are the paper's;
# ρ and the PGD steps, which it does not state, are ours.
PAPER: Final = Recipe(
    name="paper", gate="linear", placement="broadcast", direction="closed", strength=0.3, gamma=1.0, gamma_absolute=True
)
# Decide, then steer (method.md, sections 5 and 7): who is meant is read where it is said.
LACUNA: Final = Recipe(
    name="lacuna",
    gate="identity",
    placement="hold",
    direction="refined",
    strength=1.0,
    margin=0.75,
    check_answers=True,
    redact=True,
)
# The gate that `lacuna` replaced: nearest probes at the last prompt token. Kept for comparison.
PROTOTYPE: Final = Recipe(name="prototype", gate="prototype", placement="last", direction="refined", strength=1.0)
