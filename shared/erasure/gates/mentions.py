"""Which names the activations of prompts bring to mind, compared only for those tickets about which somebody asks.

Every token of a prompt is held against every window of every name: of all that the gate compares, this costs most. Its
result counts only together with a text, though: a mention fires where part of the name is written, and one that nobody
wrote counts only beside an answer that tells something (shared/erasure/eraser.py). For most prompts and tickets neither
is the case.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from shared.erasure.gates.identity import IdentityGate
from shared.erasure.readout import Readout


@dataclass(frozen=True)
class Mentions:
    """Those in B prompts, `readout` (at the gated layers), and in their answers where the readout has them.

    `written`: for each prompt the tickets of whose name a part is written in its text or in its answer. For one thread
    at a time: what was compared is kept.
    """

    gate: IdentityGate
    readout: Readout
    written: tuple[frozenset[int], ...]
    _compared: dict[tuple[int, int], float] = field(default_factory=dict)
    _white: dict[int, list[Tensor]] = field(default_factory=dict)

    def take(self, rows: Sequence[int], readout: Readout) -> "Mentions":
        """Those of some prompts, in the order given; `readout` is that of these prompts, at these layers at least."""
        gated = readout if self.readout.layers is None else readout.at(self.readout.layers)
        return Mentions(self.gate, gated, tuple(self.written[row] for row in rows))

    def margins(self, row: int, tickets: Iterable[int]) -> Tensor:
        """How far prompt `row` is above the threshold of each of some tickets, [n]; above 0 their name is mentioned."""
        wanted = list(tickets)
        missing = [ticket for ticket in wanted if (row, ticket) not in self._compared]
        if missing:
            if row not in self._white:
                parts = (self.readout.words, self.readout.answer_tokens)
                self._white[row] = [self.gate.white_names(part.rows[part.of == row]) for part in parts]
            margins = self.gate.mention_margins(self._white[row], missing).tolist()
            self._compared.update({(row, ticket): value for ticket, value in zip(missing, margins, strict=True)})
        return torch.tensor([self._compared[row, ticket] for ticket in wanted])

    def unwritten(self, row: int, ticket: int, asked_too: Iterable[int] = ()) -> bool:
        """Whether the activations of prompt `row` bring a name to mind of which no part is written.

        `asked_too`: further tickets that will be asked about, to be compared together.
        """
        if ticket in self.written[row]:
            return False
        if (row, ticket) not in self._compared:
            self.margins(row, {ticket, *asked_too} - self.written[row])
        return self._compared[row, ticket] > 0
