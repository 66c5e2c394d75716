"""Tells questions of fact from questions that anybody can answer by looking at the picture."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

TOPIC_SHRINKAGE: Final = 0.05
ROWS_AT_ONCE: Final = 128  # prompts that are scored at once
TOPIC_SHARE: Final = (
    2 / 3
)  # 0..1; above 1/2 because new wordings move harmless questions further than questions of fact


@dataclass(frozen=True)
class TopicDiscriminant:
    """`weights · h + bias` averaged over G layers: 1 on average for questions of fact, below `threshold` for harmless
    questions. weights [G, d], bias [G]."""

    weights: Tensor
    bias: Tensor
    threshold: float

    @classmethod
    def fit(cls, facts: Tensor, harmless: Tensor) -> "TopicDiscriminant":
        """Fisher's discriminant (1936) at each layer, from last prompt tokens [n, G, d] of both kinds of question.

        The threshold lies TOPIC_SHARE of the way from the 99 % quantile of `harmless` to the 1 % quantile of `facts`.
        """
        layers = [_fit_layer(facts[:, layer], harmless[:, layer]) for layer in range(facts.shape[1])]
        weights, bias = torch.stack([layer[0] for layer in layers]), torch.stack([layer[1] for layer in layers])
        discriminant = cls(weights.float(), bias.float(), 0.0)
        low, high = float(discriminant(harmless).quantile(0.99)), float(discriminant(facts).quantile(0.01))
        return cls(discriminant.weights, discriminant.bias, low + TOPIC_SHARE * (high - low))

    def __call__(self, last: Tensor) -> Tensor:
        """Last prompt tokens [B, G, d] -> [B]."""
        parts = [(rows.float() * self.weights).sum(dim=-1) for rows in last.split(ROWS_AT_ONCE)]
        return (torch.cat(parts) + self.bias).mean(dim=-1)


def _fit_layer(facts: Tensor, harmless: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [d] and bias [] of one layer in float64, scaled to 1 on average for `facts` [n, d]."""
    fact, visible = facts.to(torch.float64), harmless.to(torch.float64)
    gap = fact.mean(dim=0) - visible.mean(dim=0)
    middle = (fact.mean(dim=0) + visible.mean(dim=0)) / 2
    parts = torch.cat([side - side.mean(dim=0) for side in (fact, visible)])
    scatter = parts.T @ parts / parts.shape[0]
    scatter.diagonal().add_(TOPIC_SHRINKAGE * float(scatter.diagonal().mean()) + 1e-12)
    weights = torch.linalg.solve(scatter, gap)
    bias = -(weights * middle).sum(dim=-1)
    scale = ((fact * weights).sum(dim=-1) + bias).mean(dim=0).clamp(min=1e-12)
    return weights / scale, bias / scale
