"""NPO: negative preference optimisation (Zhang et al. 2024; equation 20). The retain set is not looked at.

The reference is the base model, as in Zhang et al.; a model that was trained on the retain set only, which the paper
speaks of, exists only where one can afford to train it.
"""

from functools import partial
from typing import Final

import torch.nn.functional as F
from torch import Tensor

from shared.baselines.lora import LoraBaseline, LossContext
from shared.vlm.teacher_forcing import TeacherForcedBatch

BETA: Final = 0.1  # Zhang et al. 2024, section 5


def loss(context: LossContext, forget: TeacherForcedBatch, _: TeacherForcedBatch | None, *, beta: float) -> Tensor:
    """2/β · mean log(1 + (π/π₀)^β) with π of whole answers. 2/β · log 2 at the start; never below nought."""
    ratio = context.now(forget).log_likelihood() - context.before(forget).log_likelihood()
    return 2 / beta * F.softplus(beta * ratio).mean()


NPO = LoraBaseline("NPO", partial(loss, beta=BETA), needs_retain=False)
