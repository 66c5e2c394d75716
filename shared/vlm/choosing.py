"""Chooses the next token of each row: greedy or sampled, under OpenAI's settings."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from shared.vlm.generation import GenerationRequest


def choose(
    logits: Tensor, request: GenerationRequest, tokens: Sequence[Sequence[int]], generators: Sequence[torch.Generator]
) -> Tensor:
    """One token for each row of `logits` [B, V], as [B]; `tokens` are those that each row has so far.

    Greedy at temperature 0. Else drawn from the smallest set of tokens whose probabilities add up to `top_p`
    (Holtzman et al. 2020, nucleus sampling), each row from its own generator.
    """
    logits = penalised(logits, request, tokens)
    if request.temperature <= 0:
        return logits.argmax(dim=-1)
    probabilities = (logits.float() / request.temperature).softmax(dim=-1).cpu()
    if request.top_p < 1:
        probabilities = nucleus(probabilities, request.top_p)
    drawn = [torch.multinomial(row, 1, generator=own) for row, own in zip(probabilities, generators, strict=True)]
    return torch.cat(drawn).to(logits.device)


def penalised(logits: Tensor, request: GenerationRequest, tokens: Sequence[Sequence[int]]) -> Tensor:
    """The logits less the penalties for tokens that were said already (OpenAI, "Frequency and presence penalties")."""
    if not request.presence_penalty and not request.frequency_penalty:
        return logits
    logits = logits.clone()
    for row, own in enumerate(tokens):
        for token, times in Counter(own).items():
            logits[row, token] -= request.presence_penalty + request.frequency_penalty * times
    return logits


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """`probabilities` [B, V] with 0 outside of the smallest sets that reach `top_p`; the most likely token stays."""
    ordered, places = probabilities.sort(dim=-1, descending=True)
    outside = ordered.cumsum(dim=-1) - ordered >= top_p
    outside[:, 0] = False
    return probabilities.masked_fill(torch.zeros_like(outside).scatter(-1, places, outside), 0.0)
