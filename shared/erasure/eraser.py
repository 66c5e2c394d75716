"""The eraser: what is published, immutable. Decides from activations whether a request concerns somebody forgotten.

Assembled from base statistics and the fits of all tickets (assembly.py), written as safetensors plus manifest and read
back with every check (serialization.py). Knows no model: it is given activations and says what to add to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from shared.erasure.gates.identity import IdentityGate, MentionSpans
from shared.erasure.gates.identity_thresholds import raised_thresholds, reported_bounds
from shared.erasure.gates.mlp import TwoLayer
from shared.erasure.gates.prototype import TicketGate, gate_scores
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.readout import RaggedRows, Readout
from shared.erasure.recipe import Recipe
from shared.erasure.site import Site
from shared.errors import BadInput


@dataclass(frozen=True)
class Decision:
    """For each of B requests: whether it fires [B], its nearest ticket where it does, and the gate's score [B]."""

    fired: Tensor
    ticket: list[str | None]
    score: Tensor

    @classmethod
    def none(cls, count: int) -> "Decision":
        """Nothing fires."""
        return cls(torch.zeros(count, dtype=torch.bool), [None] * count, torch.zeros(count))

    def take(self, rows: Sequence[int]) -> "Decision":
        """The decision on these requests, in the order given."""
        some = list(rows)
        return Decision(self.fired[some], [self.ticket[row] for row in some], self.score[some])

    def followed_by(self, other: "Decision") -> "Decision":
        """The requests of both, one after the other."""
        return Decision(
            torch.cat([self.fired, other.fired]), self.ticket + other.ticket, torch.cat([self.score, other.score])
        )


@dataclass(frozen=True)
class Eraser:
    """`directions` [L, d] times the recipe's strength are added where the gate fires.

    `gated` are the indices of the G layers that the gate reads. Each kind of gate fills its own fields; `threshold`
    and `calibration` belong to the version, everything else to the base model, the recipe or a ticket.
    """

    recipe: Recipe
    site: Site
    directions: Tensor
    gated: tuple[int, ...] = ()
    tickets: tuple[str, ...] = ()
    threshold: float = float("inf")
    gates: tuple[TicketGate, ...] = ()  # prototype
    whitener: Whitener | None = None  # prototype, over the gated layers
    linear: Tensor | None = None  # linear: r of equation 12, [L, d]
    decode_directions: Tensor | None = None  # [L, d], for generated tokens where the placement is `hold`
    identity: IdentityGate | None = None
    calibration: Mapping[str, Any] | None = None  # identity: how the thresholds were found
    network: TwoLayer | None = None  # mlp, over the gated layers

    @classmethod
    def empty(cls, recipe: Recipe, site: Site) -> "Eraser":
        """The eraser without tickets: it never fires."""
        return cls(recipe, site, torch.zeros(len(site.layers), site.hidden_size))

    @property
    def is_empty(self) -> bool:
        """Whether it has no ticket."""
        return not self.tickets

    @property
    def checks_answers(self) -> bool:
        """Whether answers have to be read for the names of tickets as well."""
        return self.recipe.check_answers and self.identity is not None

    def decide(self, readout: Readout) -> Decision:
        """One decision for each request, from what the unsteered prefill shows, and from the answer if it is there."""
        if self.identity is not None:
            return self._by_identity(self.identity, readout)
        count = readout.count
        if self.recipe.gate != "prototype" and self.gated:
            last = readout.at(self.gated).last.float().cpu()
            values = torch.stack([self.gate_at(layer, last[:, i]) for i, layer in enumerate(self.gated)], dim=1)
            values = values.mean(dim=1)
            return Decision(values > self.threshold, [None] * count, values)
        if self.whitener is None or not self.gates:
            return Decision(torch.zeros(count, dtype=torch.bool), [None] * count, torch.full((count,), -1.0))
        white = self.whitener(readout.at(self.gated).last.float().cpu())
        best, nearest = gate_scores(self.recipe, white, self.gates).max(dim=1)
        return self._decision(best, nearest)

    def match_answers(self, answer_tokens: RaggedRows, count: int) -> list[str | None]:
        """For each of `count` answers, the ticket whose name its tokens (at the gated layers) hold, if any."""
        if self.identity is None:
            return [None] * count
        return self._by_identity(self.identity, Readout.of_answers(answer_tokens, count, self.gated)).ticket

    def mention_spans(self, readout: Readout, tickets: Sequence[str | None]) -> list[MentionSpans]:
        """Where each prompt shows or names its ticket of `tickets` [B]; empty for a gate that cannot say."""
        if self.identity is None:
            return [MentionSpans()] * readout.count
        return self.identity.mention_spans(readout.at(self.gated), tickets)

    def _by_identity(self, gate: IdentityGate, readout: Readout) -> Decision:
        score, nearest = gate.scores(readout.at(self.gated)).max(dim=1)
        return self._decision(score, nearest)

    def _decision(self, score: Tensor, nearest: Tensor) -> Decision:
        """From the best score [B] and the index of its ticket [B]."""
        fired = score > self.threshold
        pairs = zip(nearest.tolist(), fired.tolist(), strict=True)
        return Decision(fired, [self.tickets[index] if fires else None for index, fires in pairs], score)

    def with_margin(self, margin: float) -> "Eraser":
        """The same tickets with the thresholds of another margin, for choosing one; BadInput for another gate."""
        if self.identity is None or self.calibration is None:
            raise BadInput("Only an eraser with an identity gate has a margin that can be moved.")
        bounds = reported_bounds(self.calibration, self.identity.tickets)
        thresholds = raised_thresholds(self.identity.fits, bounds, margin)
        return replace(self, identity=replace(self.identity, thresholds=thresholds))

    def gate_at(self, layer: int, rows: Tensor) -> Tensor:
        """The gate of a recipe that reads each layer by itself: last tokens `rows` [B, d] at `layer` -> [B]."""
        if self.recipe.gate == "always":
            return torch.ones(rows.shape[0], device=rows.device)
        if layer not in self.gated:
            return torch.zeros(rows.shape[0], device=rows.device)
        if self.network is not None:
            return self.network.at(self.gated.index(layer), rows.float())
        assert self.linear is not None
        return rows.float() @ self.linear[layer].to(rows.device)

    def steering_vector(self) -> Tensor:
        """What is added at the last prompt token of a fired request, [L, d]."""
        return self.directions * self.recipe.strength

    def decode_steering_vector(self) -> Tensor | None:
        """What is added at each generated token of a fired request, [L, d]; None where only the prompt is steered."""
        if self.recipe.placement != "hold":
            return None
        return (self.directions if self.decode_directions is None else self.decode_directions) * self.recipe.strength
