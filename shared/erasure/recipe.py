"""The recipe: every choice of the method, frozen, with a digest. Holds no tensors."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from shared.errors import BadInput

Placement = Literal["broadcast", "last", "hold"]
Gate = Literal["linear", "prototype", "identity", "always", "mlp"]
Direction = Literal["closed", "text", "refined"]  # text: the closed form from pairs without pictures
STORED_NAMES: Final = {"check_answers": "watch", "redact": "blind"}  # in manifests and digests
LATER_FIELDS: Final = ("read_text", "counterfactual")  # left out where they are off: older digests stay


@dataclass(frozen=True)
class Recipe:
    """How an eraser is made and acts. None for layers means all of the site; shares and levels are in 0..1."""

    name: str
    gate: Gate
    placement: Placement
    direction: Direction
    strength: float  # λ: the steering vector in units of the direction
    layers: tuple[int, ...] | None = None  # block indices that are steered
    gate_layers: tuple[int, ...] | None = None  # block indices that the gate reads
    rho: float = 0.5  # linear: share of the d directions that are kept as null space
    gamma: float = 1e-2  # linear: ridge; relative to trace(HᵀPH)/n unless `gamma_absolute`
    gamma_absolute: bool = False
    prototypes: int = 96  # prototype: most of them per ticket and layer
    neighbours: int = 3  # prototype: the score is the mean cosine to so many nearest prototypes
    shrinkage: float = 0.02  # prototype: of the whitener
    whitener_rank: int = 256  # prototype: directions kept of the retain covariance
    harmless_weight: float = 0.0  # prototype: of the similarity to the ticket's harmless questions
    false_positive_rate: float = 0.01  # of all calibration prompts, for the whole decision
    margin: float = 0.5  # 0..1: how far thresholds are raised from the calibrated bound towards a ticket's own scores
    identity_shrinkage: float = 0.3  # identity: of both whiteners' eigenvalues towards their mean
    check_answers: bool = False  # identity: read the names in the answer too, before it is given; stored as `watch`
    redact: bool = False  # identity: ask what fires again with a placeholder for the person; stored as `blind`
    refine_steps: int = 160  # refined: Adam steps
    match: float = 0.03  # refined: weight of the squared gap (in nats) between answers of a stranger and steered ones
    pgd_steps: int = 20  # closed: sign steps of 2.5 ε / steps
    epsilon: float = 16 / 255  # closed: l_inf radius, in pixel values 0..1
    mlp_width: int = 64  # mlp: hidden units
    mlp_steps: int = 300  # mlp: Adam steps over all activations at once
    read_text: bool = False  # identity: names and facts are read as text too (gates/text.py)
    counterfactual: bool = False  # identity: the second pass is steered only where it is not sure of its answer
    fixed_text: str | None = None  # answer of every fired request, word for word; nothing is steered then

    @property
    def digest(self) -> str:
        """sha256 (hex) over all choices."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()

    @property
    def decides(self) -> bool:
        """Whether one decision is made for each request before anything is steered (docs/adr/0001)."""
        return self.gate in ("prototype", "identity") or self.fixed_text is not None

    def as_json(self) -> dict[str, Any]:
        """Plain values by their stored names, as in a manifest."""
        return {
            STORED_NAMES.get(name, name): list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if name not in LATER_FIELDS or value
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Recipe":
        """Back from a manifest; raises BadInput for an unknown field."""
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


# Equation 13 as published: a linear gate at each layer, steering at every prompt position. λ, γ and ε are the paper's.
# It does not state ρ and the number of PGD steps: those are ours.
PAPER: Final = Recipe(
    name="paper", gate="linear", placement="broadcast", direction="closed", strength=0.3, gamma=1.0, gamma_absolute=True
)
# Decide, then steer: the gate reads whom a prompt is about where it says so.
LACUNA: Final = Recipe(
    name="lacuna",
    gate="identity",
    placement="hold",
    direction="refined",
    strength=1.0,
    margin=0.75,
    check_answers=True,
    redact=True,
    read_text=True,
    counterfactual=True,
)
# What `lacuna` replaced: nearest prototypes at the last prompt token. Kept for comparison.
PROTOTYPE: Final = Recipe(name="prototype", gate="prototype", placement="last", direction="refined", strength=1.0)
