"""Statistics of the identity gate (one base model and retain set) and its fits (one ticket)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.erasure.gates.name_windows import WINDOW, window_scores
from shared.erasure.gates.topic import TopicDiscriminant
from shared.erasure.numerics.moments import Moments
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.readout import RaggedRows
from shared.errors import BadInput

OWN_QUANTILE: Final = 0.05
SEPARATION: Final = 0.1  # mean cosine by which a spelling has to be closer to itself than any other words are

FIT_TENSORS: Final = ("portraits", "names", "lengths", "whole", "own")  # as stored, in the order of the fields
_WHITENER_TENSORS: Final = ("mean", "basis", "scales", "rest")


@dataclass(frozen=True)
class IdentitySpaces:
    """The whitened spaces in which faces and names are compared, and what separates harmless questions."""

    portraits: Whitener
    names: Whitener
    topic: TopicDiscriminant | None

    def tensors(self) -> dict[str, Tensor]:
        """By their names in an artifact."""
        tensors = {
            f"{space}.{name}": getattr(whitener, name)
            for space, whitener in (("portraits", self.portraits), ("names", self.names))
            for name in _WHITENER_TENSORS
        }
        if self.topic is not None:
            tensors |= {"topic.weights": self.topic.weights, "topic.bias": self.topic.bias}
            tensors["topic.threshold"] = torch.tensor(self.topic.threshold, dtype=torch.float64)
        return tensors

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "IdentitySpaces":
        """Back; raises KeyError where a tensor is missing."""
        portraits, names = (
            Whitener(*(tensors[f"{space}.{name}"] for name in _WHITENER_TENSORS)) for space in ("portraits", "names")
        )
        topic = None
        if "topic.weights" in tensors:
            threshold = float(tensors["topic.threshold"])
            topic = TopicDiscriminant(tensors["topic.weights"], tensors["topic.bias"], threshold)
        return cls(portraits, names, topic)


@dataclass(frozen=True)
class IdentityStatistics:
    """Of a base model and its retain set: how one person varies, and what other people score by chance.

    `pictures` [c, G, d] and `words` (rows [N, G, d]) are whitened unit vectors of the calibration set; `people` is the
    number of its identities.
    """

    spaces: IdentitySpaces
    pictures: Tensor
    words: RaggedRows
    people: int

    def tensors(self) -> dict[str, Tensor]:
        """By their names in an artifact; the calibration set as float16."""
        tensors = {"calibration.pictures": self.pictures.half(), "calibration.words": self.words.rows.half()}
        tensors |= {"calibration.of": self.words.of, "calibration.people": torch.tensor(self.people)}
        return tensors | self.spaces.tensors()

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "IdentityStatistics":
        """Back; raises KeyError where a tensor is missing."""
        return cls(
            IdentitySpaces.from_tensors(tensors),
            tensors["calibration.pictures"].float(),
            RaggedRows(tensors["calibration.words"].float(), tensors["calibration.of"]),
            int(tensors["calibration.people"]),
        )


@dataclass(frozen=True)
class IdentityFit:
    """What one ticket adds. `portraits` [m, G, d]: one unit vector for each photograph.

    `names` [v, n, G, d]: for each spelling a window of unit vectors, aligned at its end, zero where it is shorter;
    `lengths` [v] are the tokens in the window, `mention_lengths` [v] those of the longest mention. `own_scores` [2]:
    what a new picture and a new mention of the same person would score (5 % quantile of leave-one-out cosines).
    """

    portraits: Tensor
    names: Tensor
    lengths: Tensor
    mention_lengths: Tensor
    own_scores: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """By their names in an artifact."""
        values = (self.portraits, self.names, self.lengths, self.mention_lengths, self.own_scores)
        return dict(zip(FIT_TENSORS, values, strict=True))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "IdentityFit":
        """Back; raises KeyError where a tensor is missing."""
        return cls(*(tensors[name] for name in FIT_TENSORS))


def within_person_whitener(groups: Sequence[Tensor], rank: int, shrinkage: float) -> Whitener:
    """Whitens the pooled scatter within `groups` ([n_i, G, d], each of one person): all but identity is evened out.

    Raises BadInput where no group has two rows.
    """
    shape = groups[0].shape[1:] if groups else (0, 0)
    overall, scatter, degrees_of_freedom = Moments(*shape), None, 0
    for rows in groups:
        person = Moments(*shape)
        person.add(rows)
        overall.add(rows)
        scatter = person.scatter if scatter is None else scatter + person.scatter
        degrees_of_freedom += max(person.count - 1, 0)
    if scatter is None or degrees_of_freedom < 1:
        raise BadInput("The retain set has no person who was seen twice: it cannot tell a person from a wording.")
    return Whitener.fit(overall.mean, scatter / degrees_of_freedom, rank, shrinkage)


def fit_person(
    statistics: IdentityStatistics, photos: Sequence[Tensor], spellings: Sequence[Sequence[Tensor]]
) -> IdentityFit:
    """The fit of one person. `photos`: for each photograph its changed copies, [c, G, d] at the picture's tokens.

    `spellings`: for each way to write a name the tokens of its mentions, each [n, G, d]. A spelling that is hardly
    closer to itself than some other words of the calibration set is left out. Raises BadInput where nothing is left.
    """
    layers, hidden = statistics.spaces.portraits.mean.shape
    portraits, portrait_scores = [], []
    for copies in photos:
        white = statistics.spaces.portraits(copies)
        portraits.append(F.normalize(white.mean(dim=0), dim=-1))
        portrait_scores.append(_leave_one_out(white[:, None]))
    windows, lengths, mention_lengths, mention_scores = [], [], [], []
    for mentions in spellings:
        length = min([WINDOW, *(mention.shape[0] for mention in mentions)])
        white = torch.stack([statistics.spaces.names(mention[-length:]) for mention in mentions])  # [c, n, G, d]
        window = torch.zeros(WINDOW, layers, hidden)
        window[WINDOW - length :] = F.normalize(white.mean(dim=0), dim=-1)
        others = window_scores(window[None], torch.tensor([length]), statistics.words.rows, statistics.words.of)
        own = _leave_one_out(white)
        if others.numel() and float(own.quantile(OWN_QUANTILE)) < float(others.max()) + SEPARATION:
            continue  # the model cannot tell this spelling from other words: it would silence anything
        windows.append(window)
        lengths.append(length)
        mention_lengths.append(max(mention.shape[0] for mention in mentions))
        mention_scores.append(own)
    if not portraits and not windows:
        raise BadInput("The ticket has neither a photograph nor a name by which the model knows anybody.")
    own_scores = [
        float(torch.cat(scores).quantile(OWN_QUANTILE)) if scores else 1.0
        for scores in (portrait_scores, mention_scores)
    ]
    return IdentityFit(
        torch.stack(portraits) if portraits else torch.zeros(0, layers, hidden),
        torch.stack(windows) if windows else torch.zeros(0, WINDOW, layers, hidden),
        torch.tensor(lengths, dtype=torch.long),
        torch.tensor(mention_lengths, dtype=torch.long),
        torch.tensor(own_scores),
    )


def _leave_one_out(white: Tensor) -> Tensor:
    """Each sample's mean cosine to the mean of the others, [c, n, G, d] -> [c]; 1 for a sample without others."""
    count = white.shape[0]
    if count == 1:
        return torch.ones(1)
    others = F.normalize(white.sum(dim=0, keepdim=True) - white, dim=-1)
    return (white * others).sum(dim=-1).mean(dim=(1, 2))
