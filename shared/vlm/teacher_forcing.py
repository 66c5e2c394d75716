"""Teacher forcing: prompts with the answers that are laid into the model's mouth, and how likely it finds them.

Losses count answer tokens and the end only, never the prompt or padding. Differentiable; trains nothing by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.domain.prompts import Prompt
from shared.errors import BadInput
from shared.vlm.adapters.base import Encoded
from shared.vlm.engine import Engine


@dataclass(frozen=True)
class Example:
    """A prompt and the answer to it."""

    prompt: Prompt
    answer: str


@dataclass(frozen=True)
class TeacherForcedOutput:
    """What was said of the answers: `logits` [B, W, V] float32 for `wanted` [B, W], which count where `given`."""

    logits: Tensor
    wanted: Tensor
    given: Tensor

    def nll(self) -> Tensor:
        """Mean negative log-likelihood of an answer token, a scalar."""
        return F.cross_entropy(self.logits.flatten(0, 1), self.wanted.masked_fill(~self.given, -100).flatten())

    def log_likelihood(self) -> Tensor:
        """log P(answer | prompt) of each row, summed over its tokens: [B]."""
        likely = self.logits.log_softmax(-1).gather(2, self.wanted[..., None])[..., 0]
        return (likely * self.given).sum(dim=1)


@dataclass(frozen=True)
class TeacherForcedBatch:
    """A batch of prompts, each with its answer but for the end, padded on the left: all end at the same place.

    `starts` [B] are the places of the last prompt tokens; `seen` [B, T] is false for padding.
    """

    inputs: dict[str, Tensor]
    starts: Tensor
    wanted: Tensor
    given: Tensor
    seen: Tensor

    def ask(self, engine: Engine) -> TeacherForcedOutput:
        """One forward pass without a cache."""
        with engine.lock:
            out = engine.vlm.model(**self.inputs, use_cache=False, logits_to_keep=self.wanted.shape[1])
        return TeacherForcedOutput(out.logits.float(), self.wanted, self.given)


def lesson(engine: Engine, examples: Sequence[Example]) -> TeacherForcedBatch:
    """The batch of these examples; raises BadInput where one does not fit into the model."""
    rows = engine.vlm.adapter.encode([example.prompt for example in examples])
    return lesson_of(engine, rows, [example.answer for example in examples])


def lesson_of(engine: Engine, rows: Sequence[Encoded], answers: Sequence[str]) -> TeacherForcedBatch:
    """The same of prompts that are encoded already."""
    vlm = engine.vlm
    ends = vlm.model.generation_config.eos_token_id
    end = ends[0] if isinstance(ends, list) else ends
    words = [[*vlm.tokenizer.encode(answer, add_special_tokens=False), end] for answer in answers]
    whole = [
        replace(row, ids=torch.cat([row.ids, torch.tensor(tokens[:-1], dtype=row.ids.dtype)]))
        for row, tokens in zip(rows, words, strict=True)
    ]
    longest = max(len(row.ids) for row in whole) + 1
    if longest > vlm.adapter.context:
        raise BadInput(f"Prompt and answer need {longest} tokens; the model has {vlm.adapter.context}.")
    width = max(len(tokens) for tokens in words)
    wanted = torch.tensor([[end] * (width - len(tokens)) + tokens for tokens in words], device=vlm.device)
    lengths = torch.tensor([len(tokens) for tokens in words], device=vlm.device)
    given = torch.arange(width, device=vlm.device)[None] >= width - lengths[:, None]
    inputs = engine.inputs(whole)
    ids = inputs["input_ids"]
    seen = inputs.get("attention_mask", torch.ones_like(ids)).bool()
    return TeacherForcedBatch(inputs, ids.shape[1] - lengths, wanted, given, seen)
