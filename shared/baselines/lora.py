"""The baselines that train an adapter (Hu et al. 2022, package `peft`) on all linear layers of the decoder blocks.

The adapter is attached to the model in place, so that an engine asks the trained model without further steps. The base
weights are never written; detaching the adapter restores the base model bit for bit. The vision tower stays frozen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from peft import LoraConfig
from peft.tuners.lora import LoraModel
from torch import Tensor, nn

from shared.baselines.base import Cost, Progress, Settings, Unlearned, require_examples
from shared.baselines.cost import Meter
from shared.baselines.model_parts import linear_layers, trainable_only
from shared.baselines.training import batches, descend
from shared.vlm.engine import Engine
from shared.vlm.teacher_forcing import Example, TeacherForcedBatch, TeacherForcedOutput

ADAPTER = "unlearning"


class LossContext:
    """The model in training, and the base model inside it (without the adapter)."""

    def __init__(self, engine: Engine, tuner: Any) -> None:
        self._engine, self._tuner = engine, tuner

    def now(self, batch: TeacherForcedBatch) -> TeacherForcedOutput:
        """The model's output for the batch; differentiable."""
        return batch.forward(self._engine)

    def before(self, batch: TeacherForcedBatch) -> TeacherForcedOutput:
        """The base model's output for the batch, without a gradient."""
        self._tuner.disable_adapter_layers()
        try:
            with torch.no_grad():
                return batch.forward(self._engine)
        finally:
            self._tuner.enable_adapter_layers()


Loss = Callable[[LossContext, TeacherForcedBatch, TeacherForcedBatch | None], Tensor]


@dataclass(frozen=True)
class LoraBaseline:
    """A method that is defined by its loss: of a forget batch and, where `needs_retain`, of a retain batch."""

    name: str
    loss: Loss
    needs_retain: bool
    knob: Literal["learning_rate", "share"] = "learning_rate"
    span: tuple[float, float] = (1e-5, 1e-2)

    def unlearn(
        self,
        engine: Engine,
        forget: Sequence[Example],
        retain: Sequence[Example],
        settings: Settings,
        progress: Progress | None = None,
    ) -> Unlearned:
        """See `Baseline`."""
        require_examples(forget, retain, needs_retain=self.needs_retain)
        with engine.lock:
            meter = Meter(engine.vlm.device)
            adapter = attach_adapter(engine, settings)
            weights = adapter.weights
            try:
                context = LossContext(engine, adapter.tuner)
                forget_batches = batches(engine, forget, settings, "forget")
                retain_batches = batches(engine, retain, settings, "retain")
                losses = descend(
                    self.name,
                    list(weights.values()),
                    lambda: self.loss(
                        context, next(forget_batches), next(retain_batches) if self.needs_retain else None
                    ),
                    settings,
                    progress,
                )
            except BaseException:
                adapter.detach()
                raise
            for weight in weights.values():
                weight.requires_grad_(False)
                weight.grad = None
        artifact: dict[str, Tensor] = {name: weight.detach() for name, weight in weights.items()}
        size = sum(value.nbytes for value in artifact.values())
        how = "detach the adapter; the base weights were never written"
        cost = Cost(meter.seconds(), meter.peak(), meter.added(), size, reversible=True, how=how)
        return Unlearned(self.name, cost, artifact, losses, adapter.detach)


@dataclass(frozen=True)
class AttachedAdapter:
    """An adapter in a model: peft's tuner, the adapter's weights by name, and how to detach it."""

    tuner: Any
    weights: dict[str, nn.Parameter]
    detach: Callable[[], None]


def attach_adapter(engine: Engine, settings: Settings) -> AttachedAdapter:
    """Attach an untrained adapter, which changes nothing yet; raises BadInput where the model already has one."""
    model = engine.vlm.model
    names = list(linear_layers(engine.vlm, "language"))
    restore_gradients = trainable_only(model, [])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, lora_dropout=0.0, target_modules=names)
        tuner = LoraModel(model, config, ADAPTER)
    weights = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}

    def detach() -> None:
        with engine.lock:
            tuner.unload()
            restore_gradients()

    return AttachedAdapter(tuner, weights, detach)
