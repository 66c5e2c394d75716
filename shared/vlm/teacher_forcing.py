"""Teacher forcing: prompts followed by given answers, and how likely the model finds those answers.

Losses count the answer's tokens and its end token, never the prompt or padding. Differentiable; trains nothing itself.
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
    """Next-token `logits` [B, W, V] (float32) over the answers `targets` [B, W], which count where `answer_mask`."""

    logits: Tensor
    targets: Tensor
    answer_mask: Tensor

    def nll(self) -> Tensor:
        """Mean negative log-likelihood of an answer token in nats, a scalar."""
        return F.cross_entropy(self.logits.flatten(0, 1), self.targets.masked_fill(~self.answer_mask, -100).flatten())

    def log_likelihood(self) -> Tensor:
        """log P(answer | prompt) of each row in nats, summed over its tokens: [B]."""
        likely = self.logits.log_softmax(-1).gather(2, self.targets[..., None])[..., 0]
        return (likely * self.answer_mask).sum(dim=1)


@dataclass(frozen=True)
class TeacherForcedBatch:
    """Prompts, each followed by its answer without the end token, padded on the left: all end in the same column.

    `last_prompt_token` [B]: the column of each prompt's last token. `targets` [B, W]: the answers with their end token,
    aligned at the end; they count where `answer_mask` [B, W]. `token_mask` [B, T] is false for padding.
    """

    inputs: dict[str, Tensor]
    last_prompt_token: Tensor
    targets: Tensor
    answer_mask: Tensor
    token_mask: Tensor

    def forward(self, engine: Engine) -> TeacherForcedOutput:
        """One forward pass without a cache; differentiable."""
        with engine.lock:
            out = engine.vlm.model(**self.inputs, use_cache=False, logits_to_keep=self.targets.shape[1])
        return TeacherForcedOutput(out.logits.float(), self.targets, self.answer_mask)


def teacher_forced_batch(engine: Engine, examples: Sequence[Example]) -> TeacherForcedBatch:
    """The batch of these examples; raises BadInput for one that does not fit into the model."""
    encoded = engine.vlm.adapter.encode([example.prompt for example in examples])
    return batch_of_encoded(engine, encoded, [example.answer for example in examples])


def batch_of_encoded(engine: Engine, encoded: Sequence[Encoded], answers: Sequence[str]) -> TeacherForcedBatch:
    """`teacher_forced_batch` for prompts that are encoded already."""
    vlm = engine.vlm
    words = [[*vlm.tokenizer.encode(answer, add_special_tokens=False), engine.end_token] for answer in answers]
    whole = [
        replace(prompt, ids=torch.cat([prompt.ids, torch.tensor(tokens[:-1], dtype=prompt.ids.dtype)]))
        for prompt, tokens in zip(encoded, words, strict=True)
    ]
    longest = max(len(prompt.ids) for prompt in whole) + 1
    if longest > vlm.adapter.context:
        raise BadInput(f"Prompt and answer need {longest} tokens; the model has {vlm.adapter.context}.")
    width = max(len(tokens) for tokens in words)
    targets = torch.tensor([[engine.end_token] * (width - len(tokens)) + tokens for tokens in words], device=vlm.device)
    lengths = torch.tensor([len(tokens) for tokens in words], device=vlm.device)
    answer_mask = torch.arange(width, device=vlm.device)[None] >= width - lengths[:, None]
    inputs = vlm.adapter.inputs(whole)
    ids = inputs["input_ids"]
    token_mask = inputs.get("attention_mask", torch.ones_like(ids)).bool()
    return TeacherForcedBatch(inputs, ids.shape[1] - lengths, targets, answer_mask, token_mask)
