"""A tiny random LLaVA with the demo model's tokenizer, and erasers whose decision a test chooses."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import IdentityGate
from shared.erasure.gates.identity_fit import IdentityFit, IdentitySpaces
from shared.erasure.gates.prototype import TicketGate
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.recipe import PROTOTYPE
from shared.vlm.engine import Engine
from shared.vlm.loading import wrap
from training.optimization import new_model
from training.tokenizer import build_processor

LAYERS, HIDDEN = 2, 64


def tiny_engine() -> Engine:
    """LAYERS blocks of width HIDDEN, the same weights each time."""
    torch.manual_seed(0)
    processor = build_processor(900)
    return Engine(wrap(new_model(processor, layers=LAYERS, hidden=HIDDEN).eval(), processor))


def firing(engine: Engine, on: Tensor, threshold: float = 0.99, *, seed: int = 1, **changes: Any) -> Eraser:
    """An eraser whose only prototype is the activation `on` [L, d]: near 1 it fires for that prompt alone.

    `seed`: of its steering vector; `changes`: further fields of the eraser.
    """
    plain = Whitener(
        torch.zeros(LAYERS, HIDDEN), torch.zeros(LAYERS, HIDDEN, 1), torch.ones(LAYERS, 1), torch.ones(LAYERS)
    )
    gate = TicketGate("T-1", torch.nn.functional.normalize(on, dim=-1)[:, None], None)
    vector = torch.randn(LAYERS, HIDDEN, generator=torch.Generator().manual_seed(seed)) * 5
    recipe = replace(PROTOTYPE, neighbours=1)
    eraser = Eraser(recipe, engine.vlm.site, vector, (0, 1), ("T-1",), threshold, (gate,), plain)
    return replace(eraser, **changes)


def gate_that_recognises_nobody(tickets: tuple[str, ...], width: int) -> IdentityGate:
    """An identity gate of one layer: whatever an eraser with it finds, it finds in the text."""
    plain = Whitener(torch.zeros(1, width), torch.zeros(1, width, 1), torch.ones(1, 1), torch.ones(1))
    nobody = IdentityFit(
        torch.zeros(0, 1, width), torch.zeros(0, 4, 1, width), torch.zeros(0).long(), torch.zeros(0).long(),
        torch.ones(2),
    )  # fmt: skip
    bounds = torch.full((len(tickets), 2), 2.0)
    spaces = IdentitySpaces(plain, plain, None)
    return IdentityGate(tickets, (nobody,) * len(tickets), bounds, bounds, spaces, bounds)
