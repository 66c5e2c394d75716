"""NPO: negative preference optimisation (Zhang et al. 2024; equation 20). It does not use the retain set.

The reference model is the base model, as in Zhang et al. The paper speaks of a model trained on the retain set only;
that exists only where somebody can afford to train it.
"""

from functools import partial
from typing import Final

import torch.nn.functional as F
from torch import Tensor

from shared.baselines.lora import LoraBaseline, LossContext
from shared.vlm.teacher_forcing import TeacherForcedBatch

BETA: Final = 0.1  # Zhang et al. 2024, section 5


def loss(context: LossContext, forget: TeacherForcedBatch, _: TeacherForcedBatch | None, *, beta: float) -> Tensor:
    """2/β · mean log(1 + (π/π₀)^β) π being the likelihood of an answer. 2/β · log 2 at first; never negative."""
    ratio = context.now(forget).log_likelihood() - context.before(forget).log_likelihood()
    return 2 / beta * F.softplus(beta * ratio).mean()


NPO = LoraBaseline("NPO", partial(loss, beta=BETA), needs_retain=False)
