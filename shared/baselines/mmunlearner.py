"""MMUnlearner: gradient ascent on those weights only that matter more to what goes than to what stays.

Huo et al. 2025 (arXiv 2502.11051): a weight may move where its gradient on the forget set is at least `threshold` times
that on the set to be preserved. Trains the base weights themselves, no adapter. The article preserves what is known of
the forgotten in words and takes away what is known by picture; here, as a person who asks to be forgotten wants both,
the caller's two sets decide: put the questions by name into `retain` to have the article's division.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from shared.baselines.base import Cost, Progress, Settings, Unlearned, require_examples
from shared.baselines.cost import Meter
from shared.baselines.model_parts import Part, linear_layers, trainable_only
from shared.baselines.training import batches, descend
from shared.vlm.engine import Engine
from shared.vlm.teacher_forcing import Example


@dataclass(frozen=True)
class MMUnlearner:
    """`parts`: which linear layers take a mask; the article's published default is the language model."""

    name: str = "MMUnlearner"
    parts: tuple[Part, ...] = ("language",)
    threshold: float = 1.0
    knob: Literal["learning_rate", "share"] = "learning_rate"
    span: tuple[float, float] = (1e-6, 1e-3)

    def unlearn(
        self,
        engine: Engine,
        forget: Sequence[Example],
        retain: Sequence[Example],
        settings: Settings,
        progress: Progress | None = None,
    ) -> Unlearned:
        """See `Baseline`. Minimises -NLL(forget) + NLL(retain) over the masked weights."""
        require_examples(forget, retain, needs_retain=True)
        with engine.lock:
            meter = Meter(engine.vlm.device)
            layers = {name: layer for part in self.parts for name, layer in linear_layers(engine.vlm, part).items()}
            weights: dict[str, Tensor] = {f"{name}.weight": layer.weight for name, layer in layers.items()}
            kept = {name: weight.detach().clone() for name, weight in weights.items()}
            back = trainable_only(engine.vlm.model, list(weights.values()))
            undo = _undoing(engine, weights, kept, back)
            try:
                masks = self.masks(engine, list(weights.values()), forget, retain, settings, progress)
                forgetting = batches(engine, forget, settings, "forget")
                keeping = batches(engine, retain, settings, "retain")
                losses = descend(
                    self.name,
                    list(weights.values()),
                    lambda: -next(forgetting).forward(engine).nll() + next(keeping).forward(engine).nll(),
                    settings,
                    progress,
                    masks=masks,
                )
            except BaseException:
                undo()
                raise
            back()
        artifact = {
            key: value
            for (name, weight), mask in zip(weights.items(), masks, strict=True)
            for key, value in ((f"{name}.values", weight.detach()[mask]), (f"{name}.mask", _packed(mask)))
        }
        size = sum(value.nbytes for value in artifact.values())
        copied = sum(value.nbytes for value in kept.values())
        how = f"only from a copy of the {copied:,} bytes of weights that it writes over"
        cost = Cost(meter.seconds(), meter.peak(), meter.added(), size, reversible=True, how=how)
        return Unlearned(self.name, cost, artifact, losses, undo)

    def masks(
        self,
        engine: Engine,
        weights: Sequence[Tensor],
        forget: Sequence[Example],
        retain: Sequence[Example],
        settings: Settings,
        progress: Progress | None = None,
    ) -> list[Tensor]:
        """One a weight, true where the root mean square of its gradient over the forget batches is large enough."""
        count = ceil(len(forget) / settings.batch)
        going = self._saliency(engine, weights, forget, count, settings, progress, "forget")
        staying = self._saliency(engine, weights, retain, count, settings, progress, "retain")
        return [(one > 0) & (one >= self.threshold**2 * other) for one, other in zip(going, staying, strict=True)]

    def _saliency(
        self,
        engine: Engine,
        weights: Sequence[Tensor],
        examples: Sequence[Example],
        count: int,
        settings: Settings,
        progress: Progress | None,
        which: str,
    ) -> list[Tensor]:
        """Mean squared gradient of the NLL over `count` batches: the diagonal of the empirical Fisher matrix."""
        totals = [torch.zeros_like(weight, dtype=torch.float32) for weight in weights]
        for done, taught in enumerate(islice(batches(engine, examples, settings, f"{which} saliency"), count)):
            slopes = torch.autograd.grad(taught.forward(engine).nll(), list(weights), allow_unused=True)
            for total, slope in zip(totals, slopes, strict=True):
                if slope is not None:
                    total.add_(slope.float() ** 2 / count)
            if progress is not None:
                progress(f"{self.name}: saliency of the {which} set, batch {done + 1} of {count}")
        return totals


def _undoing(
    engine: Engine, weights: dict[str, Tensor], kept: dict[str, Tensor], back: Callable[[], None]
) -> Callable[[], None]:
    def undo() -> None:
        with engine.lock, torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(kept[name])
            back()

    return undo


def _packed(mask: Tensor) -> Tensor:
    """Eight places a byte."""
    return torch.from_numpy(np.packbits(mask.cpu().numpy()))


MMUNLEARNER = MMUnlearner()
