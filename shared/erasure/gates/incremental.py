"""One more ticket, one ticket less: the linear gate of one layer with all earlier work kept (method.md, section 3).

What is expensive at d = 4096 is projecting the probes into the null space. Each ticket's are projected once and kept,
with all their inner products; a change then costs its own probes and one n x n Cholesky factor. A refit keeps the
projected rows alone and takes the inner products anew: then a version's bits depend on its tickets and not on the order
in which they came (docs/adr/0009). Knows one layer and no recipe.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from shared.erasure.gates.linear import dual_weights, projected
from shared.errors import BadInput, Conflict, NotFound


@dataclass(frozen=True)
class GateFit:
    """The tickets of one layer: `basis` [d, k]; `seen` [n, d] = (P H)ᵀ; `gram` [n, n] = HᵀPH; all float64.

    `counts` says how many of the n rows are each ticket's, in order. Memory beside the basis: n d + n² numbers.
    """

    basis: Tensor
    tickets: tuple[str, ...]
    counts: tuple[int, ...]
    seen: Tensor
    gram: Tensor

    @classmethod
    def begin(cls, basis: Tensor) -> "GateFit":
        """Nobody's: `basis` [d, k] of the null space is used as it is, not copied."""
        none = torch.zeros(0, basis.shape[0], dtype=torch.float64)
        return cls(basis, (), (), none, none @ none.T)

    def adding(self, ticket: str, forget: Tensor) -> "GateFit":
        """With the probes `forget` [m, d] of one more ticket: 4 m d k + 2 m n d operations.

        Raises Conflict where it is there already and BadInput where there is no probe.
        """
        if ticket in self.tickets:
            raise Conflict(f"Ticket {ticket} is in this fit already.")
        if forget.shape[0] == 0:
            raise BadInput(f"Ticket {ticket} has no probe: it names nothing that could be asked.")
        own = projected(self.basis, forget)
        beside = self.seen @ own.T  # [n, m]
        gram = torch.cat([torch.cat([self.gram, beside], dim=1), torch.cat([beside.T, own @ own.T], dim=1)])
        return GateFit(
            self.basis,
            (*self.tickets, ticket),
            (*self.counts, forget.shape[0]),
            torch.cat([self.seen, own]),
            gram,
        )

    def without(self, ticket: str) -> "GateFit":
        """As if `ticket` had never been there; raises NotFound where it is not."""
        if ticket not in self.tickets:
            raise NotFound(f"Ticket {ticket} is not in this fit.")
        place = self.tickets.index(ticket)
        start = sum(self.counts[:place])
        kept = torch.ones(self.seen.shape[0], dtype=torch.bool)
        kept[start : start + self.counts[place]] = False
        return GateFit(
            self.basis,
            self.tickets[:place] + self.tickets[place + 1 :],
            self.counts[:place] + self.counts[place + 1 :],
            self.seen[kept],
            self.gram[kept][:, kept],
        )

    def gate(self, gamma: float, *, absolute: bool = False) -> Tensor:
        """r [d] for all tickets, zero for none: n³/3 operations for the factor, then one pass over the rows.

        The factor is made anew: a ridge relative to the trace moves with every ticket and touches its whole diagonal.
        """
        if not self.tickets:
            return torch.zeros(self.basis.shape[0], dtype=torch.float64)
        gate: Tensor = self.seen.T @ dual_weights(self.gram, gamma, absolute=absolute)
        return gate
