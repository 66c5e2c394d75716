"""GA_Diff: gradient ascent on the forget set, descent on the retain set (Liu et al. 2022; equation 18)."""

from torch import Tensor

from shared.baselines.lora import Asking, LoraBaseline
from shared.vlm.teaching import Lesson


def loss(asking: Asking, forget: Lesson, retain: Lesson | None) -> Tensor:
    """-NLL(forget) + NLL(retain)."""
    assert retain is not None
    return -asking.now(forget).nll() + asking.now(retain).nll()


GA_DIFF = LoraBaseline("GA_Diff", loss, needs_retain=True)
