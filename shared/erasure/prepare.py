"""Computes base statistics from activations, in float64 and streamed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.gates.identity_fit import IdentitySpaces, IdentityStatistics, KnownFaces, whitener_of_people
from shared.erasure.gates.topic import TopicDiscriminant
from shared.erasure.numerics.moments import SCATTER_BYTES, Moments
from shared.erasure.numerics.nullspace import null_basis
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.readout import RaggedRows
from shared.erasure.recipe import Recipe
from shared.erasure.site import Site
from shared.errors import BadInput

T = TypeVar("T")
Batches = Callable[[], Iterable[Tensor]]  # the retain set from its beginning, [n, L, d] at a time
CHUNK: Final = 256  # activations that are taken in at once
WAITING_BYTES: Final = 256 << 20  # of float32 activations that wait to be whitened together


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


class RowsOfBatch(NamedTuple):
    """Rows of some prompts, and the position of each of those prompts in the whole list."""

    positions: Sequence[int]
    rows: RaggedRows


@dataclass(frozen=True)
class Reread(Generic[T]):
    """Values that are made anew, one after another, each time that they are iterated over."""

    read: Callable[[], Iterator[T]]

    def __iter__(self) -> Iterator[T]:
        return self.read()


@dataclass(frozen=True)
class IdentityTrainingSet:
    """What the identity gate learns from, read when it is needed: nothing here has to be in memory as a whole.

    `faces` and `names`: one group [n_i, L, d] for each retained person who has a photograph, or a name. `pictures` (a
    row [L, d] for each) and `words` (one for each token) belong to the calibration set, which has `people` identities.
    `facts` and `harmless`, in parts [n, L, d]: last prompt tokens of questions of fact with a picture, and of questions
    that anybody can answer by looking. Any of them may be empty, but not `faces` and `names` both. `layers` are the
    positions in the site's list that L stands for, None for all.

    With `face_ids`, who is in each group of `faces`, rows of pictures are [L + 1, d] (`Readout.whole_pictures`);
    `picture_ids` then say who is in each prompt of `pictures`, None where that is not known.
    """

    faces: Iterable[Tensor]
    names: Iterable[Tensor]
    pictures: Iterable[RowsOfBatch]
    words: Iterable[RowsOfBatch]
    people: int
    facts: Iterable[Tensor]
    harmless: Iterable[Tensor]
    layers: tuple[int, ...] | None = None
    face_ids: tuple[str, ...] | None = None
    picture_ids: tuple[str | None, ...] = ()

    def in_memory(self) -> "IdentityTrainingSet":
        """The same, read once and kept: for several recipes on a small model."""
        return replace(
            self,
            faces=list(self.faces),
            names=list(self.names),
            pictures=list(self.pictures),
            words=list(self.words),
            facts=list(self.facts),
            harmless=list(self.harmless),
        )


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
    at = _Places.of(gated, training_set.layers, len(site.layers))
    at_pictures = replace(at, extra=training_set.face_ids is not None)
    seen = _GroupMeans(Reread(lambda: map(at_pictures.of_rows, training_set.faces)))
    none = RaggedRows(torch.zeros(0, len(gated), site.hidden_size, dtype=torch.float16), torch.zeros(0).long())
    rank, shrinkage = recipe.whitener_rank, recipe.identity_shrinkage
    portraits = whitener_of_people(seen, rank, shrinkage)
    pictures, topic, embedded, known = none.rows, None, None, None
    if portraits is not None:
        whole = _whitened(portraits, training_set.pictures, at_pictures)
        if training_set.face_ids is not None:
            embedded = portraits.at(len(gated), len(gated) + 1)
            portraits = portraits.at(0, len(gated))
            known = _known_faces(training_set, embedded(torch.stack(seen.means)[:, len(gated) :]), whole)
        if whole is not None:
            pictures = whole.rows[:, : len(gated)].contiguous()
        facts, harmless = (_joined(map(at.of_rows, part)) for part in (training_set.facts, training_set.harmless))
        if facts is not None and harmless is not None:
            topic = TopicDiscriminant.fit(facts, harmless)
        del facts, harmless
    names = whitener_of_people(Reread(lambda: map(at.of_rows, training_set.names)), rank, shrinkage)
    if portraits is None and names is None:
        raise BadInput("The retain set has nobody with a photograph or a name: the gate cannot learn to tell people.")
    words = none if names is None else _whitened(names, training_set.words, at) or none
    spaces = IdentitySpaces(portraits, names, topic, embedded)
    at_input = None
    if embedded is not None:
        at_input = none.rows[:, :1] if whole is None else whole.rows[:, len(gated) :].contiguous()
    identity = IdentityStatistics(spaces, pictures, words, training_set.people, at_input, known)
    return BaseStatistics(
        recipe.digest,
        gated,
        _at_steered_layers(recipe, site, directions),
        decode_directions=None if decode_directions is None else _at_steered_layers(recipe, site, decode_directions),
        identities=() if known is None else known.ids,
        identity=identity,
    )


class _GroupMeans:
    """Groups of rows [n, L, d] whose `means` [L, d] are kept while they are read: those of the latest reading."""

    def __init__(self, groups: Iterable[Tensor]) -> None:
        self._groups = groups
        self.means: list[Tensor] = []

    def __iter__(self) -> Iterator[Tensor]:
        self.means.clear()
        for rows in self._groups:
            self.means.append(rows.mean(dim=0))
            yield rows


def _known_faces(training_set: IdentityTrainingSet, retained: Tensor, pictures: RaggedRows | None) -> KnownFaces:
    """From the faces of retained people [P, 1, d] and the whitened calibration pictures, rows [c, L + 1, d]."""
    face_ids = training_set.face_ids or ()
    of = [] if pictures is None else pictures.of.tolist()
    shown = [training_set.picture_ids[prompt] for prompt in of]
    people = list(dict.fromkeys(person for person in shown if person is not None))
    owners = torch.tensor([-1 if person is None else people.index(person) for person in shown], dtype=torch.long)
    faces = []
    if pictures is not None:
        white = pictures.rows[:, -1:].float()
        faces = [F.normalize(white[owners == number].mean(dim=0), dim=-1) for number in range(len(people))]
    return KnownFaces(torch.cat([torch.stack(faces), retained]) if faces else retained, owners, (*people, *face_ids))


@dataclass(frozen=True)
class _Places:
    """The gated layers among those that rows hold; None where they are the same. `extra`: rows have one more, kept."""

    places: tuple[int, ...] | None
    extra: bool = False

    @classmethod
    def of(cls, gated: tuple[int, ...], held: tuple[int, ...] | None, count: int) -> "_Places":
        held = tuple(range(count)) if held is None else held
        missing = sorted(set(gated) - set(held))
        if missing:
            raise BadInput(f"The training set was read at other layers than the gate: {missing} are missing.")
        return cls(None if held == gated else tuple(held.index(layer) for layer in gated))

    def of_rows(self, rows: Tensor) -> Tensor:
        """[n, L, d] -> [n, G, d]; with `extra` [n, L + 1, d] -> [n, G + 1, d]."""
        if self.places is None:
            return rows
        return rows[:, [*self.places, *([-1] if self.extra else [])]]


def _whitened(whitener: Whitener, batches: Iterable[RowsOfBatch], at: _Places) -> RaggedRows | None:
    """The whitened rows of all prompts in their order, float16; None without a row.

    Rows are whitened as soon as WAITING_BYTES of them have come, so that no more are held in float32.
    """
    waiting: list[tuple[Sequence[int], RaggedRows]] = []
    parts: list[RaggedRows] = []

    def whiten() -> None:
        rows = RaggedRows.ordered(waiting)
        waiting.clear()
        parts.append(RaggedRows(whitener(rows.rows).half(), rows.of))

    for positions, rows in batches:
        if rows.rows.shape[0]:
            waiting.append((positions, RaggedRows(at.of_rows(rows.rows), rows.of)))
        if sum(part.rows.numel() * part.rows.element_size() for _, part in waiting) >= WAITING_BYTES:
            whiten()
    if waiting:
        whiten()
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    every = range(1 + max(int(part.of.max()) for part in parts))
    return RaggedRows.ordered([(every, part) for part in parts])


def _joined(parts: Iterable[Tensor]) -> Tensor | None:
    """The rows of all parts; None without a row."""
    present = [part for part in parts if part.shape[0]]
    if len(present) == 1:
        return present[0]
    return torch.cat(present) if present else None


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
