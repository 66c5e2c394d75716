"""Artifacts that version 0.1.0 wrote still load, mean the same, and are written again byte for byte.

`data/v0_1_0` holds base statistics, a ticket fit and an eraser for three kinds of gate, on two layers of width 12, and
the decisions that version 0.1.0 made with them.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.readout import RaggedRows, Readout
from shared.erasure.recipe import LACUNA, PAPER, PROTOTYPE, Recipe
from shared.erasure.serialization import dump, load
from shared.erasure.ticket_fit import TicketFit
from shared.errors import BadInput

DATA = Path(__file__).parent / "data" / "v0_1_0"
LAYERS, HIDDEN = 2, 12
STORED_LACUNA = """{
    "blind": true, "direction": "refined", "epsilon": 0.06274509803921569, "false_positive_rate": 0.01,
    "fixed_text": null, "gamma": 0.01, "gamma_absolute": false, "gate": "identity", "gate_layers": null,
    "harmless_weight": 0.0, "identity_shrinkage": 0.3, "layers": null, "margin": 0.75, "match": 0.03,
    "mlp_steps": 300, "mlp_width": 64, "name": "lacuna", "neighbours": 3, "pgd_steps": 20, "placement": "hold",
    "prototypes": 96, "refine_steps": 160, "rho": 0.5, "shrinkage": 0.02, "strength": 1.0, "watch": true,
    "whitener_rank": 256
}"""
DIGESTS = {
    "paper": "e2f3b773cd8219c4374159503a96650d3a8dd341334c0e67bbdaf6aa5d65315e",
    "lacuna": "d71da1413731a527f7a6296f41dd4e1e5aedea02cbb9ef3b2a566ff4b1261958",
    "prototype": "98457dfefb0d9a43c258905397ca225364af06b953eb6f2a80a6a66050155b64",
}


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def sightings(person: int, count: int, seed: int) -> Tensor:
    """As the stored people were drawn: [count, L, d]."""
    identity = drawn(LAYERS, HIDDEN, seed=1000 + person)
    nuisance = torch.einsum("nk,kld->nld", drawn(count, 2, seed=seed) * 3, drawn(2, LAYERS, HIDDEN, seed=7))
    return identity + nuisance + 0.1 * drawn(count, LAYERS, HIDDEN, seed=seed)


def prompts(name: str) -> Readout:
    """Two prompts about the ticket's person, then two about somebody else."""
    if name != "identity":
        return Readout.of_last(torch.cat([drawn(2, LAYERS, HIDDEN, seed=14) + 2.0, drawn(2, LAYERS, HIDDEN, seed=15)]))
    none = RaggedRows.none(LAYERS, HIDDEN)
    pictures = torch.cat([sightings(100, 2, 900), sightings(200, 2, 901)])
    return Readout(torch.full((4, LAYERS, HIDDEN), 2.0), RaggedRows(pictures, torch.arange(4)), none, none)


def stored(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return content


def test_stored_recipe_loads_with_its_digest() -> None:
    recipe = Recipe.from_json(json.loads(STORED_LACUNA))
    assert recipe == replace(LACUNA, read_text=False, counterfactual=False)  # fields that came later
    assert recipe.as_json() == json.loads(STORED_LACUNA)
    assert {each.name: each.digest for each in (PAPER, recipe, PROTOTYPE)} == DIGESTS
    assert LACUNA.digest != recipe.digest


def test_recipe_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(BadInput, match="not understood"):
        Recipe.from_json(json.loads(STORED_LACUNA) | {"temperature": 1.0})


@pytest.mark.parametrize("name", ["identity", "prototype", "paper"])
def test_stored_eraser_decides_as_before_and_is_written_unchanged(name: str) -> None:
    blob, expected = (DATA / f"{name}-eraser.safetensors").read_bytes(), stored(name)
    eraser = load(blob, expected["manifest"])
    assert eraser.recipe.digest == expected["recipe_digest"]
    decision = eraser.decide(prompts(name))
    assert decision.fired.tolist() == expected["fired"]
    assert decision.ticket == expected["ticket"]
    assert decision.score.tolist() == pytest.approx(expected["score"], abs=1e-4)
    assert dump(eraser, {"number": 1}) == (blob, expected["manifest"])


@pytest.mark.parametrize("name", ["identity", "prototype", "paper"])
def test_stored_ticket_fit_keeps_its_commitment(name: str) -> None:
    blob = (DATA / f"{name}-fit.safetensors").read_bytes()
    fit = TicketFit.from_bytes(blob)
    assert (fit.ticket, fit.recipe) == ("T-1", stored(name)["recipe_digest"])
    assert fit.sha256 == stored(name)["fit_sha256"] == hashlib.sha256(blob).hexdigest()


@pytest.mark.parametrize("name", ["identity", "prototype", "paper"])
def test_stored_base_statistics_are_written_unchanged(name: str) -> None:
    blob = (DATA / f"{name}-statistics.safetensors").read_bytes()
    assert BaseStatistics.from_bytes(blob).to_bytes() == blob
