"""Finite and not flat."""

from typing import Final

import torch
from torch import Tensor

from shared.errors import BadInput

FLAT: Final = 1e-6  # spread over size: float32 keeps about 1e-7


class ActivationCheck:
    """Watches activations [n, L, d] pass, however many: they are finite, and not the same for all prompts."""

    def __init__(self, name: str) -> None:
        self._name, self._count = name, 0
        self._low: Tensor | None = None
        self._high: Tensor | None = None

    def take(self, batch: Tensor) -> Tensor:
        """`batch` as it is; raises BadInput, naming the layers, where a number of it is NaN or infinite."""
        finite = batch.isfinite().all(dim=-1).all(dim=0)
        if not bool(finite.all()):
            layers = [layer for layer, good in enumerate(finite.tolist()) if not good]
            raise BadInput(
                f"The statistics cannot be made: the model gives NaN or infinity on the {self._name} set "
                f"(layers {layers})."
            )
        if batch.shape[0]:
            low, high = batch.amin(dim=0), batch.amax(dim=0)
            self._low = low if self._low is None else torch.minimum(self._low, low)
            self._high = high if self._high is None else torch.maximum(self._high, high)
            self._count += batch.shape[0]
        return batch

    def end(self) -> None:
        """Raise BadInput where nothing passed, or a layer never varied: its covariance would be singular."""
        if self._low is None or self._high is None:
            raise BadInput(f"The {self._name} set is empty: there is no prompt to make statistics of.")
        spread = (self._high.double() - self._low.double()).amax(dim=-1)
        size = torch.maximum(self._high.abs(), self._low.abs()).double().amax(dim=-1).clamp(min=1e-300)
        flat = [layer for layer, one in enumerate((spread / size).tolist()) if one < FLAT]
        if flat:
            raise BadInput(
                f"The statistics are singular: {self._count} {self._name} prompts look all the same at layers {flat}."
            )


def check_activations(name: str, activations: Tensor) -> None:
    """`Sound` for activations that are all there."""
    sound = ActivationCheck(name)
    sound.take(activations)
    sound.end()


def check_directions(directions: Tensor) -> None:
    """Raise BadInput where `directions` [L, d] are not finite, or nowhere more than rounding."""
    if not bool(directions.isfinite().all()):
        raise BadInput("No direction can be made: it comes out as NaN or infinity.")
    if not bool((directions.norm(dim=-1) > 0).any()):
        raise BadInput("No direction can be made: what is refused and what is told look the same to the model.")
