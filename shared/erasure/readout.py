"""What a gate may look at in a batch of prompts, unsteered: last tokens, pictures, words. Ragged, float32, on the CPU.

Made by the engine from one prefill; knows nothing of models, people or tickets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class RaggedRows:
    """`rows` [N, L, d] belong to the prompts `of` [N] (places from 0, ascending)."""

    rows: Tensor
    of: Tensor

    @classmethod
    def none(cls, layers: int, hidden: int) -> "RaggedRows":
        """No row at all."""
        return cls(torch.zeros(0, layers, hidden), torch.zeros(0, dtype=torch.long))

    def take(self, places: Sequence[int]) -> "RaggedRows":
        """The rows of these prompts, renumbered from 0 in the order given."""
        parts = [(self.of == place).nonzero()[:, 0] for place in places]
        of = torch.cat([torch.full_like(part, new) for new, part in enumerate(parts)]) if parts else self.of[:0]
        return RaggedRows(self.rows[torch.cat(parts)] if parts else self.rows[:0], of)

    def best(self, scores: Tensor, count: int) -> Tensor:
        """Each prompt's largest of `scores` [N, K], [count, K]; -1 where it has no row."""
        best = torch.full((count, scores.shape[1]), -1.0)
        return best.scatter_reduce_(0, self.of[:, None].expand_as(scores), scores, "amax")


@dataclass(frozen=True)
class Readout:
    """B prompts. `last` [B, L, d]: the last prompt token, at each block's output.

    `pictures`: every picture's mean over its tokens. `words`: all other tokens in their order. `spoken`: the tokens of
    the answer, where one was made.
    """

    last: Tensor
    pictures: RaggedRows
    words: RaggedRows
    spoken: RaggedRows

    @classmethod
    def of_last(cls, last: Tensor) -> "Readout":
        """Last tokens alone."""
        none = RaggedRows.none(*last.shape[1:])
        return cls(last, none, none, none)

    @property
    def count(self) -> int:
        """How many prompts."""
        return self.last.shape[0]

    def take(self, places: Sequence[int]) -> "Readout":
        """These prompts, in the order given."""
        return Readout(
            self.last[list(places)], self.pictures.take(places), self.words.take(places), self.spoken.take(places)
        )

    def at(self, layers: Sequence[int]) -> "Readout":
        """The same at some layers only."""
        some = list(layers)
        if some == list(range(self.last.shape[1])):
            return self
        parts = (RaggedRows(one.rows[:, some], one.of) for one in (self.pictures, self.words, self.spoken))
        return Readout(self.last[:, some], *parts)

    def with_spoken(self, spoken: RaggedRows) -> "Readout":
        """The same prompts with what was answered."""
        return replace(self, spoken=spoken)

    @classmethod
    def ordered(cls, parts: Sequence[tuple[Sequence[int], "Readout"]]) -> "Readout":
        """One evidence from batches, each with the places of its prompts in the whole."""
        places = [place for some, _ in parts for place in some]
        back = torch.tensor(places).argsort()
        last = torch.cat([part.last for _, part in parts])[back]

        def joined(pick: Sequence[RaggedRows]) -> RaggedRows:
            of = torch.cat([torch.tensor(list(some))[one.of] for (some, _), one in zip(parts, pick, strict=True)])
            order = of.argsort(stable=True)
            return RaggedRows(torch.cat([one.rows for one in pick])[order], of[order])

        return cls(
            last,
            joined([part.pictures for _, part in parts]),
            joined([part.words for _, part in parts]),
            joined([part.spoken for _, part in parts]),
        )
