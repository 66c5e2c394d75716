"""What a gate may look at in a batch of prompts that were read unsteered: last tokens, pictures, words, answers.

Made by the engine from one prefill, float32 on the CPU. Knows nothing of models, people or tickets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class RaggedRows:
    """`rows` [N, L, d], any number for each prompt: row n belongs to prompt `of[n]` ([N], ascending from 0)."""

    rows: Tensor
    of: Tensor

    @classmethod
    def none(cls, layers: int, hidden: int) -> "RaggedRows":
        """No row for any prompt."""
        return cls(torch.zeros(0, layers, hidden), torch.zeros(0, dtype=torch.long))

    def take(self, prompts: Sequence[int]) -> "RaggedRows":
        """The rows of these prompts, renumbered from 0 in the order given."""
        parts = [(self.of == prompt).nonzero()[:, 0] for prompt in prompts]
        of = torch.cat([torch.full_like(part, new) for new, part in enumerate(parts)]) if parts else self.of[:0]
        return RaggedRows(self.rows[torch.cat(parts)] if parts else self.rows[:0], of)

    def at(self, layers: Sequence[int]) -> "RaggedRows":
        """The same rows at some layers only."""
        return RaggedRows(self.rows[:, list(layers)], self.of)

    def best(self, scores: Tensor, count: int) -> Tensor:
        """The largest of a prompt's row `scores` [N, K] for each of `count` prompts, [count, K]; -1 without a row."""
        best = torch.full((count, scores.shape[1]), -1.0)
        return best.scatter_reduce_(0, self.of[:, None].expand_as(scores), scores, "amax")


@dataclass(frozen=True)
class Readout:
    """Block outputs of B prompts. `last` [B, L, d]: the last prompt token.

    `pictures`: one row for each picture, the mean over its tokens. `words`: the other prompt tokens, in order.
    `answer_tokens`: the tokens of the answer, where there is one.
    """

    last: Tensor
    pictures: RaggedRows
    words: RaggedRows
    answer_tokens: RaggedRows

    @classmethod
    def of_last(cls, last: Tensor) -> "Readout":
        """Last prompt tokens alone."""
        none = RaggedRows.none(*last.shape[1:])
        return cls(last, none, none, none)

    @classmethod
    def of_answers(cls, answer_tokens: RaggedRows, count: int) -> "Readout":
        """Answers alone, of `count` prompts."""
        shape = answer_tokens.rows.shape[1:]
        none = RaggedRows.none(*shape)
        return cls(torch.zeros(count, *shape), none, none, answer_tokens)

    @property
    def count(self) -> int:
        """How many prompts."""
        return self.last.shape[0]

    def take(self, prompts: Sequence[int]) -> "Readout":
        """These prompts, in the order given."""
        return Readout(
            self.last[list(prompts)],
            self.pictures.take(prompts),
            self.words.take(prompts),
            self.answer_tokens.take(prompts),
        )

    def at(self, layers: Sequence[int]) -> "Readout":
        """The same at some layers only."""
        if list(layers) == list(range(self.last.shape[1])):
            return self
        return Readout(
            self.last[:, list(layers)], self.pictures.at(layers), self.words.at(layers), self.answer_tokens.at(layers)
        )

    def with_answer_tokens(self, answer_tokens: RaggedRows) -> "Readout":
        """The same prompts with the tokens of their answers."""
        return replace(self, answer_tokens=answer_tokens)

    @classmethod
    def ordered(cls, parts: Sequence[tuple[Sequence[int], "Readout"]]) -> "Readout":
        """One readout from those of batches, each with the positions of its prompts in the whole."""
        order = torch.tensor([position for positions, _ in parts for position in positions]).argsort()
        return cls(
            torch.cat([part.last for _, part in parts])[order],
            _merged([(positions, part.pictures) for positions, part in parts]),
            _merged([(positions, part.words) for positions, part in parts]),
            _merged([(positions, part.answer_tokens) for positions, part in parts]),
        )


def _merged(parts: Sequence[tuple[Sequence[int], RaggedRows]]) -> RaggedRows:
    of = torch.cat([torch.tensor(list(positions))[part.of] for positions, part in parts])
    order = of.argsort(stable=True)
    return RaggedRows(torch.cat([part.rows for _, part in parts])[order], of[order])
