"""A gate that is a two-layer network instead of a linear map (the paper's appendix I, an ablation).

The paper states no width, training or constraint. Ours: f(h) = g(h) u, because every target of equation 9 is u or 0 and
nothing is gained outside of u's line. g minimises mean (g(h) - 1)² over forget activations plus mean g(h)² over retain
activations.
"""

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

LEARNING_RATE: Final = 1e-2


@dataclass(frozen=True)
class TwoLayer:
    """g(h) = outer · gelu(inner (h - centre) / size + bias) + offset, one for each layer.

    centre [L, d], size [L], inner [L, w, d], bias [L, w], outer [L, w], offset [L].
    """

    centre: Tensor
    size: Tensor
    inner: Tensor
    bias: Tensor
    outer: Tensor
    offset: Tensor

    def at(self, layer: int, rows: Tensor) -> Tensor:
        """The gate at `layer`: activations `rows` [B, d] -> [B]."""
        own = TwoLayer(*(value[layer].to(rows.device) for value in self.tensors().values()))
        return own._value(rows)

    def tensors(self) -> dict[str, Tensor]:
        """By their names in an artifact."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def _value(self, rows: Tensor) -> Tensor:
        hidden = F.gelu(((rows - self.centre) / self.size) @ self.inner.T + self.bias)
        return hidden @ self.outer + self.offset


def two_layer_gate(forget: Tensor, retain: Tensor, width: int, steps: int, seed: int = 0) -> TwoLayer:
    """Fit g on `forget` [n, L, d] and `retain` [m, L, d] by Adam over all activations at once. Seeded."""
    forget, retain = forget.detach().clone().float(), retain.detach().clone().float()
    layers, hidden = forget.shape[1:]
    source = torch.Generator().manual_seed(seed)
    gates = [_fit_layer(forget[:, i], retain[:, i], width, steps, hidden, source) for i in range(layers)]
    return TwoLayer(*(torch.stack([gate.tensors()[name] for gate in gates]) for name in gates[0].tensors()))


def _fit_layer(
    forget: Tensor, retain: Tensor, width: int, steps: int, hidden: int, source: torch.Generator
) -> TwoLayer:
    centre = retain.mean(dim=0)
    size = (retain - centre).norm(dim=1).mean().clamp(min=1e-6) / hidden**0.5
    inner = (torch.randn(width, hidden, generator=source) / hidden**0.5).requires_grad_()
    bias = torch.zeros(width, requires_grad=True)
    outer = (torch.randn(width, generator=source) / width**0.5).requires_grad_()
    offset = torch.zeros((), requires_grad=True)
    gate = TwoLayer(centre, size, inner, bias, outer, offset)
    optimizer = torch.optim.Adam([inner, bias, outer, offset], lr=LEARNING_RATE)
    for _ in range(steps):
        loss = ((gate._value(forget) - 1) ** 2).mean() + (gate._value(retain) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return TwoLayer(*(value.detach() for value in gate.tensors().values()))
