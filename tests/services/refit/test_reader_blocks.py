"""LACUNA_READER_BLOCKS: which blocks the gate of a new version reads."""

from dataclasses import replace

import pytest

from services.refit.context import RefitContext
from shared.core.config import Settings
from shared.core.progress import Progress
from shared.erasure.recipe import LACUNA, PAPER, Recipe
from tests.support.refits import RefitHarness


@pytest.fixture
def context(harness: RefitHarness) -> RefitContext:
    return harness.context


def settled(context: RefitContext, recipe: Recipe, blocks: int) -> RefitContext:
    """The context after the recipe was settled, as a refit settles it."""
    fresh = replace(context, recipe=recipe, reader_blocks=blocks)
    fresh.ensure_profile(Progress("test", lambda _: None))
    return fresh


@pytest.mark.parametrize(
    ("named", "blocks", "read"),
    [(None, 0, None), (None, 2, (0, 1)), ((0,), 2, (0,)), ((1, 3), 2, (0, 1)), ((1, 3), 0, (1, 3))],
)
def test_gate_reads_the_first_blocks_where_it_would_read_deeper(
    context: RefitContext, named: tuple[int, ...] | None, blocks: int, read: tuple[int, ...] | None
) -> None:
    recipe = replace(LACUNA, gate_layers=named)
    assert settled(context, recipe, blocks).recipe == replace(LACUNA, gate_layers=read)


def test_forward_rollback_reads_the_first_blocks_too(context: RefitContext) -> None:
    assert settled(context, LACUNA, 2).recipe_named("lacuna") == replace(LACUNA, gate_layers=(0, 1))
    assert settled(context, LACUNA, 0).recipe_named("lacuna") == LACUNA


def test_recipe_without_an_identity_gate_stays(context: RefitContext) -> None:
    assert settled(context, PAPER, 2).recipe == PAPER


def test_default_leaves_every_recipe_as_it_is() -> None:
    assert Settings().reader_blocks == 0
