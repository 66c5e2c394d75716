"""Each ablation takes away one part of the paper's recipe and nothing else; the full recipe is tested beside it."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from shared.erasure.ablations import ablations
from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.gates.mlp import two_layer_gate
from shared.erasure.prepare import prepare
from shared.erasure.readout import Readout
from shared.erasure.recipe import PAPER, Recipe
from shared.erasure.serialization import dump, load
from shared.erasure.site import Site
from shared.erasure.ticket_fit import fit_ticket

SITE = Site((0, 1, 2, 3), 24, "a" * 64, "b" * 64, "c" * 64, "float32")
RECIPES = ablations(SITE.layers, "I cannot help with that.", "I do not know this person.")


def drawn(n: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(n, 4, 24, generator=torch.Generator().manual_seed(seed)) + shift


def eraser_of(recipe: Recipe) -> Eraser:
    """An eraser of two tickets."""
    base = prepare(
        recipe,
        SITE,
        retain=drawn(60, 0),
        calibration=drawn(40, 1),
        identities=[f"p{i // 4}" for i in range(40)],
        directions=drawn(1, 2)[0],
    )
    base = BaseStatistics.from_bytes(base.to_bytes())
    rows = [fit_ticket(recipe, base, f"T-{i}", drawn(8, 10 + i, 3.0)) for i in range(2)]
    eraser = assemble(recipe, base, SITE, rows)
    blob, manifest = dump(eraser, {})
    return load(blob, manifest)


@pytest.mark.parametrize(("name", "silent"), [("paper-early", (2, 3)), ("paper-late", (0, 1))])
def test_layers_outside_the_recipe_are_not_steered(name: str, silent: tuple[int, ...]) -> None:
    """Steering vectors are zero outside of the recipe's layers, and those of the full recipe inside."""
    half, whole = eraser_of(RECIPES[name]).steering_vector(), eraser_of(PAPER).steering_vector()
    for layer in SITE.layers:
        expected = torch.zeros(24) if layer in silent else whole[layer]
        assert torch.equal(half[layer], expected)
        assert not torch.equal(whole[layer], torch.zeros(24))


def test_input_unaware_gate_is_one_for_every_prompt() -> None:
    """At every layer; the paper's own gate is not."""
    rows = drawn(5, 3)
    assert torch.equal(eraser_of(RECIPES["paper-input-unaware"]).gate_at(2, rows[:, 2]), torch.ones(5))
    assert not torch.allclose(eraser_of(PAPER).gate_at(2, rows[:, 2]), torch.ones(5), atol=0.1)


def test_two_layer_gate_learns_its_targets() -> None:
    """1 on the forget rows and 0 on the retain rows of the fit, the same every time, and it survives the artifact."""
    forget, retain = drawn(16, 4, 3.0), drawn(60, 5)
    gate = two_layer_gate(forget, retain, 32, 300)
    again = two_layer_gate(forget, retain, 32, 300)
    for layer in range(4):
        assert (gate.at(layer, forget[:, layer]) - 1).abs().mean() < 0.1
        assert gate.at(layer, retain[:, layer]).abs().mean() < 0.1
        assert torch.equal(gate.at(layer, retain[:, layer]), again.at(layer, retain[:, layer]))
    eraser = eraser_of(RECIPES["paper-mlp"])
    assert eraser.network is not None
    assert (eraser.gate_at(1, drawn(8, 10, 3.0)[:, 1]) - 1).abs().mean() < 0.1


def test_fixed_refusal_decides_from_the_mean_gate() -> None:
    """`gate + fixed refusal` decides from the unsteered layers' mean gate; the recipe it comes from does not."""
    recipe = RECIPES["paper-fixed-refusal"]
    assert recipe.decides
    assert not PAPER.decides
    eraser = eraser_of(recipe)
    rows = drawn(8, 10, 3.0)
    gates = torch.stack([eraser.gate_at(layer, rows[:, layer]) for layer in SITE.layers], dim=1).mean(dim=1)
    assert torch.equal(eraser.decide(Readout.of_last(rows)).fired, gates > 0.5)
    assert eraser.decide(Readout.of_last(rows)).fired.all()


def test_ablations_have_distinct_names_and_digests() -> None:
    """So that artifacts of one are never taken for another's."""
    assert all(recipe.name == name for name, recipe in RECIPES.items())
    assert len({recipe.digest for recipe in (*RECIPES.values(), PAPER)}) == len(RECIPES) + 1
    assert Recipe.from_json(RECIPES["paper-early"].as_json()) == RECIPES["paper-early"]
    assert replace(RECIPES["paper-late"], layers=None, name="paper") == PAPER
