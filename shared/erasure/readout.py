"""What a gate may look at in a batch of prompts that were read unsteered: last tokens, pictures, words, answers.

Made by the engine from one prefill, float32 on the CPU, at the layers that were asked for. Knows nothing of models,
people or tickets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from shared.errors import BadInput
from shared.text.token_text import TokenText

T = TypeVar("T")


@dataclass(frozen=True)
class RaggedRows:
    """`rows` [N, L, d], any number for each prompt: row n belongs to prompt `of[n]` ([N], ascending from 0)."""

    rows: Tensor
    of: Tensor

    @classmethod
    def none(cls, layers: int, hidden: int) -> "RaggedRows":
        """No row for any prompt."""
        return cls(torch.zeros(0, layers, hidden), torch.zeros(0, dtype=torch.long))

    @classmethod
    def ordered(cls, parts: Sequence[tuple[Sequence[int], "RaggedRows"]]) -> "RaggedRows":
        """The rows of batches, each with the positions of its prompts in the whole, by prompt.

        Beside the parts and the result nothing of their size is held.
        """
        of = torch.cat([torch.tensor(list(positions), dtype=torch.long)[part.of] for positions, part in parts])
        order = of.argsort(stable=True)
        first = parts[0][1].rows
        rows = first.new_empty(len(of), *first.shape[1:])
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order))
        start = 0
        for _, part in parts:
            rows[place[start : start + len(part.of)]] = part.rows
            start += len(part.of)
        return cls(rows, of[order])

    def take(self, prompts: Sequence[int]) -> "RaggedRows":
        """The rows of these prompts, renumbered from 0 in the order given."""
        parts = [(self.of == prompt).nonzero()[:, 0] for prompt in prompts]
        of = torch.cat([torch.full_like(part, new) for new, part in enumerate(parts)]) if parts else self.of[:0]
        return RaggedRows(self.rows[torch.cat(parts)] if parts else self.rows[:0], of)

    def at(self, places: Sequence[int]) -> "RaggedRows":
        """The same rows at some places of their second dimension only."""
        return RaggedRows(self.rows[:, list(places)], self.of)

    def best(self, scores: Tensor, count: int) -> Tensor:
        """The largest of a prompt's row `scores` [N, K] for each of `count` prompts, [count, K]; -1 without a row."""
        best = torch.full((count, scores.shape[1]), -1.0)
        return best.scatter_reduce_(0, self.of[:, None].expand_as(scores), scores, "amax")


@dataclass(frozen=True)
class Readout:
    """Block outputs of B prompts. `last` [B, L, d]: the last prompt token.

    `pictures`: one row for each picture, the mean over its tokens. `words`: the other prompt tokens, in order.
    `answer_tokens`: the tokens of the answer, where there is one. `layers` are the positions in the site's list of
    layers that the rows hold, in their order; None: all of the site's. `texts`: what the words say, of each prompt;
    `answers`: what the answers say, where they are whole. Either is empty where nobody reads text. `embedded`: for each
    of `pictures` a row [1, d], its mean at the input of the first block, which no other token has acted on; None where
    it was not read.
    """

    last: Tensor
    pictures: RaggedRows
    words: RaggedRows
    answer_tokens: RaggedRows
    layers: tuple[int, ...] | None = None
    texts: tuple[TokenText, ...] = ()
    answers: tuple[str, ...] = ()
    embedded: RaggedRows | None = None

    @classmethod
    def of_last(cls, last: Tensor, layers: tuple[int, ...] | None = None) -> "Readout":
        """Last prompt tokens alone."""
        none = RaggedRows.none(*last.shape[1:])
        return cls(last, none, none, none, layers)

    @property
    def count(self) -> int:
        """How many prompts."""
        return self.last.shape[0]

    @property
    def size_bytes(self) -> int:
        """How much memory its rows take."""
        parts = [self.last, self.pictures.rows, self.words.rows, self.answer_tokens.rows]
        if self.embedded is not None:
            parts.append(self.embedded.rows)
        return sum(part.numel() * part.element_size() for part in parts)

    def whole_pictures(self) -> Tensor:
        """`pictures` and `embedded` side by side, [N, L + 1, d]; raises BadInput where `embedded` was not read."""
        if self.embedded is None and len(self.pictures.of):
            raise BadInput("The pictures were not read at the input of the first block.")
        none = self.pictures.rows.new_zeros(0, 1, self.last.shape[2])
        return torch.cat([self.pictures.rows, none if self.embedded is None else self.embedded.rows], dim=1)

    def take(self, prompts: Sequence[int]) -> "Readout":
        """These prompts, in the order given."""
        return Readout(
            self.last[list(prompts)],
            self.pictures.take(prompts),
            self.words.take(prompts),
            self.answer_tokens.take(prompts),
            self.layers,
            tuple(self.texts[prompt] for prompt in prompts) if self.texts else (),
            tuple(self.answers[prompt] for prompt in prompts) if self.answers else (),
            None if self.embedded is None else self.embedded.take(prompts),
        )

    def at(self, layers: Sequence[int]) -> "Readout":
        """The same at some layers only, by their positions in the site's list.

        Raises BadInput for a layer that it does not hold.
        """
        held = tuple(range(self.last.shape[1])) if self.layers is None else self.layers
        if tuple(layers) == held:
            return self
        missing = sorted(set(layers) - set(held))
        if missing:
            raise BadInput(f"The readout holds the layers {list(held)} of the site, and not {missing}.")
        places = [held.index(layer) for layer in layers]
        return Readout(
            self.last[:, places],
            self.pictures.at(places),
            self.words.at(places),
            self.answer_tokens.at(places),
            tuple(layers),
            self.texts,
            self.answers,
            self.embedded,
        )

    def with_answer_tokens(self, answer_tokens: RaggedRows) -> "Readout":
        """The same prompts with the tokens of their answers."""
        return replace(self, answer_tokens=answer_tokens)

    @classmethod
    def ordered(cls, parts: Sequence[tuple[Sequence[int], "Readout"]]) -> "Readout":
        """One readout from those of batches, each with the positions of its prompts in the whole.

        All parts hold the same layers.
        """
        order = torch.tensor([position for positions, _ in parts for position in positions]).argsort()
        embedded = [(positions, part.embedded) for positions, part in parts if part.embedded is not None]
        return cls(
            torch.cat([part.last for _, part in parts])[order],
            RaggedRows.ordered([(positions, part.pictures) for positions, part in parts]),
            RaggedRows.ordered([(positions, part.words) for positions, part in parts]),
            RaggedRows.ordered([(positions, part.answer_tokens) for positions, part in parts]),
            parts[0][1].layers,
            _in_order([(positions, part.texts) for positions, part in parts]),
            _in_order([(positions, part.answers) for positions, part in parts]),
            RaggedRows.ordered(embedded) if embedded else None,
        )


def _in_order(parts: Sequence[tuple[Sequence[int], tuple[T, ...]]]) -> tuple[T, ...]:
    """Values of batches by the positions of their prompts; none where a batch has none."""
    if not all(values for _, values in parts):
        return ()
    placed = {at: value for positions, values in parts for at, value in zip(positions, values, strict=True)}
    return tuple(placed[position] for position in sorted(placed))
