"""What one ticket adds to an eraser. Depends on this ticket and the base statistics alone, never on other tickets."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.gates.identity_fit import IdentityFit, fit_person
from shared.erasure.gates.linear import projected
from shared.erasure.gates.prototype import merged
from shared.erasure.numerics.safetensors_io import pack, to_float32, to_half_if_lossless, unpack
from shared.erasure.recipe import Recipe
from shared.errors import BadInput, IntegrityFailure


@dataclass(frozen=True)
class TicketFit:
    """prototype: `rows` [G, m, d] and `harmless` [G, h, d], unit vectors in the whitened space.

    linear: `rows` [G, n, d], the probes in the null space (float64). mlp, always: raw activations [G, n, d].
    identity: `identity` alone.
    """

    ticket: str
    recipe: str
    rows: Tensor | None = None
    harmless: Tensor | None = None
    identity: IdentityFit | None = None

    @property
    def sha256(self) -> str:
        """Digest (hex) of the bytes: the commitment that versions and reports name."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def finite(self) -> bool:
        """Whether every number of it is one."""
        own = [] if self.identity is None else list(self.identity.tensors().values())
        return all(bool(one.isfinite().all()) for one in (self.rows, self.harmless, *own) if one is not None)

    def to_bytes(self) -> bytes:
        """One safetensors file."""
        tensors = {} if self.identity is None else self.identity.tensors()
        for name, value in (("rows", self.rows), ("harmless", self.harmless)):
            if value is not None:
                tensors[name] = to_half_if_lossless(value)
        return pack(tensors, {"ticket": self.ticket, "recipe": self.recipe})

    @classmethod
    def from_bytes(cls, blob: bytes) -> "TicketFit":
        """Back from bytes; raises IntegrityFailure where they are not rows."""
        tensors, header = unpack(blob)
        try:
            if "rows" not in tensors:
                return cls(header["ticket"], header["recipe"], identity=IdentityFit.from_tensors(tensors))
            harmless = to_float32(tensors["harmless"]) if "harmless" in tensors else None
            return cls(header["ticket"], header["recipe"], to_float32(tensors["rows"]), harmless)
        except KeyError as exc:
            raise IntegrityFailure(f"The rows lack {exc}.") from exc


def fit_identity(
    recipe: Recipe,
    statistics: BaseStatistics,
    ticket: str,
    photos: Sequence[Tensor],
    spellings: Sequence[Sequence[Tensor]],
) -> TicketFit:
    """Rows from the pictures' tokens of each photograph's changes, [c, L, d], and each spelling's mentions [n, L, d].

    Raises BadInput where the ticket has neither.
    """
    if statistics.identity is None:
        raise BadInput("These statistics were not made for the identity gate.")
    some = list(statistics.gated)
    rows = fit_person(
        statistics.identity, [one[:, some] for one in photos], [[one[:, some] for one in each] for each in spellings]
    )
    return TicketFit(ticket, recipe.digest, identity=rows)


def fit_ticket(
    recipe: Recipe, statistics: BaseStatistics, ticket: str, forget: Tensor, *, harmless: Tensor | None = None
) -> TicketFit:
    """Rows at the last token from activations of the ticket's probes `forget` [n, L, d].

    `harmless` [h, L, d] are questions about the same pictures that must still be answered; they keep the gate shut
    beside them. Raises BadInput where there is no probe.
    """
    if forget.shape[0] == 0:
        raise BadInput(f"Ticket {ticket} has no probe: it names nothing that could be asked.")
    gated = list(statistics.gated)
    if recipe.gate == "linear":
        seen = [projected(basis, forget[:, place]) for basis, place in zip(statistics.null, gated, strict=True)]
        return TicketFit(ticket, recipe.digest, torch.stack(seen))
    if statistics.whitener is None:
        return TicketFit(ticket, recipe.digest, forget[:, gated].float().transpose(0, 1).contiguous())
    rows = statistics.whitener(forget[:, gated].float()).transpose(0, 1).contiguous()
    beside = None
    if harmless is not None and harmless.shape[0]:
        beside = _rounded(statistics.whitener(harmless[:, gated].float()).transpose(0, 1).contiguous())
    return TicketFit(ticket, recipe.digest, _rounded(merged(rows, recipe.prototypes)), beside)


def _rounded(rows: Tensor) -> Tensor:
    """To the precision of float16, which halves the stored bytes and moves no cosine by more than 5e-4."""
    return rows.half().float()
