"""Computes base statistics from activations, in float64 and streamed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.gates.identity_fit import IdentitySpaces, IdentityStatistics, within_person_whitener
from shared.erasure.gates.topic import TopicDiscriminant
from shared.erasure.numerics.moments import Moments
from shared.erasure.numerics.nullspace import null_basis
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.readout import RaggedRows
from shared.erasure.recipe import Recipe
from shared.erasure.site import Site
from shared.errors import BadInput

Batches = Callable[[], Iterable[Tensor]]  # the retain set from its beginning, [n, L, d] at a time
CHUNK: Final = 256  # activations that are taken in at once
SCATTER_BYTES: Final = 4 << 30  # most memory for the scatter matrices: 32 layers at d = 4096


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
    """For gates at the last prompt token: `retain` [n, L, d], `calibration` [c, L, d], and the directions [L, d].

    Raises BadInput where a calibration prompt has no identity, or the recipe names a layer that the site lacks.
    """
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

    `retain` is called, and read to its end, once for each group of layers. A group has as many layers as SCATTER_BYTES
    holds unless `layers_at_once` says otherwise. The grouping does not change a bit of the result; batches of other
    sizes change the last bits.
    """
    if len(identities) != calibration.shape[0]:
        raise BadInput("Every calibration prompt needs the identity it speaks of.")
    gated = _layer_positions(site, recipe.gate_layers)
    chosen, kept = (
        _at_steered_layers(recipe, site, directions),
        None if decode_directions is None else _at_steered_layers(recipe, site, decode_directions),
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
            for part in batch.split(CHUNK):
                moments.add(part[:, list(group)])
        if recipe.gate == "linear":
            null += [null_basis(matrix, recipe.rho) for matrix in moments.second_moments()]
        else:
            whitener = Whitener.fit(moments.mean, moments.covariances(), recipe.whitener_rank, recipe.shrinkage)
            whiteners.append(whitener)
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

    `faces` and `names`: one group [n_i, L, d] for each retained person who has a photograph, or a name. `pictures`
    [c, L, d] and `words` belong to the calibration set, which has `people` identities. `facts` and `harmless`
    [n, L, d]: last prompt tokens of questions of fact with a picture, and of questions that anybody can answer by
    looking. Any of them may be empty, but not `faces` and `names` both.
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
    training_set: IdentityTrainingSet,
    *,
    directions: Tensor,
    decode_directions: Tensor | None = None,
) -> BaseStatistics:
    """For the identity gate; raises BadInput where the retain set has nobody who was seen or named twice.

    Without faces, or names, there is no space to compare them in, and without questions of both kinds no topic.
    """
    gated = gated_layers(recipe, site)
    some = list(gated)
    if not training_set.faces and not training_set.names:
        raise BadInput("The retain set has nobody with a photograph or a name: the gate cannot learn to tell people.")
    portraits, names = (
        within_person_whitener([group[:, some] for group in groups], recipe.whitener_rank, recipe.identity_shrinkage)
        if groups
        else None
        for groups in (training_set.faces, training_set.names)
    )
    topic = None
    if portraits is not None and training_set.harmless.shape[0] and training_set.facts.shape[0]:
        topic = TopicDiscriminant.fit(training_set.facts[:, some], training_set.harmless[:, some])
    none = RaggedRows.none(len(some), site.hidden_size)
    words = none
    if names is not None and training_set.words.rows.shape[0]:
        words = RaggedRows(names(training_set.words.rows[:, some]), training_set.words.of)
    pictures = none.rows
    if portraits is not None and training_set.pictures.shape[0]:
        pictures = portraits(training_set.pictures[:, some])
    identity = IdentityStatistics(IdentitySpaces(portraits, names, topic), pictures, words, training_set.people)
    return BaseStatistics(
        recipe.digest,
        gated,
        _at_steered_layers(recipe, site, directions),
        decode_directions=None if decode_directions is None else _at_steered_layers(recipe, site, decode_directions),
        identity=identity,
    )


def gated_layers(recipe: Recipe, site: Site) -> tuple[int, ...]:
    """The positions in the site's list of layers that the gate reads."""
    return _layer_positions(site, recipe.gate_layers)


def _at_steered_layers(recipe: Recipe, site: Site, vectors: Tensor) -> Tensor:
    """`vectors` [L, d], zero at the layers that the recipe does not steer."""
    steered = set(_layer_positions(site, recipe.layers))
    return torch.stack([row if i in steered else torch.zeros_like(row) for i, row in enumerate(vectors.float())])


def _groups(layers: Sequence[int], most: int) -> list[tuple[int, ...]]:
    most = max(1, most)
    return [tuple(layers[start : start + most]) for start in range(0, len(layers), most)]


def _layer_positions(site: Site, layers: tuple[int, ...] | None) -> tuple[int, ...]:
    """Positions in the site's list of layers; raises BadInput for a layer that the site does not declare."""
    if layers is None:
        return tuple(range(len(site.layers)))
    missing = [layer for layer in layers if layer not in site.layers]
    if missing:
        raise BadInput(f"The recipe names layers {missing} that the site does not declare.")
    return tuple(site.layers.index(layer) for layer in layers)
