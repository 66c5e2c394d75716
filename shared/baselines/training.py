"""The training loop of the baselines: seeded batches, AdamW, clipped gradients, and a clear error for a NaN loss.

It knows neither what is trained nor which loss is minimised.
"""

import random
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from shared.baselines.base import Progress, Settings
from shared.errors import Diverged
from shared.vlm.engine import Engine
from shared.vlm.teacher_forcing import Example, TeacherForcedBatch, teacher_forced_batch


def batches(engine: Engine, examples: Sequence[Example], settings: Settings, salt: str) -> Iterator[TeacherForcedBatch]:
    """Endless batches: every example once a pass, in an order that `settings.seed` and `salt` determine."""
    rng = random.Random(f"{settings.seed}/{salt}")
    queue: list[Example] = []
    while True:
        while len(queue) < min(settings.batch, len(examples)):
            queue += rng.sample(list(examples), len(examples))
        yield teacher_forced_batch(engine, queue[: settings.batch])
        queue = queue[settings.batch :]


def descend(
    name: str,
    parameters: Sequence[Tensor],
    loss_of: Callable[[], Tensor],
    settings: Settings,
    progress: Progress | None,
    *,
    masks: Sequence[Tensor] | None = None,
) -> list[float]:
    """Take `settings.steps` steps of AdamW (no decay) and return the losses.

    `loss_of` computes the loss of the next batch. `masks`, one for each parameter, say which entries may change.
    Raises Diverged where a loss is not a number.
    """
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=0.0)
    losses: list[float] = []
    for step in range(settings.steps):
        loss = loss_of()
        losses.append(float(loss.detach()))
        if not torch.isfinite(loss):
            raise Diverged(
                f"{name} diverged at step {step + 1}: its loss is {losses[-1]}. "
                f"The learning rate {settings.learning_rate:g} is too large for this model."
            )
        optimizer.zero_grad()
        loss.backward()
        for parameter, mask in zip(parameters, masks or [], strict=masks is not None):
            if parameter.grad is not None:
                parameter.grad *= mask
        torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
        optimizer.step()
        if progress is not None:
            progress(f"{name}: step {step + 1} of {settings.steps}, loss {losses[-1]:.3f}")
    return losses
