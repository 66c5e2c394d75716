"""The eraser: what is published, immutable. Decides from activations whether a request is about somebody forgotten.

Made by `assemble` from base statistics and the rows of all tickets; written by `dump` as safetensors plus manifest,
read by `load`, which believes nothing. Knows no model: it is given activations and says what to add.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from shared.contracts import ERASER_SCHEMA_VERSION
from shared.erasure.evidence import Evidence, Ragged
from shared.erasure.gate import Whitener, likeness, likenesses, linear_gate
from shared.erasure.identity import IdentityGate, Mentioned, calibrated, thresholds_of
from shared.erasure.multilayer import TwoLayer, two_layer_gate
from shared.erasure.recipe import Recipe
from shared.erasure.rows import TicketRows
from shared.erasure.site import Site
from shared.erasure.statistics import BaseStatistics
from shared.erasure.tensors import pack, shortest, unpack
from shared.errors import BadInput, IntegrityFailure


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
class TicketGate:
    """Prototypes of one ticket [G, m, d], and its harmless questions [G, h, d]."""

    ticket: str
    rows: Tensor
    harmless: Tensor | None


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
    held: Tensor | None = None  # [L, d], for generated tokens where the placement is `hold`
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
    def watches(self) -> bool:
        """Whether the answers have to be read as well."""
        return self.recipe.watch and self.identity is not None

    def decide(self, evidence: Evidence) -> Decision:
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

    def spoken_of(self, words: Ragged, count: int) -> list[str | None]:
        """For each of `count` answers, the ticket whose name stands in its tokens `words` (at all layers), if any."""
        if self.identity is None:
            return [None] * count
        none = Ragged.none(words.rows.shape[1], words.rows.shape[2])
        answers = Evidence(torch.zeros(count, *words.rows.shape[1:]), none, none, words)
        return self._by_identity(self.identity, answers).ticket

    def mentioned(self, evidence: Evidence, tickets: Sequence[str | None]) -> list[Mentioned]:
        """Where each prompt shows or names its ticket of `tickets` [B]; nowhere for a gate that cannot say."""
        if self.identity is None:
            return [Mentioned()] * evidence.count
        return self.identity.mentioned(evidence.at(self.gated), tickets)

    def _by_identity(self, gate: IdentityGate, evidence: Evidence) -> Decision:
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

    def pull(self) -> Tensor:
        """What the last prompt token of a fired request gets added, [L, d]."""
        return self.directions * self.recipe.strength

    def held_pull(self) -> Tensor | None:
        """What each generated token of a fired request gets added, [L, d]; None where only the prompt is steered."""
        if self.recipe.placement != "hold":
            return None
        return (self.directions if self.held is None else self.held) * self.recipe.strength


def assemble(recipe: Recipe, statistics: BaseStatistics, site: Site, rows: Sequence[TicketRows]) -> Eraser:
    """The eraser of all `rows`; raises BadInput where rows or statistics were made with another recipe."""
    stale = [one.ticket for one in rows if one.recipe != recipe.digest]
    if stale or statistics.recipe != recipe.digest:
        raise BadInput(f"Made with another recipe: {', '.join(stale) or 'the statistics'}.")
    if not rows:
        return Eraser.empty(recipe, site)
    tickets = tuple(one.ticket for one in rows)
    if statistics.identity is not None:
        identity, levels = calibrated(
            statistics.identity,
            tickets,
            [one.identity for one in rows if one.identity is not None],
            recipe.false_positive_rate,
            recipe.margin,
        )
        return Eraser(
            recipe,
            site,
            statistics.directions,
            statistics.gated,
            tickets,
            threshold=0.0,
            held=statistics.held,
            identity=identity,
            calibration=levels,
        )
    if recipe.gate == "linear":
        linear = torch.zeros(len(site.layers), site.hidden_size, dtype=torch.float64)
        for place, layer in enumerate(statistics.gated):
            seen = torch.cat([one.rows[place] for one in rows if one.rows is not None])
            linear[layer] = linear_gate(seen, recipe.gamma, absolute=recipe.gamma_absolute)
        return Eraser(
            recipe, site, statistics.directions, statistics.gated, tickets, threshold=0.5, linear=linear.float()
        )
    if recipe.gate in ("always", "mlp"):
        network = None
        if statistics.retain is not None:
            forget = torch.cat([one.rows for one in rows if one.rows is not None], dim=1).transpose(0, 1)
            network = two_layer_gate(forget, statistics.retain, recipe.mlp_width, recipe.mlp_steps)
        return Eraser(recipe, site, statistics.directions, statistics.gated, tickets, threshold=0.5, network=network)
    gates = tuple(TicketGate(one.ticket, one.rows, one.harmless) for one in rows if one.rows is not None)
    return Eraser(
        recipe,
        site,
        statistics.directions,
        statistics.gated,
        tickets,
        threshold=_threshold(recipe, statistics, gates),
        gates=gates,
        whitener=statistics.whitener,
        held=statistics.held,
    )


def _scores(recipe: Recipe, white: Tensor, gates: Sequence[TicketGate]) -> Tensor:
    """`_score` of every gate at once, [B, K]."""
    scores = likenesses(white, [gate.rows for gate in gates], recipe.neighbours)
    beside = {place: gate.harmless for place, gate in enumerate(gates) if gate.harmless is not None}
    if beside and recipe.harmless_weight:
        near = likenesses(white, list(beside.values()), recipe.neighbours).clamp(min=0)
        scores[:, list(beside)] -= recipe.harmless_weight * near
    return scores


def _score(recipe: Recipe, white: Tensor, gate: TicketGate) -> Tensor:
    score = likeness(white, gate.rows, recipe.neighbours)
    if gate.harmless is not None and recipe.harmless_weight:
        score = score - recipe.harmless_weight * likeness(white, gate.harmless, recipe.neighbours).clamp(min=0)
    return score


def _threshold(recipe: Recipe, statistics: BaseStatistics, gates: Sequence[TicketGate]) -> float:
    """Split-conformal quantile of the calibration prompts' best scores (Vovk et al. 2005), for the whole decision.

    Every ticket's harmless questions are among the prompts, held against their own rows. Where the tickets' own probes
    lie far above that bound, it is raised by `margin` of the way to the lowest of them (5 % quantile, each left out).
    """
    assert statistics.calibration is not None
    others = _scores(recipe, statistics.calibration, gates).amax(dim=1)
    harmless = [_score(recipe, gate.harmless.transpose(0, 1), gate) for gate in gates if gate.harmless is not None]
    level = 1 - recipe.false_positive_rate
    bound = max(_conformal(scores, level) for scores in (others, *harmless))
    own = min(float(_left_out(recipe, gate).quantile(0.05)) for gate in gates)
    return bound + recipe.margin * max(0.0, own - bound)


def _left_out(recipe: Recipe, gate: TicketGate) -> Tensor:
    """Each prototype's likeness to the others of its ticket, [m]: how a new probe of the same person would score."""
    cosines = torch.einsum("lnd,lmd->lnm", gate.rows, gate.rows)
    count = gate.rows.shape[1]
    if count == 1:
        return torch.ones(1)
    cosines.diagonal(dim1=1, dim2=2).fill_(-1.0)
    score = cosines.topk(min(recipe.neighbours, count - 1), dim=-1).values.mean(dim=(0, 2))
    if gate.harmless is not None and recipe.harmless_weight:
        beside = likeness(gate.rows.transpose(0, 1), gate.harmless, recipe.neighbours).clamp(min=0)
        score = score - recipe.harmless_weight * beside
    return score


def _conformal(scores: Tensor, level: float) -> float:
    """The ceil((n + 1) level)-th smallest score, or the largest where n does not support the level."""
    rank = min(int(-(-(scores.shape[0] + 1) * level // 1)), scores.shape[0])
    return float(scores.sort().values[rank - 1])


def dump(eraser: Eraser, manifest: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """The artifact's bytes, and `manifest` with everything added that `load` holds them against."""
    tensors = {"directions": eraser.directions}
    for index, gate in enumerate(eraser.gates):
        tensors[f"rows.{index}"] = shortest(gate.rows)
        if gate.harmless is not None:
            tensors[f"harmless.{index}"] = shortest(gate.harmless)
    if eraser.whitener is not None:
        w = eraser.whitener
        tensors |= {"mean": w.mean, "basis": w.basis, "scales": w.scales, "rest": w.rest}
    if eraser.linear is not None:
        tensors["linear"] = eraser.linear
    if eraser.held is not None:
        tensors["held"] = eraser.held
    if eraser.identity is not None:
        tensors |= {f"identity.{name}": value for name, value in eraser.identity.tensors().items()}
    if eraser.network is not None:
        tensors |= {f"network.{name}": value for name, value in eraser.network.tensors().items()}
    blob = pack(tensors, {"schema": ERASER_SCHEMA_VERSION})
    return blob, {
        **manifest,
        "schema_version": ERASER_SCHEMA_VERSION,
        "site": eraser.site.as_json(),
        "recipe": eraser.recipe.as_json(),
        "gated": list(eraser.gated),
        "covered": list(eraser.tickets),
        "threshold": None if eraser.is_empty else eraser.threshold,
        "calibration": eraser.calibration,
        "shapes": {name: list(value.shape) for name, value in sorted(tensors.items())},
        "tensors_sha256": hashlib.sha256(blob).hexdigest(),
    }


def load(blob: bytes, manifest: Mapping[str, Any]) -> Eraser:
    """The eraser that `dump` wrote; raises IntegrityFailure where bytes and manifest do not belong together."""
    if manifest.get("schema_version") != ERASER_SCHEMA_VERSION:
        raise IntegrityFailure(f"Schema version {manifest.get('schema_version')} of an eraser is not understood.")
    if hashlib.sha256(blob).hexdigest() != manifest.get("tensors_sha256"):
        raise IntegrityFailure("The eraser's tensors are not those of its manifest: the sha256 differs.")
    tensors, _ = unpack(blob)
    shapes = {name: list(value.shape) for name, value in sorted(tensors.items())}
    if shapes != manifest.get("shapes"):
        raise IntegrityFailure("The eraser's tensors do not have the shapes of its manifest.")
    try:
        covered = tuple(manifest["covered"])
        threshold = manifest["threshold"]
        whitener = None
        if "basis" in tensors:
            whitener = Whitener(tensors["mean"], tensors["basis"], tensors["scales"], tensors["rest"])
        count = sum(name.startswith("rows.") for name in tensors)
        beside = {name: value.float() for name, value in tensors.items() if name.startswith("harmless.")}
        if count not in (0, len(covered)):
            raise IntegrityFailure(f"The manifest covers {len(covered)} tickets, the tensors {count}.")
        return Eraser(
            recipe=Recipe.from_json(manifest["recipe"]),
            site=Site.from_json(manifest["site"]),
            directions=tensors["directions"],
            gated=tuple(manifest["gated"]),
            tickets=covered,
            threshold=float("inf") if threshold is None else float(threshold),
            gates=tuple(
                TicketGate(covered[i], tensors[f"rows.{i}"].float(), beside.get(f"harmless.{i}")) for i in range(count)
            ),
            whitener=whitener,
            linear=tensors.get("linear"),
            held=tensors.get("held"),
            identity=_identity(covered, tensors),
            network=_network(tensors),
            calibration=manifest.get("calibration"),
        )
    except (KeyError, TypeError, BadInput) as exc:
        raise IntegrityFailure(f"The eraser's manifest is not complete: {exc}.") from exc


def _identity(covered: tuple[str, ...], tensors: Mapping[str, Tensor]) -> IdentityGate | None:
    found = {name.removeprefix("identity."): value for name, value in tensors.items() if name.startswith("identity.")}
    return IdentityGate.from_tensors(covered, found) if found else None


def _network(tensors: Mapping[str, Tensor]) -> TwoLayer | None:
    own = {name.removeprefix("network."): value for name, value in tensors.items() if name.startswith("network.")}
    return TwoLayer(**own) if own else None
