"""KL_Min: gradient ascent on the forget set while the retain set's distributions stay (Nguyen et al. 2020; eq. 19)."""

from torch import Tensor

from shared.baselines.lora import LoraBaseline, LossContext
from shared.vlm.teacher_forcing import TeacherForcedBatch, TeacherForcedOutput


def loss(context: LossContext, forget: TeacherForcedBatch, retain: TeacherForcedBatch | None) -> Tensor:
    """-NLL(forget) + KL(model || base model) on the retain set."""
    assert retain is not None
    return -context.now(forget).nll() + divergence(context.now(retain), context.before(retain))


def divergence(now: TeacherForcedOutput, before: TeacherForcedOutput) -> Tensor:
    """KL(P || P₀) over the vocabulary, in the direction that the paper prints; mean over answer tokens."""
    log_p, log_q = now.logits.log_softmax(-1), before.logits.log_softmax(-1)
    per_token = (log_p.exp() * (log_p - log_q)).sum(-1)
    return per_token[now.answer_mask].mean()


KL_MIN = LoraBaseline("KL_Min", loss, needs_retain=True)
