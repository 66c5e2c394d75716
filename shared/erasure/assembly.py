"""Assemble an eraser from statistics and ticket fits."""

from collections.abc import Sequence

import torch

from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import calibrate
from shared.erasure.gates.linear import linear_gate
from shared.erasure.gates.mlp import two_layer_gate
from shared.erasure.gates.prototype import TicketGate, _left_out, _score, _scores
from shared.erasure.numerics.conformal import conformal_quantile
from shared.erasure.recipe import Recipe
from shared.erasure.site import Site
from shared.erasure.ticket_fit import TicketFit
from shared.errors import BadInput


def assemble(recipe: Recipe, statistics: BaseStatistics, site: Site, rows: Sequence[TicketFit]) -> Eraser:
    """The eraser of all `rows`; raises BadInput where rows or statistics were made with another recipe."""
    stale = [one.ticket for one in rows if one.recipe != recipe.digest]
    if stale or statistics.recipe != recipe.digest:
        raise BadInput(f"Made with another recipe: {', '.join(stale) or 'the statistics'}.")
    if not rows:
        return Eraser.empty(recipe, site)
    tickets = tuple(one.ticket for one in rows)
    if statistics.identity is not None:
        identity, levels = calibrate(
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
            decode_directions=statistics.decode_directions,
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
        decode_directions=statistics.decode_directions,
    )


def _threshold(recipe: Recipe, statistics: BaseStatistics, gates: Sequence[TicketGate]) -> float:
    """Split-conformal quantile of the calibration prompts' best scores (Vovk et al. 2005), for the whole decision.

    Every ticket's harmless questions are among the prompts, held against their own rows. Where the tickets' own probes
    lie far above that bound, it is raised by `margin` of the way to the lowest of them (5 % quantile, each left out).
    """
    assert statistics.calibration is not None
    others = _scores(recipe, statistics.calibration, gates).amax(dim=1)
    harmless = [_score(recipe, gate.harmless.transpose(0, 1), gate) for gate in gates if gate.harmless is not None]
    level = 1 - recipe.false_positive_rate
    bound = max(conformal_quantile(scores, level) for scores in (others, *harmless))
    own = min(float(_left_out(recipe, gate).quantile(0.05)) for gate in gates)
    return bound + recipe.margin * max(0.0, own - bound)
