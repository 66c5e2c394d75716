"""MMUnlearner: gradient ascent on only those weights that matter more to the forget set than to the retain set.

Huo et al. 2025 (arXiv 2502.11051): a weight may change where its gradient on the forget set is at least `threshold`
times its gradient on the retain set. It trains the base weights themselves, without an adapter. The article keeps what
the model knows of the forgotten in words and removes what it knows by picture. A person who asks to be forgotten wants
both removed, so here the caller's two sets decide: put the questions by name into `retain` for the article's division.
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
    """`parts` says which linear layers take a mask; the article's published default is the language model."""

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
            original = {name: weight.detach().clone() for name, weight in weights.items()}
            restore_gradients = trainable_only(engine.vlm.model, list(weights.values()))
            undo = _restore(engine, weights, original, restore_gradients)
            try:
                masks = self.masks(engine, list(weights.values()), forget, retain, settings, progress)
                forget_batches = batches(engine, forget, settings, "forget")
                retain_batches = batches(engine, retain, settings, "retain")
                losses = descend(
                    self.name,
                    list(weights.values()),
                    lambda: -next(forget_batches).forward(engine).nll() + next(retain_batches).forward(engine).nll(),
                    settings,
                    progress,
                    masks=masks,
                )
            except BaseException:
                undo()
                raise
            restore_gradients()
        artifact = {
            key: value
            for (name, weight), mask in zip(weights.items(), masks, strict=True)
            for key, value in ((f"{name}.values", weight.detach()[mask]), (f"{name}.mask", _packed(mask)))
        }
        size = sum(value.nbytes for value in artifact.values())
        copied = sum(value.nbytes for value in original.values())
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
        """One mask for each weight: true where its gradient's root mean square on the forget set is large enough."""
        count = ceil(len(forget) / settings.batch)
        for_forget = self._saliency(engine, weights, forget, count, settings, progress, "forget")
        for_retain = self._saliency(engine, weights, retain, count, settings, progress, "retain")
        return [
            (forget_saliency > 0) & (forget_saliency >= self.threshold**2 * retain_saliency)
            for forget_saliency, retain_saliency in zip(for_forget, for_retain, strict=True)
        ]

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
        for done, batch in enumerate(islice(batches(engine, examples, settings, f"{which} saliency"), count)):
            gradients = torch.autograd.grad(batch.forward(engine).nll(), list(weights), allow_unused=True)
            for total, gradient in zip(totals, gradients, strict=True):
                if gradient is not None:
                    total.add_(gradient.float() ** 2 / count)
            if progress is not None:
                progress(f"{self.name}: saliency of the {which} set, batch {done + 1} of {count}")
        return totals


def _restore(
    engine: Engine, weights: dict[str, Tensor], original: dict[str, Tensor], restore_gradients: Callable[[], None]
) -> Callable[[], None]:
    """A function that writes the weights `original` back."""

    def undo() -> None:
        with engine.lock, torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(original[name])
            restore_gradients()

    return undo


def _packed(mask: Tensor) -> Tensor:
    """A mask as bytes, eight entries each."""
    return torch.from_numpy(np.packbits(mask.cpu().numpy()))


MMUNLEARNER = MMUnlearner()
