"""From the block outputs of a batch to what a gate may look at: kept block by block, the rest let go at once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from shared.erasure.readout import RaggedRows, Readout
from shared.vlm.adapters.base import Adapter, Encoded


class CaptureReadout:
    """A hook that keeps of each of `count` blocks, float32, what a readout holds of the batch `encoded`.

    A picture is represented by the mean over its tokens; text tokens are kept one by one. The tokens of pictures, which
    are most of a prompt's, are never held. Of the first block's input the pictures' means are kept as well: what the
    vision tower and the projector say, which nothing else in the prompt has acted on yet.
    """

    def __init__(self, adapter: Adapter, encoded: Sequence[Encoded], count: int) -> None:
        self._last: list[Tensor | None] = [None] * count
        self._words: list[Tensor | None] = [None] * count
        self._pictures: list[Tensor | None] = [None] * count
        self._embedded: Tensor | None = None
        self.input_block = adapter.blocks[0]
        # of each picture the number of its prompt, and where it begins and ends, counted from the end of the prompt
        self._spans: list[tuple[int, int, int]] = []
        words_of: list[int] = []
        from_end: list[int] = []
        for row, prompt in enumerate(encoded):
            spans, length = adapter.pictures(prompt), len(prompt.ids)
            self._spans += [(row, start - length, end - length) for start, end in spans]
            begin = 0
            for start, end in [*spans, (length, length)]:  # the words are what stands before, between and behind
                words_of += [row] * (start - begin)
                from_end += range(begin - length, start - length)
                begin = end
        self._words_of, self._from_end = (torch.tensor(each, dtype=torch.long) for each in (words_of, from_end))

    def __call__(self, place: int, states: Tensor) -> None:
        """Keep what the block at `place` of those that are hooked gives: `states` [B, T, d], padded on the left."""
        width = states.shape[1]
        self._last[place] = states[:, -1].float()
        words = (self._words_of * width + self._from_end + width).to(states.device)
        self._words[place] = states.flatten(0, 1).index_select(0, words).float()
        if self._spans:
            self._pictures[place] = self._means(states)

    def read_input(self, states: Tensor) -> None:
        """Keep of what goes into the first block, `states` [B, T, d], the mean of each picture."""
        if self._spans:
            self._embedded = self._means(states)

    def _means(self, states: Tensor) -> Tensor:
        """The mean over each picture's tokens, [n, d]."""
        width = states.shape[1]
        return torch.stack(
            [states[row, width + start : width + end].float().mean(dim=0) for row, start, end in self._spans]
        )

    def readout(self, layers: tuple[int, ...] | None = None) -> Readout:
        """The readout, on the CPU; `layers` are the positions of the hooked blocks, None for all of the site's."""
        last = _stacked(self._last)
        none = RaggedRows.none(*last.shape[1:])
        pictures, embedded = none, None
        if self._spans:
            of = torch.tensor([row for row, _, _ in self._spans])
            pictures = RaggedRows(_stacked(self._pictures), of)
            if self._embedded is not None:
                embedded, self._embedded = RaggedRows(self._embedded.cpu()[:, None], of), None
        words = RaggedRows(_stacked(self._words), self._words_of)
        return Readout(last, pictures, words, none, layers, embedded=embedded)


class CaptureSpans:
    """A hook that keeps of each of `count` blocks the tokens of one span [start, end) of each prompt, float32."""

    def __init__(self, encoded: Sequence[Encoded], spans: Sequence[tuple[int, int]], count: int) -> None:
        self._lengths = [end - start for start, end in spans]
        self._of = torch.tensor([row for row, length in enumerate(self._lengths) for _ in range(length)])
        self._from_end = torch.cat(
            [torch.arange(*span) - len(prompt.ids) for span, prompt in zip(spans, encoded, strict=True)]
        )
        self._rows: list[Tensor | None] = [None] * count

    def __call__(self, place: int, states: Tensor) -> None:
        """See `CaptureReadout`."""
        columns = (self._from_end + states.shape[1]).to(states.device)
        self._rows[place] = states[self._of.to(states.device), columns].float()

    def spans(self) -> list[Tensor]:
        """For each prompt its span [n, L, d], on the CPU."""
        return [part.clone() for part in _stacked(self._rows).split(self._lengths)]


def _stacked(rows: list[Tensor | None]) -> Tensor:
    """Rows [n, d] of L blocks, [n, L, d] on the CPU. Empties the list, so that nothing is held twice for long."""
    present = [row.cpu() for row in rows if row is not None]
    rows[:] = [None] * len(rows)
    return torch.stack(present, dim=1)
