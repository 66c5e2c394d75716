"""The linear gate of one layer, with one ticket added or withdrawn at a time and all earlier work kept.

What is expensive at d = 4096 is the projection of the probes into the null space. Each ticket's probes are projected
once and kept, with all their inner products; a change then costs its own probes and one n x n Cholesky factor. A refit
keeps the projected probes alone and computes the inner products anew, so that a version's bits depend on its tickets
and not on the order in which they came (docs/adr/0009). Knows one layer and no recipe.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from shared.erasure.gates.linear import dual_weights, project
from shared.errors import BadInput, Conflict, NotFound


@dataclass(frozen=True)
class GateFit:
    """The tickets of one layer: `basis` [d, k]; `projected` [n, d] = (P H)ᵀ; `gram` [n, n] = HᵀPH; all float64.

    `counts` are the probes of each ticket, in order; they sum to n. Memory beside the basis: n d + n² numbers.
    """

    basis: Tensor
    tickets: tuple[str, ...]
    counts: tuple[int, ...]
    projected: Tensor
    gram: Tensor

    @classmethod
    def empty(cls, basis: Tensor) -> "GateFit":
        """Without tickets; `basis` [d, k] of the null space is used as it is, not copied."""
        none = torch.zeros(0, basis.shape[0], dtype=torch.float64)
        return cls(basis, (), (), none, none @ none.T)

    def with_ticket(self, ticket: str, forget: Tensor) -> "GateFit":
        """With the probes `forget` [m, d] of one more ticket: 4 m d k + 2 m n d operations.

        Raises Conflict where the ticket is in the fit already and BadInput where it has no probe.
        """
        if ticket in self.tickets:
            raise Conflict(f"Ticket {ticket} is in this fit already.")
        if forget.shape[0] == 0:
            raise BadInput(f"Ticket {ticket} has no probe: it names nothing that could be asked.")
        own = project(self.basis, forget)
        beside = self.projected @ own.T  # [n, m]
        gram = torch.cat([torch.cat([self.gram, beside], dim=1), torch.cat([beside.T, own @ own.T], dim=1)])
        return GateFit(
            self.basis,
            (*self.tickets, ticket),
            (*self.counts, forget.shape[0]),
            torch.cat([self.projected, own]),
            gram,
        )

    def without_ticket(self, ticket: str) -> "GateFit":
        """As if `ticket` had never been added; raises NotFound where it is not in the fit."""
        if ticket not in self.tickets:
            raise NotFound(f"Ticket {ticket} is not in this fit.")
        index = self.tickets.index(ticket)
        start = sum(self.counts[:index])
        kept = torch.ones(self.projected.shape[0], dtype=torch.bool)
        kept[start : start + self.counts[index]] = False
        return GateFit(
            self.basis,
            self.tickets[:index] + self.tickets[index + 1 :],
            self.counts[:index] + self.counts[index + 1 :],
            self.projected[kept],
            self.gram[kept][:, kept],
        )

    def gate(self, gamma: float, *, absolute: bool = False) -> Tensor:
        """r [d] for all tickets, zero without tickets: n³/3 operations for the factor, then one pass over the probes.

        The factor is computed anew: a ridge relative to the trace changes with every ticket, on the whole diagonal.
        """
        if not self.tickets:
            return torch.zeros(self.basis.shape[0], dtype=torch.float64)
        gate: Tensor = self.projected.T @ dual_weights(self.gram, gamma, absolute=absolute)
        return gate
