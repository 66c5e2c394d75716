"""GA: gradient ascent on what is to be forgotten (Thudi et al. 2022; equation 17). It does not use the retain set."""

from torch import Tensor

from shared.baselines.lora import LoraBaseline, LossContext
from shared.vlm.teacher_forcing import TeacherForcedBatch


def loss(context: LossContext, forget: TeacherForcedBatch, _: TeacherForcedBatch | None) -> Tensor:
    """-NLL(forget): equation 17 with the sign under which it is minimised. Unbounded below."""
    return -context.now(forget).nll()


GA = LoraBaseline("GA", loss, needs_retain=False)
