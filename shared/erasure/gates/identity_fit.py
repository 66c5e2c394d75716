"""Rows and statistics of the identity gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.erasure.gates.name_windows import WINDOW, _window_scores
from shared.erasure.gates.topic import TopicDiscriminant
from shared.erasure.numerics.moments import Moments
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.readout import RaggedRows
from shared.errors import BadInput

OWN_QUANTILE: Final = 0.05
APART: Final = 0.1  # mean cosine by which a spelling has to read closer to itself than any other words do

ROW_PARTS: Final = ("portraits", "names", "lengths", "whole", "own")


@dataclass(frozen=True)
class IdentityStatistics:
    """Of the base model and its retained people: how one person varies, and what other people score by chance.

    `pictures` [c, G, d] and `words` (rows [N, G, d]) are whitened unit vectors of the calibration set; `people` counts
    its identities.
    """

    portraits: Whitener
    names: Whitener
    pictures: Tensor
    words: RaggedRows
    people: int
    topic: TopicDiscriminant | None

    def tensors(self) -> dict[str, Tensor]:
        """By name, for an artifact."""
        made = {"calibration.pictures": self.pictures.half(), "calibration.words": self.words.rows.half()}
        made |= {"calibration.of": self.words.of, "calibration.people": torch.tensor(self.people)}
        return made | _spaces(self.portraits, self.names, self.topic)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "IdentityStatistics":
        """Back; raises KeyError where one is missing."""
        return cls(
            *_read_spaces(tensors)[:2],
            tensors["calibration.pictures"].float(),
            RaggedRows(tensors["calibration.words"].float(), tensors["calibration.of"]),
            int(tensors["calibration.people"]),
            _read_spaces(tensors)[2],
        )


@dataclass(frozen=True)
class IdentityFit:
    """What one ticket adds. `portraits` [m, G, d]: one unit vector a photograph.

    `names` [v, n, G, d]: one window of unit vectors a spelling, aligned at its end, zero where it is shorter; `lengths`
    [v], and `whole` [v]: the tokens of the longest mention. `own` [2]: what a new picture and a new mention of the same
    person would score (5 % quantile, left out).
    """

    portraits: Tensor
    names: Tensor
    lengths: Tensor
    whole: Tensor
    own: Tensor

    def tensors(self) -> dict[str, Tensor]:
        """By name, for an artifact."""
        return {name: getattr(self, name) for name in ROW_PARTS}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "IdentityFit":
        """Back; raises KeyError where one is missing."""
        return cls(*(tensors[name] for name in ROW_PARTS))


def within_person_whitener(groups: Sequence[Tensor], rank: int, shrinkage: float) -> Whitener:
    """The whitener of the scatter inside `groups` ([n_i, G, d], each of one person): all but identity is evened out.

    Raises BadInput where no group has two rows.
    """
    shape = groups[0].shape[1:] if groups else (0, 0)
    everything, scatter, free = Moments(*shape), None, 0
    for rows in groups:
        own = Moments(*shape)
        own.add(rows)
        everything.add(rows)
        scatter = own.scatter if scatter is None else scatter + own.scatter
        free += max(own.count - 1, 0)
    if scatter is None or free < 1:
        raise BadInput("The retain set has no person who was seen twice: it cannot tell a person from a wording.")
    return Whitener.fit(everything.mean, scatter / free, rank, shrinkage)


def fit_person(
    statistics: IdentityStatistics, photos: Sequence[Tensor], spellings: Sequence[Sequence[Tensor]]
) -> IdentityFit:
    """Rows of one person: `photos` are the changes of one photograph each, [c, G, d] at the pictures' tokens.

    `spellings` are, for each way to write a name, its mentions' tokens, each [n, G, d]. One that reads hardly
    closer to itself than some other words of the calibration set is left out. Raises BadInput where nothing is left.
    """
    layers, hidden = statistics.portraits.mean.shape
    portraits, seen = [], []
    for changes in photos:
        white = statistics.portraits(changes)
        portraits.append(F.normalize(white.mean(dim=0), dim=-1))
        seen.append(_left_out(white[:, None]))
    windows, lengths, whole, said = [], [], [], []
    for mentions in spellings:
        length = min([WINDOW, *(one.shape[0] for one in mentions)])
        white = torch.stack([statistics.names(one[-length:]) for one in mentions])  # [c, n, G, d]
        window = torch.zeros(WINDOW, layers, hidden)
        window[WINDOW - length :] = F.normalize(white.mean(dim=0), dim=-1)
        others = _window_scores(window[None], torch.tensor([length]), statistics.words.rows, statistics.words.of)
        again = _left_out(white)
        if others.numel() and float(again.quantile(OWN_QUANTILE)) < float(others.max()) + APART:
            continue  # so written, the model cannot tell the name from other words: it would silence anything
        windows.append(window)
        lengths.append(length)
        whole.append(max(one.shape[0] for one in mentions))
        said.append(again)
    if not portraits and not windows:
        raise BadInput("The ticket has neither a photograph nor a name by which the model knows anybody.")
    own = [float(torch.cat(some).quantile(OWN_QUANTILE)) if some else 1.0 for some in (seen, said)]
    return IdentityFit(
        torch.stack(portraits) if portraits else torch.zeros(0, layers, hidden),
        torch.stack(windows) if windows else torch.zeros(0, WINDOW, layers, hidden),
        torch.tensor(lengths, dtype=torch.long),
        torch.tensor(whole, dtype=torch.long),
        torch.tensor(own),
    )


def _left_out(white: Tensor) -> Tensor:
    """Each sample's mean cosine to the mean of the others, [c, n, G, d] -> [c]; 1 where there is one alone."""
    count = white.shape[0]
    if count == 1:
        return torch.ones(1)
    others = F.normalize(white.sum(dim=0, keepdim=True) - white, dim=-1)
    return (white * others).sum(dim=-1).mean(dim=(1, 2))


def _spaces(portraits: Whitener, names: Whitener, topic: TopicDiscriminant | None) -> dict[str, Tensor]:
    made = {
        f"{space}.{part}": getattr(whitener, part)
        for space, whitener in (("portraits", portraits), ("names", names))
        for part in ("mean", "basis", "scales", "rest")
    }
    if topic is not None:
        made |= {"topic.weights": topic.weights, "topic.bias": topic.bias}
        made["topic.threshold"] = torch.tensor(topic.threshold, dtype=torch.float64)
    return made


def _read_spaces(tensors: Mapping[str, Tensor]) -> tuple[Whitener, Whitener, TopicDiscriminant | None]:
    portraits, names = (
        Whitener(*(tensors[f"{space}.{part}"] for part in ("mean", "basis", "scales", "rest")))
        for space in ("portraits", "names")
    )
    topic = None
    if "topic.weights" in tensors:
        topic = TopicDiscriminant(tensors["topic.weights"], tensors["topic.bias"], float(tensors["topic.threshold"]))
    return portraits, names, topic
