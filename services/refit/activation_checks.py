"""Checks before statistics are computed: activations are finite, and they differ from prompt to prompt."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from shared.errors import BadInput

FLAT: Final = 1e-6  # spread relative to size: float32 keeps about 1e-7


class ActivationCheck:
    """Checks a stream of activations [n, L, d] batch by batch, without keeping them.

    `name` is the set that they come from and `layers` what L stands for (None: 0, 1, ...); error messages name them.
    A layer more than those is the input of the first block.
    """

    def __init__(self, name: str, layers: Sequence[int] | None = None) -> None:
        self._name, self._layers, self._count = name, layers, 0
        self._low: Tensor | None = None
        self._high: Tensor | None = None

    def take(self, batch: Tensor) -> Tensor:
        """Check one batch and return it unchanged; raises BadInput, naming the layers, for NaN or infinity."""
        finite = batch.isfinite().all(dim=-1).all(dim=0)
        if not bool(finite.all()):
            layers = self._named([place for place, good in enumerate(finite.tolist()) if not good])
            raise BadInput(
                f"The statistics cannot be computed: the model gives NaN or infinity on the {self._name} set "
                f"(layers {layers})."
            )
        if batch.shape[0]:
            low, high = batch.amin(dim=0), batch.amax(dim=0)
            self._low = low if self._low is None else torch.minimum(self._low, low)
            self._high = high if self._high is None else torch.maximum(self._high, high)
            self._count += batch.shape[0]
        return batch

    def end(self, *, may_be_empty: bool = False) -> None:
        """Raise BadInput where there was no prompt, or where a layer never varied: its covariance is singular."""
        if may_be_empty and not self._count:
            return
        if self._low is None or self._high is None:
            raise BadInput(f"The {self._name} set is empty: there is no prompt to compute statistics from.")
        spread = (self._high.double() - self._low.double()).amax(dim=-1)
        size = torch.maximum(self._high.abs(), self._low.abs()).double().amax(dim=-1).clamp(min=1e-300)
        flat = self._named([place for place, relative in enumerate((spread / size).tolist()) if relative < FLAT])
        if flat:
            raise BadInput(
                f"The statistics are singular: {self._count} {self._name} prompts look all the same at layers {flat}."
            )

    def _named(self, places: list[int]) -> list[int | str]:
        layers: list[int | str] = list(range(max(places, default=-1) + 1) if self._layers is None else self._layers)
        return [layers[place] if place < len(layers) else "input" for place in places]


def check_activations(name: str, activations: Tensor) -> None:
    """`ActivationCheck` for activations [n, L, d] that are all in memory."""
    check = ActivationCheck(name)
    check.take(activations)
    check.end()


def check_directions(directions: Tensor) -> None:
    """Raise BadInput where `directions` [L, d] are not finite, or zero at every layer."""
    if not bool(directions.isfinite().all()):
        raise BadInput("No direction can be computed: it comes out as NaN or infinity.")
    if not bool((directions.norm(dim=-1) > 0).any()):
        raise BadInput("No direction can be computed: what is refused and what is answered look the same to the model.")
