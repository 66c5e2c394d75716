"""Statistics of the identity gate (one base model and retain set) and its fits (one ticket)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.erasure.gates.name_windows import WINDOW, window_scores
from shared.erasure.gates.topic import TopicDiscriminant
from shared.erasure.numerics.moments import SCATTER_BYTES, WithinGroupMoments
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.readout import RaggedRows
from shared.errors import BadInput

OWN_QUANTILE: Final = 0.05
SEPARATION: Final = 0.1  # mean cosine by which a spelling has to be closer to itself than any other words are
# The same for photographs. On the demo model the same face lies at -0.06 to -0.01, everybody else above 0.08.
PHOTO_SEPARATION: Final = 0.03

NOBODY_TWICE: Final = "The retain set has no person who was seen twice: it cannot tell a person from a wording."
FIT_TENSORS: Final = ("portraits", "names", "lengths", "whole", "own")  # as stored, in the order of the fields
LATER_FIT_TENSORS: Final = ("embedded", "resembles")  # the same, of fits that read pictures at the input as well
_WHITENER_TENSORS: Final = ("mean", "basis", "scales", "rest")


@dataclass(frozen=True)
class IdentitySpaces:
    """The whitened spaces in which faces and names are compared, and what separates harmless questions.

    `portraits` is None where nobody retained has a photograph or the model reads no pictures, `names` where nobody
    retained has a name: nothing is then recognised through that channel. `embedded` compares pictures at the input of
    the first block, as the only one of its layers; None where they were not read there.
    """

    portraits: Whitener | None
    names: Whitener | None
    topic: TopicDiscriminant | None
    embedded: Whitener | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """The number G of gated layers, and the width d."""
        whitener = self.portraits or self.names
        if whitener is None:
            raise BadInput("These statistics compare neither pictures nor names.")
        return whitener.mean.shape[0], whitener.mean.shape[1]

    def tensors(self) -> dict[str, Tensor]:
        """By their names in an artifact; without those of a space that does not exist."""
        tensors = {
            f"{space}.{name}": getattr(whitener, name)
            for space, whitener in (("portraits", self.portraits), ("names", self.names), ("embedded", self.embedded))
            if whitener is not None
            for name in _WHITENER_TENSORS
        }
        if self.topic is not None:
            tensors |= {"topic.weights": self.topic.weights, "topic.bias": self.topic.bias}
            tensors["topic.threshold"] = torch.tensor(self.topic.threshold, dtype=torch.float64)
        return tensors

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "IdentitySpaces":
        """Back; raises KeyError where a tensor of a space is missing, or where there is no space at all."""
        portraits, names, embedded = (
            Whitener(*(tensors[f"{space}.{name}"] for name in _WHITENER_TENSORS))
            if any(name.startswith(f"{space}.") for name in tensors)
            else None
            for space in ("portraits", "names", "embedded")
        )
        if portraits is None and names is None:
            raise KeyError("portraits.mean")
        topic = None
        if "topic.weights" in tensors:
            threshold = float(tensors["topic.threshold"])
            topic = TopicDiscriminant(tensors["topic.weights"], tensors["topic.bias"], threshold)
        return cls(portraits, names, topic, embedded)


@dataclass(frozen=True)
class KnownFaces:
    """The people whose pictures the statistics hold, with the calibration people first.

    `faces` [Q, 1, d]: the mean of each one's pictures, a unit vector in the space `embedded`. `ids` name them.
    `owners` [c]: who is in each picture of the calibration set, as an index into `faces`; -1 where nobody knows.
    """

    faces: Tensor
    owners: Tensor
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class IdentityStatistics:
    """Of a base model and its retain set: how one person varies, and what other people score by chance.

    `pictures` [c, G, d] and `words` (rows [N, G, d]) are whitened unit vectors of the calibration set, float16 as they
    are stored; `people` is the number of its identities. `embedded` [c, 1, d] and `known` belong to the space of that
    name, and are None without it.
    """

    spaces: IdentitySpaces
    pictures: Tensor
    words: RaggedRows
    people: int
    embedded: Tensor | None = None
    known: KnownFaces | None = None

    def tensors(self) -> dict[str, Tensor]:
        """By their names in an artifact; the calibration set as float16, of the spaces that exist."""
        tensors = {"calibration.people": torch.tensor(self.people)}
        if self.spaces.portraits is not None:
            tensors["calibration.pictures"] = self.pictures.half()
        if self.embedded is not None and self.known is not None:
            tensors |= {"calibration.embedded": self.embedded.half(), "calibration.owners": self.known.owners}
            tensors["known.faces"] = self.known.faces
        if self.spaces.names is not None:
            tensors |= {"calibration.words": self.words.rows.half(), "calibration.of": self.words.of}
        return tensors | self.spaces.tensors()

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], ids: tuple[str, ...] = ()) -> "IdentityStatistics":
        """Back, with the `ids` of the known faces; raises KeyError where a tensor is missing."""
        spaces = IdentitySpaces.from_tensors(tensors)
        none = RaggedRows.none(*spaces.shape)
        words = none
        if spaces.names is not None:
            words = RaggedRows(tensors["calibration.words"], tensors["calibration.of"])
        pictures = none.rows if spaces.portraits is None else tensors["calibration.pictures"]
        embedded, known = None, None
        if spaces.embedded is not None:
            embedded = tensors["calibration.embedded"]
            known = KnownFaces(tensors["known.faces"], tensors["calibration.owners"], ids)
        return cls(spaces, pictures, words, int(tensors["calibration.people"]), embedded, known)


@dataclass(frozen=True)
class IdentityFit:
    """What one ticket adds. `portraits` [m, G, d]: one unit vector for each photograph.

    `names` [v, n, G, d]: for each spelling a window of unit vectors, aligned at its end, zero where it is shorter;
    `lengths` [v] are the tokens in the window, `mention_lengths` [v] those of the longest mention. `own_scores` [2]:
    what a new picture and a new mention of the same person would score (5 % quantile of leave-one-out cosines).

    Where pictures are read at the input too, `embedded` [m, 1, d] holds the photographs there, `own_scores` [3] has a
    third value for it, and both values for pictures are those of kinds of change that the vectors were not made from.
    `resembles` [r]: the known faces, by their index, from which the photographs cannot be told.
    """

    portraits: Tensor
    names: Tensor
    lengths: Tensor
    mention_lengths: Tensor
    own_scores: Tensor
    embedded: Tensor | None = None
    resembles: Tensor | None = None

    def tensors(self) -> dict[str, Tensor]:
        """By their names in an artifact; without those of parts that it lacks."""
        values = (self.portraits, self.names, self.lengths, self.mention_lengths, self.own_scores)
        tensors = dict(zip(FIT_TENSORS, values, strict=True))
        later = zip(LATER_FIT_TENSORS, (self.embedded, self.resembles), strict=True)
        return tensors | {name: value for name, value in later if value is not None}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "IdentityFit":
        """Back; raises KeyError where a tensor is missing."""
        return cls(*(tensors[name] for name in FIT_TENSORS), *(tensors.get(name) for name in LATER_FIT_TENSORS))


def within_person_whitener(groups: Iterable[Tensor], rank: int, shrinkage: float) -> Whitener:
    """Whitens the pooled scatter within `groups` ([n_i, G, d], each of one person): all but identity is evened out.

    The groups are read once for as many layers as SCATTER_BYTES holds, so that at real sizes they are read anew for
    each part of the layers. Raises BadInput where no group has two rows.
    """
    whitener = whitener_of_people(groups, rank, shrinkage)
    if whitener is None:
        raise BadInput(NOBODY_TWICE)
    return whitener


def whitener_of_people(groups: Iterable[Tensor], rank: int, shrinkage: float) -> Whitener | None:
    """`within_person_whitener`, but None where there is no group at all."""
    parts: list[Whitener] = []
    start, layers = 0, 1
    while start < layers:
        moments, end = None, layers
        for rows in groups:
            if moments is None:
                layers, hidden = rows.shape[1:]
                end = min(layers, start + max(1, SCATTER_BYTES // (8 * hidden**2)))
                moments = WithinGroupMoments(end - start, hidden)
            moments.add(rows[:, start:end])
        if moments is None:
            return None
        if moments.degrees_of_freedom < 1:
            raise BadInput(NOBODY_TWICE)
        parts.append(Whitener.fit(moments.mean, moments.covariances(), rank, shrinkage))
        start = end
    return Whitener.joined(parts) if len(parts) > 1 else parts[0]


def fit_person(
    statistics: IdentityStatistics,
    photos: Sequence[Tensor],
    spellings: Sequence[Sequence[Tensor]],
    sightings: Sequence[Tensor] = (),
) -> IdentityFit:
    """The fit of one person. `photos`: for each photograph its changed copies, [c, G, d] at the picture's tokens.

    With statistics that have the space `embedded` the copies are [c, G + 1, d] (`Readout.whole_pictures`), and
    `sightings` holds for each photograph copies with other kinds of change, which tell what a new sighting would score.

    `spellings`: for each way to write a name the tokens of its mentions, each [n, G, d]. A spelling that is hardly
    closer to itself than some other words of the calibration set is left out, and so is whatever belongs to a space
    that the statistics lack. Raises BadInput where nothing is left.
    """
    spaces = statistics.spaces
    layers, hidden = spaces.shape
    portraits, portrait_scores = _portraits(
        spaces.portraits, [copies[:, :layers] for copies in photos], [copies[:, :layers] for copies in sightings]
    )
    embedded, embedded_scores = _portraits(
        spaces.embedded, [copies[:, layers:] for copies in photos], [copies[:, layers:] for copies in sightings]
    )
    names = _names(spaces.names, statistics.words, spellings)
    if not portraits and not names:
        raise BadInput(_nothing_left(spaces, photos=bool(photos), spellings=bool(spellings)))
    scored = [portrait_scores, [name.own_scores for name in names]]
    if spaces.embedded is not None:
        scored.append(embedded_scores)
    own_scores = [float(torch.cat(scores).quantile(OWN_QUANTILE)) if scores else 1.0 for scores in scored]
    resembled = _resembled(statistics, [copies[:, layers:] for copies in photos])
    return IdentityFit(
        torch.stack(portraits) if portraits else torch.zeros(0, layers, hidden),
        torch.stack([name.window for name in names]) if names else torch.zeros(0, WINDOW, layers, hidden),
        torch.tensor([name.length for name in names], dtype=torch.long),
        torch.tensor([name.mention_length for name in names], dtype=torch.long),
        torch.tensor(own_scores),
        None if spaces.embedded is None else torch.stack(embedded) if embedded else torch.zeros(0, 1, hidden),
        resembled,
    )


def _portraits(
    space: Whitener | None, photos: Sequence[Tensor], sightings: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """For each photograph its vector [G, d], and the scores of its `sightings` [s]; of its copies without any [c]."""
    portraits, scores = [], []
    if space is not None:
        for number, copies in enumerate(photos):
            white = space(copies)
            portraits.append(F.normalize(white.mean(dim=0), dim=-1))
            if sightings:
                scores.append((space(sightings[number]) * portraits[-1]).sum(dim=-1).mean(dim=1))
            else:
                scores.append(_leave_one_out(white[:, None]))
    return portraits, scores


def _resembled(statistics: IdentityStatistics, photos: Sequence[Tensor]) -> Tensor | None:
    """The known faces that are as near to a photograph [c, 1, d] as its own copies are; None where there is none.

    Such a ticket would fire for somebody who must stay, or its photograph is theirs.
    """
    space, known = statistics.spaces.embedded, statistics.known
    if space is None or known is None or not len(known.faces):
        return None
    near = torch.zeros(len(known.faces), dtype=torch.bool)
    for copies in photos:
        white = space(copies)
        mean = F.normalize(white.mean(dim=0), dim=-1)
        own = float(_leave_one_out(white[:, None]).quantile(OWN_QUANTILE))
        near |= (known.faces.float() * mean).sum(dim=-1).mean(dim=1) > own - PHOTO_SEPARATION
    return near.nonzero()[:, 0] if bool(near.any()) else None


class _Name(NamedTuple):
    """One spelling: its window [n, G, d], and what `IdentityFit` says of it."""

    window: Tensor
    length: int
    mention_length: int
    own_scores: Tensor


def _names(space: Whitener | None, others: RaggedRows, spellings: Sequence[Sequence[Tensor]]) -> list[_Name]:
    """The spellings that the model tells from `others`, the whitened words of the calibration set."""
    names: list[_Name] = []
    if space is None:
        return names
    layers, hidden = space.mean.shape
    for mentions in spellings:
        if not mentions:
            continue
        length = min([WINDOW, *(mention.shape[0] for mention in mentions)])
        white = torch.stack([space(mention[-length:]) for mention in mentions])  # [c, n, G, d]
        window = torch.zeros(WINDOW, layers, hidden)
        window[WINDOW - length :] = F.normalize(white.mean(dim=0), dim=-1)
        scores = window_scores(window[None], torch.tensor([length]), others.rows, others.of)
        own = _leave_one_out(white)
        if scores.numel() and float(own.quantile(OWN_QUANTILE)) < float(scores.max()) + SEPARATION:
            continue  # the model cannot tell this spelling from other words: it would silence anything
        names.append(_Name(window, length, max(mention.shape[0] for mention in mentions), own))
    return names


def _nothing_left(spaces: IdentitySpaces, *, photos: bool, spellings: bool) -> str:
    """Why a ticket cannot be recognised at all, as a sentence."""
    if photos and spaces.portraits is None and not spellings:
        return (
            "The ticket has photographs alone, and pictures cannot be compared: nobody in the retain set has a "
            "photograph, or the model reads no pictures. Add a name to the ticket."
        )
    if spellings and spaces.names is None and not photos:
        return (
            "The ticket has names alone, and names cannot be compared: nobody in the retain set has a name. Add "
            "people with names to the retain set."
        )
    return "The ticket has neither a photograph nor a name by which the model knows anybody."


def _leave_one_out(white: Tensor) -> Tensor:
    """Each sample's mean cosine to the mean of the others, [c, n, G, d] -> [c]; 1 for a sample without others."""
    count = white.shape[0]
    if count == 1:
        return torch.ones(1)
    others = F.normalize(white.sum(dim=0, keepdim=True) - white, dim=-1)
    return (white * others).sum(dim=-1).mean(dim=(1, 2))
