"""Fact question or visible question."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

TOPIC_SHRINKAGE: Final = 0.05
TOPIC_SHARE: Final = 2 / 3  # of the way: unheard wordings move what is harmless further than what asks for a fact


@dataclass(frozen=True)
class TopicDiscriminant:
    """`(weights · h + bias)` averaged over G layers: 1 for questions of fact, on average, and below `threshold` for
    what anybody can see. weights [G, d], bias [G]."""

    weights: Tensor
    bias: Tensor
    threshold: float

    @classmethod
    def fit(cls, facts: Tensor, harmless: Tensor) -> "TopicDiscriminant":
        """Fisher's discriminant for each layer from last tokens [n, G, d]; the threshold lies TOPIC_SHARE of the way
        from one side to the other.

        The sides are the 99 % quantile of `harmless` and the 1 % quantile of `facts`.
        """
        told, seen = facts.to(torch.float64), harmless.to(torch.float64)
        gap = told.mean(dim=0) - seen.mean(dim=0)
        middle = (told.mean(dim=0) + seen.mean(dim=0)) / 2
        weights = torch.zeros_like(gap)
        for layer in range(gap.shape[0]):
            parts = torch.cat([side[:, layer] - side[:, layer].mean(dim=0) for side in (told, seen)])
            scatter = parts.T @ parts / parts.shape[0]
            scatter.diagonal().add_(TOPIC_SHRINKAGE * float(scatter.diagonal().mean()) + 1e-12)
            weights[layer] = torch.linalg.solve(scatter, gap[layer])
        bias = -(weights * middle).sum(dim=-1)
        scale = ((told * weights).sum(dim=-1) + bias).mean(dim=0).clamp(min=1e-12)
        topic = cls((weights / scale[:, None]).float(), (bias / scale).float(), 0.0)
        low, high = float(topic(harmless).quantile(0.99)), float(topic(facts).quantile(0.01))
        return cls(topic.weights, topic.bias, low + TOPIC_SHARE * (high - low))

    def __call__(self, last: Tensor) -> Tensor:
        """last [B, G, d] -> [B]."""
        return ((last.float() * self.weights).sum(dim=-1) + self.bias).mean(dim=-1)
