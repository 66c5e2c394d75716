"""Compute base statistics from activations."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.gates.identity_fit import IdentityStatistics, within_person_whitener
from shared.erasure.gates.topic import TopicDiscriminant
from shared.erasure.numerics.moments import Moments
from shared.erasure.numerics.nullspace import null_basis
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.readout import RaggedRows
from shared.erasure.recipe import Recipe
from shared.erasure.site import Site
from shared.errors import BadInput

Batches = Callable[[], Iterable[Tensor]]  # the retain set from its beginning, [n, L, d] at a time
ROWS: Final = 256  # taken in at once
SCATTER_BYTES: Final = 4 << 30  # most that the scatter matrices take at once: 32 layers at d = 4096


def prepare(
    recipe: Recipe,
    site: Site,
    *,
    retain: Tensor,
    calibration: Tensor,
    identities: Sequence[str],
    directions: Tensor,
    decode_directions: Tensor | None = None,
) -> BaseStatistics:
    """For gates at the last token: from activations `retain` [n, L, d], `calibration` [c, L, d], and the pulls."""
    return prepare_streamed(
        recipe,
        site,
        retain=lambda: [retain],
        calibration=calibration,
        identities=identities,
        directions=directions,
        decode_directions=decode_directions,
    )


def prepare_streamed(
    recipe: Recipe,
    site: Site,
    *,
    retain: Batches,
    calibration: Tensor,
    identities: Sequence[str],
    directions: Tensor,
    decode_directions: Tensor | None = None,
    layers_at_once: int | None = None,
) -> BaseStatistics:
    """`prepare` from batches: memory is that of `layers_at_once` scatter matrices, however large the retain set.

    `retain` is called, and read to its end, once for each group of layers; as many are taken as SCATTER_BYTES holds
    unless `layers_at_once` says otherwise. Groups do not change a bit; batches of other sizes change the last ones.
    """
    if len(identities) != calibration.shape[0]:
        raise BadInput("Every calibration prompt needs the identity it speaks of.")
    gated = _indices(site, recipe.gate_layers)
    chosen, kept = (
        _steered(recipe, site, directions),
        None if decode_directions is None else _steered(recipe, site, decode_directions),
    )
    if recipe.gate == "always":
        return BaseStatistics(recipe.digest, gated, chosen)
    if recipe.gate == "mlp":
        rows = torch.cat([batch[:, list(gated)].float() for batch in retain()])
        return BaseStatistics(recipe.digest, gated, chosen, retain=rows)
    null: list[Tensor] = []
    whiteners: list[Whitener] = []
    for group in _groups(gated, layers_at_once or SCATTER_BYTES // (8 * site.hidden_size**2)):
        moments = Moments(len(group), site.hidden_size)
        for batch in retain():
            for part in batch.split(ROWS):
                moments.add(part[:, list(group)])
        if recipe.gate == "linear":
            null += [null_basis(second, recipe.rho) for second in moments.second()]
        else:
            found = Whitener.fit(moments.mean, moments.covariance(), recipe.whitener_rank, recipe.shrinkage)
            whiteners.append(found)
    if recipe.gate == "linear":
        return BaseStatistics(recipe.digest, gated, chosen, null=tuple(null), decode_directions=kept)
    whitener = Whitener.joined(whiteners)
    white = whitener(calibration[:, list(gated)].float())
    return BaseStatistics(
        recipe.digest,
        gated,
        chosen,
        whitener=whitener,
        calibration=white,
        identities=tuple(identities),
        decode_directions=kept,
    )


@dataclass(frozen=True)
class IdentityTrainingSet:
    """What the identity gate learns from, at all of the site's layers.

    `faces` and `names`: one group a retained person, [n_i, L, d]. `pictures` [c, L, d] and `words` are those of the
    calibration set, of `people` persons. `facts` and `harmless` [n, L, d]: last tokens of both kinds of question.
    """

    faces: Sequence[Tensor]
    names: Sequence[Tensor]
    pictures: Tensor
    words: RaggedRows
    people: int
    facts: Tensor
    harmless: Tensor


def prepare_identity(
    recipe: Recipe,
    site: Site,
    seen: IdentityTrainingSet,
    *,
    directions: Tensor,
    decode_directions: Tensor | None = None,
) -> BaseStatistics:
    """For the gate at the tokens that say who is meant; raises BadInput where the retain set cannot teach it."""
    gated = gated_layers(recipe, site)
    some = list(gated)
    faces, names = (
        within_person_whitener([one[:, some] for one in groups], recipe.whitener_rank, recipe.identity_shrinkage)
        for groups in (seen.faces, seen.names)
    )
    identity = IdentityStatistics(
        portraits=faces,
        names=names,
        pictures=faces(seen.pictures[:, some]),
        words=RaggedRows(names(seen.words.rows[:, some]), seen.words.of),
        people=seen.people,
        topic=TopicDiscriminant.fit(seen.facts[:, some], seen.harmless[:, some]) if seen.harmless.shape[0] else None,
    )
    return BaseStatistics(
        recipe.digest,
        gated,
        _steered(recipe, site, directions),
        decode_directions=None if decode_directions is None else _steered(recipe, site, decode_directions),
        identity=identity,
    )


def gated_layers(recipe: Recipe, site: Site) -> tuple[int, ...]:
    """The places in the site's list of layers that the gate reads."""
    return _indices(site, recipe.gate_layers)


def _steered(recipe: Recipe, site: Site, pull: Tensor) -> Tensor:
    """The pull, zero at the layers that the recipe does not steer."""
    pulled = set(_indices(site, recipe.layers))
    return torch.stack([row if i in pulled else torch.zeros_like(row) for i, row in enumerate(pull.float())])


def _groups(layers: Sequence[int], most: int) -> list[tuple[int, ...]]:
    most = max(1, most)
    return [tuple(layers[start : start + most]) for start in range(0, len(layers), most)]


def _indices(site: Site, layers: tuple[int, ...] | None) -> tuple[int, ...]:
    """Places in the site's list of layers; raises BadInput for a layer that the site does not declare."""
    if layers is None:
        return tuple(range(len(site.layers)))
    missing = [layer for layer in layers if layer not in site.layers]
    if missing:
        raise BadInput(f"The recipe names layers {missing} that the site does not declare.")
    return tuple(site.layers.index(layer) for layer in layers)
