"""Tells questions of fact from questions that anybody can answer by looking at the picture."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

TOPIC_SHRINKAGE: Final = 0.05
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
        fact, visible = facts.to(torch.float64), harmless.to(torch.float64)
        gap = fact.mean(dim=0) - visible.mean(dim=0)
        middle = (fact.mean(dim=0) + visible.mean(dim=0)) / 2
        weights = torch.zeros_like(gap)
        for layer in range(gap.shape[0]):
            parts = torch.cat([side[:, layer] - side[:, layer].mean(dim=0) for side in (fact, visible)])
            scatter = parts.T @ parts / parts.shape[0]
            scatter.diagonal().add_(TOPIC_SHRINKAGE * float(scatter.diagonal().mean()) + 1e-12)
            weights[layer] = torch.linalg.solve(scatter, gap[layer])
        bias = -(weights * middle).sum(dim=-1)
        scale = ((fact * weights).sum(dim=-1) + bias).mean(dim=0).clamp(min=1e-12)
        discriminant = cls((weights / scale[:, None]).float(), (bias / scale).float(), 0.0)
        low, high = float(discriminant(harmless).quantile(0.99)), float(discriminant(facts).quantile(0.01))
        return cls(discriminant.weights, discriminant.bias, low + TOPIC_SHARE * (high - low))

    def __call__(self, last: Tensor) -> Tensor:
        """Last prompt tokens [B, G, d] -> [B]."""
        return ((last.float() * self.weights).sum(dim=-1) + self.bias).mean(dim=-1)
