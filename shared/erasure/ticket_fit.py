"""What one ticket adds to an eraser. It depends on this ticket and the base statistics, never on other tickets."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.gates.identity_fit import IdentityFit, fit_person
from shared.erasure.gates.linear import project
from shared.erasure.gates.prototype import merge_prototypes
from shared.erasure.gates.text import TextFit
from shared.erasure.numerics.safetensors_io import pack, to_float32, to_half_if_lossless, unpack
from shared.erasure.recipe import Recipe
from shared.errors import BadInput, IntegrityFailure


@dataclass(frozen=True)
class TicketFit:
    """By gate, prototype: `vectors` [G, m, d] and `harmless` [G, h, d], unit vectors in the whitened space.

    linear: `vectors` [G, n, d], the probes projected into the null space (float64). mlp and always: `vectors`
    [G, n, d], activations of the probes. identity: `identity`, and `text` where the recipe reads text. `recipe` is the
    digest of the recipe.
    """

    ticket: str
    recipe: str
    vectors: Tensor | None = None
    harmless: Tensor | None = None
    identity: IdentityFit | None = None
    text: TextFit | None = None

    @property
    def sha256(self) -> str:
        """sha256 (hex) of the bytes: the commitment that versions and reports name."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def is_finite(self) -> bool:
        """Whether no value is NaN or infinite."""
        own = [] if self.identity is None else list(self.identity.tensors().values())
        return all(bool(part.isfinite().all()) for part in (self.vectors, self.harmless, *own) if part is not None)

    def to_bytes(self) -> bytes:
        """One safetensors file."""
        tensors = {} if self.identity is None else self.identity.tensors()
        if self.text is not None:
            tensors |= self.text.tensors()
        for name, value in (("rows", self.vectors), ("harmless", self.harmless)):
            if value is not None:
                tensors[name] = to_half_if_lossless(value)
        return pack(tensors, {"ticket": self.ticket, "recipe": self.recipe})

    @classmethod
    def from_bytes(cls, blob: bytes) -> "TicketFit":
        """Back from bytes; raises IntegrityFailure for bytes that are not a ticket fit."""
        tensors, header = unpack(blob)
        try:
            if "rows" not in tensors:
                identity, text = IdentityFit.from_tensors(tensors), TextFit.from_tensors(tensors)
                return cls(header["ticket"], header["recipe"], identity=identity, text=text)
            harmless = to_float32(tensors["harmless"]) if "harmless" in tensors else None
            return cls(header["ticket"], header["recipe"], to_float32(tensors["rows"]), harmless)
        except KeyError as exc:
            raise IntegrityFailure(f"The ticket fit lacks {exc}.") from exc


def fit_identity(
    recipe: Recipe,
    statistics: BaseStatistics,
    ticket: str,
    photos: Sequence[Tensor],
    spellings: Sequence[Sequence[Tensor]],
    text: TextFit | None = None,
    sightings: Sequence[Tensor] = (),
) -> TicketFit:
    """The fit for the identity gate, from activations at its G gated layers, and `text` as it is.

    `photos`: for each photograph its changed copies, [c, G, d] at the picture's tokens, or [c, G + 1, d] where they
    are read at the input too; `sightings`: copies with other kinds of change (`fit_person`). `spellings`: for each way
    to write a name the tokens of its mentions, each [n, G, d]. Raises BadInput where the ticket has neither.
    """
    if statistics.identity is None:
        raise BadInput("These statistics were not made for the identity gate.")
    fit = fit_person(statistics.identity, photos, spellings, sightings)
    return TicketFit(ticket, recipe.digest, identity=fit, text=text)


def fit_ticket(
    recipe: Recipe, statistics: BaseStatistics, ticket: str, forget: Tensor, *, harmless: Tensor | None = None
) -> TicketFit:
    """The fit for a gate at the last prompt token, from activations `forget` [n, L, d] of the ticket's probes.

    `harmless` [h, L, d] are questions about the same pictures that must still be answered; the gate stays closed near
    them. Raises BadInput where there is no probe.
    """
    if forget.shape[0] == 0:
        raise BadInput(f"Ticket {ticket} has no probe: it names nothing that could be asked.")
    gated = list(statistics.gated)
    if recipe.gate == "linear":
        projected = [project(basis, forget[:, layer]) for basis, layer in zip(statistics.null, gated, strict=True)]
        return TicketFit(ticket, recipe.digest, torch.stack(projected))
    if statistics.whitener is None:
        return TicketFit(ticket, recipe.digest, forget[:, gated].float().transpose(0, 1).contiguous())
    vectors = statistics.whitener(forget[:, gated].float()).transpose(0, 1).contiguous()
    near = None
    if harmless is not None and harmless.shape[0]:
        near = _rounded(statistics.whitener(harmless[:, gated].float()).transpose(0, 1).contiguous())
    return TicketFit(ticket, recipe.digest, _rounded(merge_prototypes(vectors, recipe.prototypes)), near)


def _rounded(vectors: Tensor) -> Tensor:
    """At the precision of float16, which halves the stored bytes and changes no cosine by more than 5e-4."""
    return vectors.half().float()
