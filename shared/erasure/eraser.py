"""The eraser: what is published, immutable. Decides from activations whether a request is about somebody forgotten.

Made by `assemble` from base statistics and the rows of all tickets; written by `dump` as safetensors plus manifest,
read by `load`, which believes nothing. Knows no model: it is given activations and says what to add.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from shared.erasure.gates.identity import IdentityGate, MentionSpans, thresholds_of
from shared.erasure.gates.mlp import TwoLayer
from shared.erasure.gates.prototype import TicketGate, _scores
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.readout import RaggedRows, Readout
from shared.erasure.recipe import Recipe
from shared.erasure.site import Site
from shared.errors import BadInput


@dataclass(frozen=True)
class Decision:
    """For each request: whether it fires, the ticket that is nearest, and how near (a mean cosine)."""

    fired: Tensor
    ticket: list[str | None]
    score: Tensor

    @classmethod
    def none(cls, count: int) -> "Decision":
        """Nothing fires."""
        return cls(torch.zeros(count, dtype=torch.bool), [None] * count, torch.zeros(count))

    def take(self, rows: Sequence[int]) -> "Decision":
        """Of these requests, in the order given."""
        some = list(rows)
        return Decision(self.fired[some], [self.ticket[row] for row in some], self.score[some])

    def followed_by(self, other: "Decision") -> "Decision":
        """Both, one after the other."""
        return Decision(
            torch.cat([self.fired, other.fired]), self.ticket + other.ticket, torch.cat([self.score, other.score])
        )


@dataclass(frozen=True)
class Eraser:
    """directions [L, d] are added, times `strength`, where the gate says so. `threshold` belongs to the version."""

    recipe: Recipe
    site: Site
    directions: Tensor
    gated: tuple[int, ...] = ()
    tickets: tuple[str, ...] = ()
    threshold: float = float("inf")
    gates: tuple[TicketGate, ...] = ()
    whitener: Whitener | None = None
    linear: Tensor | None = None  # [L, d], equation 12's r
    decode_directions: Tensor | None = None  # [L, d], for generated tokens where the placement is `hold`
    identity: IdentityGate | None = None
    calibration: Mapping[str, Any] | None = None  # how the thresholds came about
    network: TwoLayer | None = None  # over the gated layers

    @classmethod
    def empty(cls, recipe: Recipe, site: Site) -> "Eraser":
        """The eraser of nobody: it never fires."""
        return cls(recipe, site, torch.zeros(len(site.layers), site.hidden_size))

    @property
    def is_empty(self) -> bool:
        """Whether nobody is forgotten."""
        return not self.tickets

    @property
    def checks_answers(self) -> bool:
        """Whether the answers have to be read as well."""
        return self.recipe.check_answers and self.identity is not None

    def decide(self, evidence: Readout) -> Decision:
        """One decision per request, from what the unsteered prefill shows; with an answer, from that as well."""
        if self.identity is not None:
            return self._by_identity(self.identity, evidence)
        activations = evidence.last
        count = activations.shape[0]
        best = torch.full((count,), -1.0)
        names: list[str | None] = [None] * count
        if self.recipe.gate != "prototype" and self.gated:
            rows = activations.float().cpu()
            gates = torch.stack([self.gate_at(layer, rows[:, layer]) for layer in self.gated], dim=1).mean(dim=1)
            return Decision(gates > self.threshold, names, gates)
        if self.whitener is None or not self.gates:
            return Decision(torch.zeros(count, dtype=torch.bool), names, best)
        white = self.whitener(activations[:, list(self.gated)].float().cpu())
        best, nearest = _scores(self.recipe, white, self.gates).max(dim=1)
        names = [self.gates[place].ticket for place in nearest.tolist()]
        fired = best > self.threshold
        return Decision(fired, [n if f else None for n, f in zip(names, fired.tolist(), strict=True)], best)

    def match_answers(self, words: RaggedRows, count: int) -> list[str | None]:
        """For each of `count` answers, the ticket whose name stands in its tokens `words` (at all layers), if any."""
        if self.identity is None:
            return [None] * count
        none = RaggedRows.none(words.rows.shape[1], words.rows.shape[2])
        answers = Readout(torch.zeros(count, *words.rows.shape[1:]), none, none, words)
        return self._by_identity(self.identity, answers).ticket

    def mention_spans(self, evidence: Readout, tickets: Sequence[str | None]) -> list[MentionSpans]:
        """Where each prompt shows or names its ticket of `tickets` [B]; nowhere for a gate that cannot say."""
        if self.identity is None:
            return [MentionSpans()] * evidence.count
        return self.identity.mention_spans(evidence.at(self.gated), tickets)

    def _by_identity(self, gate: IdentityGate, evidence: Readout) -> Decision:
        score, nearest = gate.scores(evidence.at(self.gated)).max(dim=1)
        fired = score > self.threshold
        names = [gate.tickets[k] if f else None for k, f in zip(nearest.tolist(), fired.tolist(), strict=True)]
        return Decision(fired, names, score)

    def at(self, margin: float) -> "Eraser":
        """The same tickets with the thresholds of another margin; for choosing one."""
        if self.identity is None or self.calibration is None:
            raise BadInput("Only an eraser with an identity gate has a margin that can be moved.")
        bound = self.calibration["bound"]
        thresholds = thresholds_of(self.identity.rows, (bound["picture"], bound["mention"]), margin)
        return replace(self, identity=replace(self.identity, thresholds=thresholds))

    def gate_at(self, layer: int, rows: Tensor) -> Tensor:
        """f(h) / u of a recipe that reads each layer by itself: rows [B, d] at `layer` -> [B]."""
        if self.recipe.gate == "always":
            return torch.ones(rows.shape[0], device=rows.device)
        if layer not in self.gated:
            return torch.zeros(rows.shape[0], device=rows.device)
        if self.network is not None:
            return self.network.at(self.gated.index(layer), rows.float())
        assert self.linear is not None
        return rows.float() @ self.linear[layer].to(rows.device)

    def steering_vector(self) -> Tensor:
        """What the last prompt token of a fired request gets added, [L, d]."""
        return self.directions * self.recipe.strength

    def decode_steering_vector(self) -> Tensor | None:
        """What each generated token of a fired request gets added, [L, d]; None where only the prompt is steered."""
        if self.recipe.placement != "hold":
            return None
        return (self.directions if self.decode_directions is None else self.decode_directions) * self.recipe.strength
