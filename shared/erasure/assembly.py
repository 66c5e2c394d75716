"""Assembles an eraser from the base statistics and the fits of its tickets, and calibrates its thresholds."""

from collections.abc import Sequence
from typing import Final

import torch

from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity_thresholds import JOINT_RATE, calibrate
from shared.erasure.gates.linear import linear_gate
from shared.erasure.gates.mlp import two_layer_gate
from shared.erasure.gates.prototype import TicketGate, gate_score, gate_scores, leave_one_out_scores
from shared.erasure.gates.text import text_gate
from shared.erasure.numerics.conformal import conformal_quantile
from shared.erasure.recipe import Recipe
from shared.erasure.site import Site
from shared.erasure.ticket_fit import TicketFit
from shared.errors import BadInput

JOINT_BUDGET: Final = 0.06  # share of bystanders' prompts that may be near any ticket, over all tickets and a channel


def assemble(recipe: Recipe, statistics: BaseStatistics, site: Site, fits: Sequence[TicketFit]) -> Eraser:
    """The eraser of all `fits`; raises BadInput where fits or statistics were made with another recipe."""
    stale = [fit.ticket for fit in fits if fit.recipe != recipe.digest]
    if stale or statistics.recipe != recipe.digest:
        raise BadInput(f"Made with another recipe: {', '.join(stale) or 'the statistics'}.")
    if not fits:
        return Eraser.empty(recipe, site)
    tickets = tuple(fit.ticket for fit in fits)
    if statistics.identity is not None:
        identity, report = calibrate(
            statistics.identity,
            tickets,
            [fit.identity for fit in fits if fit.identity is not None],
            recipe.false_positive_rate,
            recipe.margin,
            min(JOINT_RATE, JOINT_BUDGET / len(fits)),
        )
        return Eraser(
            recipe,
            site,
            statistics.directions,
            statistics.gated,
            tickets,
            threshold=0.0,
            decode_directions=statistics.decode_directions,
            identity=identity,
            calibration=report,
            text=text_gate(fit.text for fit in fits),
            release=statistics.release,
            last_resort=statistics.last_resort,
        )
    if recipe.gate == "linear":
        linear = torch.zeros(len(site.layers), site.hidden_size, dtype=torch.float64)
        for index, layer in enumerate(statistics.gated):
            projected = torch.cat([fit.vectors[index] for fit in fits if fit.vectors is not None])
            linear[layer] = linear_gate(projected, recipe.gamma, absolute=recipe.gamma_absolute)
        return Eraser(
            recipe, site, statistics.directions, statistics.gated, tickets, threshold=0.5, linear=linear.float()
        )
    if recipe.gate in ("always", "mlp"):
        network = None
        if statistics.retain is not None:
            forget = torch.cat([fit.vectors for fit in fits if fit.vectors is not None], dim=1).transpose(0, 1)
            network = two_layer_gate(forget, statistics.retain, recipe.mlp_width, recipe.mlp_steps)
        return Eraser(recipe, site, statistics.directions, statistics.gated, tickets, threshold=0.5, network=network)
    gates = tuple(TicketGate(fit.ticket, fit.vectors, fit.harmless) for fit in fits if fit.vectors is not None)
    return Eraser(
        recipe,
        site,
        statistics.directions,
        statistics.gated,
        tickets,
        threshold=_prototype_threshold(recipe, statistics, gates),
        gates=gates,
        whitener=statistics.whitener,
        decode_directions=statistics.decode_directions,
    )


def _prototype_threshold(recipe: Recipe, statistics: BaseStatistics, gates: Sequence[TicketGate]) -> float:
    """Split-conformal quantile of the calibration prompts' best scores over all tickets: for the whole decision.

    Every ticket's harmless questions are calibration prompts too, scored against their own ticket. Where the tickets'
    own probes lie far above that bound, the threshold is raised by `margin` of the way to the lowest of them (5 %
    quantile of their leave-one-out scores).
    """
    assert statistics.calibration is not None
    others = gate_scores(recipe, statistics.calibration, gates).amax(dim=1)
    harmless = [gate_score(recipe, gate.harmless.transpose(0, 1), gate) for gate in gates if gate.harmless is not None]
    level = 1 - recipe.false_positive_rate
    bound = max(conformal_quantile(scores, level) for scores in (others, *harmless))
    own = min(float(leave_one_out_scores(recipe, gate).quantile(0.05)) for gate in gates)
    return bound + recipe.margin * max(0.0, own - bound)
