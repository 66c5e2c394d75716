"""The gate that knows whom a request is about: faces at the picture's tokens, names where they are mentioned.

Who is meant is written into a prompt where it is said, at the tokens of the picture and at the last tokens of the name
(Meng et al. 2022 find the subject there), and not at the prompt's last token, which knows above all what was asked. In
the space whitened by how the SAME retained person varies (Fisher 1936: wordings and picture changes are the nuisance),
one vector a photograph and one window a spelling tell people apart. A third, ticket-independent functional reads from
the last token whether what is asked of a picture is there for anybody to see.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.erasure.evidence import Evidence, Ragged
from shared.erasure.gate import Whitener
from shared.erasure.moments import Moments
from shared.errors import BadInput

WINDOW: Final = 4  # most tokens of a name, counted from its end
OWN_QUANTILE: Final = 0.05
APART: Final = 0.1  # mean cosine by which a spelling has to read closer to itself than any other words do
TOPIC_SHRINKAGE: Final = 0.05
TOPIC_SHARE: Final = 2 / 3  # of the way: unheard wordings move what is harmless further than what asks for a fact
ROW_PARTS: Final = ("portraits", "names", "lengths", "whole", "own")


@dataclass(frozen=True)
class Mentioned:
    """Where one prompt speaks of somebody: places of its pictures, and stretches [start, end) of its other tokens."""

    pictures: tuple[int, ...] = ()
    words: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Topic:
    """`(weights · h + bias)` averaged over G layers: 1 for questions of fact, on average, and below `threshold` for
    what anybody can see. weights [G, d], bias [G]."""

    weights: Tensor
    bias: Tensor
    threshold: float

    @classmethod
    def fit(cls, facts: Tensor, harmless: Tensor) -> "Topic":
        """Fisher's discriminant for each layer from last tokens [n, G, d]; the threshold lies TOPIC_SHARE of the way
        from one side to the other.

        The sides are the 99 % quantile of `harmless` and the 1 % quantile of `facts`.
        """
        told, seen = facts.to(torch.float64), harmless.to(torch.float64)
        gap = told.mean(dim=0) - seen.mean(dim=0)
        middle = (told.mean(dim=0) + seen.mean(dim=0)) / 2
        weights = torch.zeros_like(gap)
        for layer in range(gap.shape[0]):
            parts = torch.cat([side[:, layer] - side[:, layer].mean(dim=0) for side in (told, seen)])
            scatter = parts.T @ parts / parts.shape[0]
            scatter.diagonal().add_(TOPIC_SHRINKAGE * float(scatter.diagonal().mean()) + 1e-12)
            weights[layer] = torch.linalg.solve(scatter, gap[layer])
        bias = -(weights * middle).sum(dim=-1)
        scale = ((told * weights).sum(dim=-1) + bias).mean(dim=0).clamp(min=1e-12)
        topic = cls((weights / scale[:, None]).float(), (bias / scale).float(), 0.0)
        low, high = float(topic(harmless).quantile(0.99)), float(topic(facts).quantile(0.01))
        return cls(topic.weights, topic.bias, low + TOPIC_SHARE * (high - low))

    def __call__(self, last: Tensor) -> Tensor:
        """last [B, G, d] -> [B]."""
        return ((last.float() * self.weights).sum(dim=-1) + self.bias).mean(dim=-1)


@dataclass(frozen=True)
class IdentityStatistics:
    """Of the base model and its retained people: how one person varies, and what other people score by chance.

    `pictures` [c, G, d] and `words` (rows [N, G, d]) are whitened unit vectors of the calibration set; `people` counts
    its identities.
    """

    portraits: Whitener
    names: Whitener
    pictures: Tensor
    words: Ragged
    people: int
    topic: Topic | None

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
            Ragged(tensors["calibration.words"].float(), tensors["calibration.of"]),
            int(tensors["calibration.people"]),
            _read_spaces(tensors)[2],
        )


@dataclass(frozen=True)
class IdentityRows:
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
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "IdentityRows":
        """Back; raises KeyError where one is missing."""
        return cls(*(tensors[name] for name in ROW_PARTS))


def within(groups: Sequence[Tensor], rank: int, shrinkage: float) -> Whitener:
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


def identity_rows(
    statistics: IdentityStatistics, photos: Sequence[Tensor], spellings: Sequence[Sequence[Tensor]]
) -> IdentityRows:
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
    return IdentityRows(
        torch.stack(portraits) if portraits else torch.zeros(0, layers, hidden),
        torch.stack(windows) if windows else torch.zeros(0, WINDOW, layers, hidden),
        torch.tensor(lengths, dtype=torch.long),
        torch.tensor(whole, dtype=torch.long),
        torch.tensor(own),
    )


@dataclass(frozen=True)
class IdentityGate:
    """All tickets of a version: `thresholds` [K, 2] (picture, mention) belong to it, the rows to the tickets.

    `near` [K, 2]: above it a place is taken for the ticket's, once something else has said that the request is.
    """

    tickets: tuple[str, ...]
    rows: tuple[IdentityRows, ...]
    thresholds: Tensor
    near: Tensor
    portraits: Whitener
    names: Whitener
    topic: Topic | None

    def scores(self, evidence: Evidence) -> Tensor:
        """How far each prompt is above each ticket's threshold, [B, K]; `evidence` at the gated layers."""
        seen = self._above(evidence.pictures, self.portrait_scores(self.portraits(evidence.pictures.rows)), 0, evidence)
        if self.topic is not None:
            harmless = self.topic(evidence.last) < self.topic.threshold
            seen[harmless] = -1.0
        said = self._above(evidence.words, self.mentions(evidence.words), 1, evidence)
        spoken = self._above(evidence.spoken, self.mentions(evidence.spoken), 1, evidence)
        return torch.maximum(seen, torch.maximum(said, spoken))

    def mentioned(self, evidence: Evidence, tickets: Sequence[str | None]) -> list[Mentioned]:
        """Where each prompt shows or names its ticket of `tickets` [B], or another that is above its threshold."""
        meant = self.scores(evidence) > 0
        for prompt, ticket in enumerate(tickets):
            if ticket is not None:
                meant[prompt, self.tickets.index(ticket)] = True
        faces, words = evidence.pictures, evidence.words
        seen = (self.portrait_scores(self.portraits(faces.rows)) > self.near[:, 0]) & meant[faces.of]
        windows, lengths, owner = _windows(self.rows)
        said = _window_scores(windows, lengths, self.names(words.rows), words.of) > self.near[owner, 1]
        said &= meant[words.of][:, owner]
        whole = torch.cat([one.whole for one in self.rows])
        found = []
        for prompt in range(evidence.count):
            shown = seen[faces.of == prompt].any(dim=1).nonzero()[:, 0].tolist()
            ends = said[words.of == prompt].nonzero().tolist()
            stretches = {(max(0, end + 1 - int(whole[window])), end + 1) for end, window in ends}
            found.append(Mentioned(tuple(shown), _joined(stretches)))
        return found

    def _above(self, rows: Ragged, scores: Tensor, channel: int, evidence: Evidence) -> Tensor:
        return rows.best(scores, evidence.count) - self.thresholds[:, channel].clamp(min=-1)

    def portrait_scores(self, white: Tensor) -> Tensor:
        """Mean cosine over layers to the ticket's nearest photograph: [N, G, d] -> [N, K]."""
        return _portrait_scores([one.portraits for one in self.rows], white)

    def mentions(self, words: Ragged) -> Tensor:
        """How well the tokens that end at each row read as a name of each ticket: [N, K]."""
        return _mention_scores(self.rows, self.names(words.rows), words.of)

    def tensors(self) -> dict[str, Tensor]:
        """By name, for an artifact."""
        made = {"thresholds": self.thresholds, "near": self.near} | _spaces(self.portraits, self.names, self.topic)
        for place, one in enumerate(self.rows):
            made |= {f"rows.{place}.{name}": value for name, value in one.tensors().items()}
        return made

    @classmethod
    def from_tensors(cls, tickets: tuple[str, ...], tensors: Mapping[str, Tensor]) -> "IdentityGate":
        """Back; raises KeyError where one is missing."""
        rows = tuple(
            IdentityRows.from_tensors({name: tensors[f"rows.{place}.{name}"] for name in ROW_PARTS})
            for place in range(len(tickets))
        )
        return cls(tickets, rows, tensors["thresholds"], tensors["near"], *_read_spaces(tensors))


def calibrated(
    statistics: IdentityStatistics, tickets: Sequence[str], rows: Sequence[IdentityRows], level: float, margin: float
) -> tuple[IdentityGate, dict[str, Any]]:
    """The gate of `rows`, and how its thresholds came about.

    For the whole decision at most `level` of the calibration prompts may fire (split-conformal, Vovk et al. 2005;
    family-wise over tickets, half of it for each channel). Each ticket's threshold is raised by `margin` of the way
    from that bound to what its own person would score.
    """
    bounds = [-1.0, -1.0]
    if statistics.pictures.shape[0]:
        scores = _portrait_scores([one.portraits for one in rows], statistics.pictures).amax(dim=1)
        bounds[0] = _conformal(scores, 1 - level / 2)
    if statistics.words.rows.shape[0]:
        prompts = int(statistics.words.of.max()) + 1
        said = _mention_scores(rows, statistics.words.rows, statistics.words.of)
        bounds[1] = _conformal(statistics.words.best(said, prompts).amax(dim=1), 1 - level / 2)
    thresholds = thresholds_of(rows, (bounds[0], bounds[1]), margin)
    near = torch.where(torch.tensor(bounds) > -1, thresholds_of(rows, (bounds[0], bounds[1]), 0.0), thresholds)
    gate = IdentityGate(
        tuple(tickets), tuple(rows), thresholds, near, statistics.portraits, statistics.names, statistics.topic
    )
    return gate, {
        "level": level,
        "margin": margin,
        "people": statistics.people,
        "supported_level_by_person": 1 / (statistics.people + 1),
        "bound": {"picture": bounds[0], "mention": bounds[1]},
        "own": {name: one.own.tolist() for name, one in zip(tickets, rows, strict=True)},
        "thresholds": {name: row.tolist() for name, row in zip(tickets, thresholds, strict=True)},
    }


def thresholds_of(rows: Sequence[IdentityRows], bounds: tuple[float, float], margin: float) -> Tensor:
    """[K, 2]: from the bound of each channel, by `margin` of the way to what the ticket's own person would score."""
    own, bound = torch.stack([one.own for one in rows]), torch.tensor(bounds)
    return bound + margin * (own - bound).clamp(min=0)


def _portrait_scores(portraits: Sequence[Tensor], white: Tensor) -> Tensor:
    """[N, G, d] against K tickets' photographs -> [N, K], -1 for a ticket without one."""
    scores = torch.full((white.shape[0], len(portraits)), -1.0)
    owner = torch.cat([torch.full((one.shape[0],), place) for place, one in enumerate(portraits)]).long()
    if not len(owner):
        return scores
    cosines = torch.einsum("nld,mld->nm", white, torch.cat(list(portraits))) / white.shape[1]
    return scores.scatter_reduce_(1, owner.expand_as(cosines), cosines, "amax")


def _mention_scores(rows: Sequence[IdentityRows], white: Tensor, of: Tensor) -> Tensor:
    """White tokens [N, G, d] of prompts `of` against K tickets' windows -> [N, K]; a window never spans two prompts."""
    scores = torch.full((white.shape[0], len(rows)), -1.0)
    windows, lengths, owner = _windows(rows)
    if not len(owner) or not white.shape[0]:
        return scores
    total = _window_scores(windows, lengths, white, of)
    return scores.scatter_reduce_(1, owner.expand_as(total), total, "amax")


def _windows(rows: Sequence[IdentityRows]) -> tuple[Tensor, Tensor, Tensor]:
    """Of all tickets: windows [V, n, G, d], lengths [V], and which ticket [V] each is of."""
    owner = torch.cat([torch.full((one.names.shape[0],), place) for place, one in enumerate(rows)]).long()
    return torch.cat([one.names for one in rows]), torch.cat([one.lengths for one in rows]), owner


def _joined(stretches: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The same places as stretches that neither overlap nor touch, in order."""
    made: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if made and start <= made[-1][1]:
            made[-1] = (made[-1][0], max(end, made[-1][1]))
        else:
            made.append((start, end))
    return tuple(made)


def _window_scores(windows: Tensor, lengths: Tensor, white: Tensor, of: Tensor) -> Tensor:
    """Mean cosine of the tokens that end at each row to each window [V, n, G, d]: [N, V]."""
    cosines = torch.einsum("nld,vjld->nvj", white, windows) / white.shape[1]
    total = torch.zeros(white.shape[0], windows.shape[0])
    for back in range(WINDOW):
        column = cosines[:, :, WINDOW - 1 - back]
        moved = torch.zeros_like(column)
        inside = torch.zeros(white.shape[0], dtype=torch.bool)
        moved[back:] = column[: white.shape[0] - back]
        inside[back:] = of[back:] == of[: white.shape[0] - back]
        wanted = lengths > back
        total += torch.where(wanted, torch.where(inside[:, None], moved, -1.0), 0.0)
    return total / lengths


def _left_out(white: Tensor) -> Tensor:
    """Each sample's mean cosine to the mean of the others, [c, n, G, d] -> [c]; 1 where there is one alone."""
    count = white.shape[0]
    if count == 1:
        return torch.ones(1)
    others = F.normalize(white.sum(dim=0, keepdim=True) - white, dim=-1)
    return (white * others).sum(dim=-1).mean(dim=(1, 2))


def _conformal(scores: Tensor, level: float) -> float:
    """The ceil((n + 1) level)-th smallest score, or the largest where n does not support the level."""
    rank = min(math.ceil((scores.shape[0] + 1) * level), scores.shape[0])
    return float(scores.sort().values[rank - 1])


def _spaces(portraits: Whitener, names: Whitener, topic: Topic | None) -> dict[str, Tensor]:
    made = {
        f"{space}.{part}": getattr(whitener, part)
        for space, whitener in (("portraits", portraits), ("names", names))
        for part in ("mean", "basis", "scales", "rest")
    }
    if topic is not None:
        made |= {"topic.weights": topic.weights, "topic.bias": topic.bias}
        made["topic.threshold"] = torch.tensor(topic.threshold, dtype=torch.float64)
    return made


def _read_spaces(tensors: Mapping[str, Tensor]) -> tuple[Whitener, Whitener, Topic | None]:
    portraits, names = (
        Whitener(*(tensors[f"{space}.{part}"] for part in ("mean", "basis", "scales", "rest")))
        for space in ("portraits", "names")
    )
    topic = None
    if "topic.weights" in tensors:
        topic = Topic(tensors["topic.weights"], tensors["topic.bias"], float(tensors["topic.threshold"]))
    return portraits, names, topic
