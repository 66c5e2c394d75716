"""MANU: modality-aware neuron pruning, without any training (Liu et al. 2025, arXiv 2502.15910).

Four figures say how important a neuron of a feed-forward network (in the blocks and in the vision tower) is to a set
of examples: the size of its activation, how often it is active, how much it varies, and its root mean square. Neurons
that are important to the forget set and not to the retain set, with pictures or with text alone, are set to zero.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from shared.baselines.base import Cost, Progress, Settings, Unlearned, require_examples
from shared.baselines.cost import Meter
from shared.baselines.model_parts import Part, linear_layers, neuron_layers
from shared.errors import BadInput
from shared.vlm.engine import Engine
from shared.vlm.teacher_forcing import Example, TeacherForcedBatch, teacher_forced_batch

EPSILON: Final = 1e-5  # published code: under the ratio
ACTIVE: Final = 0.1  # published code: a neuron counts as active beyond this


class ActivationMoments:
    """Streamed moments of the activations [positions, neurons] of one layer, in float64; memory is O(neurons)."""

    def __init__(self, neurons: int) -> None:
        self.count = 0
        self._sums = torch.zeros(4, neurons, dtype=torch.float64)  # of |a|, active, a, a²

    def add(self, states: Tensor) -> None:
        """Take in more positions [n, neurons]."""
        values = states.detach().double().cpu()
        self.count += len(values)
        terms = (values.abs(), (values.abs() > ACTIVE).double(), values, values**2)
        self._sums += torch.stack([term.sum(dim=0) for term in terms])

    def importance(self) -> Tensor:
        """I_abs, I_freq, I_var (a standard deviation) and I_rms: [4, neurons]."""
        size, active, mean, square = self._sums / max(self.count, 1)
        return torch.stack([size, active, (square - mean**2).clamp(min=0).sqrt(), square.sqrt()])


@dataclass(frozen=True)
class Manu:
    """`parts` says whose neurons may be pruned; both, as in the article."""

    name: str = "MANU"
    parts: tuple[Part, ...] = ("language", "vision")
    knob: Literal["learning_rate", "share"] = "share"
    span: tuple[float, float] = (1e-3, 0.3)

    def unlearn(
        self,
        engine: Engine,
        forget: Sequence[Example],
        retain: Sequence[Example],
        settings: Settings,
        progress: Progress | None = None,
    ) -> Unlearned:
        """See `Baseline`. Prunes `settings.share` of all neurons; deterministic without a seed."""
        require_examples(forget, retain, needs_retain=True)
        if not 0 < settings.share < 1:
            raise BadInput(f"The pruned share must lie between 0 and 1, not at {settings.share}.")
        with engine.lock:
            meter = Meter(engine.vlm.device)
            layers = {name: layer for part in self.parts for name, layer in neuron_layers(engine.vlm, part).items()}
            if not layers:
                raise BadInput("This model has no feed-forward network whose neurons could be pruned.")
            scores = self.scores(engine, layers, forget, retain, settings, progress)
            flat = torch.cat([scores[name] for name in layers])
            chosen = torch.zeros(len(flat), dtype=torch.bool)
            chosen[flat.argsort(descending=True, stable=True)[: max(1, round(settings.share * len(flat)))]] = True
            pruned = dict(zip(layers, chosen.split([len(scores[name]) for name in layers]), strict=True))
            original = {name: layers[name].weight.detach()[:, columns] for name, columns in pruned.items()}
            with torch.no_grad():
                for name, columns in pruned.items():
                    layers[name].weight[:, columns] = 0

        def undo() -> None:
            with engine.lock, torch.no_grad():
                for name, columns in pruned.items():
                    layers[name].weight[:, columns] = original[name]

        artifact = {f"{name}.neurons": columns.nonzero()[:, 0].int() for name, columns in pruned.items()}
        size = sum(value.nbytes for value in artifact.values())
        copied = sum(value.nbytes for value in original.values())
        how = f"only from a copy of the {copied:,} bytes of weights that it writes over"
        cost = Cost(meter.seconds(), meter.peak(), meter.added(), size, reversible=True, how=how)
        return Unlearned(self.name, cost, artifact, (), undo)

    def scores(
        self,
        engine: Engine,
        layers: dict[str, nn.Linear],
        forget: Sequence[Example],
        retain: Sequence[Example],
        settings: Settings,
        progress: Progress | None = None,
    ) -> dict[str, Tensor]:
        """By layer, [neurons]: Σ over modalities of mean_k I_k(forget) / (I_k(retain) + ε)."""
        totals = {name: torch.zeros(layer.in_features, dtype=torch.float64) for name, layer in layers.items()}
        reading = set(layers) & set(linear_layers(engine.vlm, "language"))
        for pictured in (True, False):
            to_forget = [example for example in forget if bool(example.prompt.images) == pictured]
            to_retain = [example for example in retain if bool(example.prompt.images) == pictured]
            if not to_forget:
                continue
            if not to_retain:
                raise BadInput(
                    "MANU compares questions of one kind: the retain set has no questions "
                    f"{'with' if pictured else 'without'} a picture, and the forget set has."
                )
            active = {name: layer for name, layer in layers.items() if pictured or name in reading}
            if progress is not None:
                progress(f"{self.name}: neurons {'with' if pictured else 'without'} pictures")
            for_forget = _importance(engine, active, reading, to_forget, settings)
            for_retain = _importance(engine, active, reading, to_retain, settings)
            for name in active:
                totals[name] += (for_forget[name] / (for_retain[name] + EPSILON)).mean(dim=0)
        return totals


def _importance(
    engine: Engine, layers: dict[str, nn.Linear], reading: set[str], examples: Sequence[Example], settings: Settings
) -> dict[str, Tensor]:
    moments = {name: ActivationMoments(layer.in_features) for name, layer in layers.items()}
    for at in range(0, len(examples), settings.batch):
        batch = teacher_forced_batch(engine, examples[at : at + settings.batch])
        with _neurons_read(layers, reading, moments, batch), torch.no_grad():
            batch.forward(engine)
    return {name: layer_moments.importance() for name, layer_moments in moments.items()}


@contextmanager
def _neurons_read(
    layers: dict[str, nn.Linear], reading: set[str], moments: dict[str, ActivationMoments], batch: TeacherForcedBatch
) -> Iterator[None]:
    """Add the inputs of these layers to their moments; layers in `reading` see tokens, and leave out the padding."""

    def hook_of(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hook(_: nn.Module, given: tuple[Any, ...]) -> None:
            states: Tensor = given[0]
            moments[name].add(states[batch.token_mask] if name in reading else states.flatten(0, -2))

        return hook

    with ExitStack() as stack:
        for name, layer in layers.items():
            stack.callback(layer.register_forward_pre_hook(hook_of(name)).remove)
        yield


MANU = Manu()
