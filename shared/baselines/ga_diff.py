"""GA_Diff: gradient ascent on the forget set, descent on the retain set (Liu et al. 2022; equation 18)."""

from torch import Tensor

from shared.baselines.lora import LoraBaseline, LossContext
from shared.vlm.teacher_forcing import TeacherForcedBatch


def loss(context: LossContext, forget: TeacherForcedBatch, retain: TeacherForcedBatch | None) -> Tensor:
    """-NLL(forget) + NLL(retain)."""
    assert retain is not None
    return -context.now(forget).nll() + context.now(retain).nll()


GA_DIFF = LoraBaseline("GA_Diff", loss, needs_retain=True)
