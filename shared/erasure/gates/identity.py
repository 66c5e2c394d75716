"""The gate that knows whom a request is about: faces at the picture's tokens, names where they are mentioned.

Who is meant is written into a prompt where it is said, at the tokens of the picture and at the last tokens of the name
(Meng et al. 2022 find the subject there), and not at the prompt's last token, which knows above all what was asked. In
the space whitened by how the SAME retained person varies (Fisher 1936: wordings and picture changes are the nuisance),
one vector a photograph and one window a spelling tell people apart. A third, ticket-independent functional reads from
the last token whether what is asked of a picture is there for anybody to see.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from shared.erasure.gates.identity_fit import ROW_PARTS, IdentityFit, IdentityStatistics, _read_spaces, _spaces
from shared.erasure.gates.name_windows import _window_scores
from shared.erasure.gates.topic import TopicDiscriminant
from shared.erasure.numerics.conformal import conformal_quantile
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.readout import RaggedRows, Readout


@dataclass(frozen=True)
class MentionSpans:
    """Where one prompt speaks of somebody: places of its pictures, and stretches [start, end) of its other tokens."""

    pictures: tuple[int, ...] = ()
    words: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class IdentityGate:
    """All tickets of a version: `thresholds` [K, 2] (picture, mention) belong to it, the rows to the tickets.

    `near` [K, 2]: above it a place is taken for the ticket's, once something else has said that the request is.
    """

    tickets: tuple[str, ...]
    rows: tuple[IdentityFit, ...]
    thresholds: Tensor
    near: Tensor
    portraits: Whitener
    names: Whitener
    topic: TopicDiscriminant | None

    def scores(self, evidence: Readout) -> Tensor:
        """How far each prompt is above each ticket's threshold, [B, K]; `evidence` at the gated layers."""
        seen = self._above(evidence.pictures, self.portrait_scores(self.portraits(evidence.pictures.rows)), 0, evidence)
        if self.topic is not None:
            harmless = self.topic(evidence.last) < self.topic.threshold
            seen[harmless] = -1.0
        said = self._above(evidence.words, self.mentions(evidence.words), 1, evidence)
        spoken = self._above(evidence.answer_tokens, self.mentions(evidence.answer_tokens), 1, evidence)
        return torch.maximum(seen, torch.maximum(said, spoken))

    def mention_spans(self, evidence: Readout, tickets: Sequence[str | None]) -> list[MentionSpans]:
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
            found.append(MentionSpans(tuple(shown), _joined(stretches)))
        return found

    def _above(self, rows: RaggedRows, scores: Tensor, channel: int, evidence: Readout) -> Tensor:
        return rows.best(scores, evidence.count) - self.thresholds[:, channel].clamp(min=-1)

    def portrait_scores(self, white: Tensor) -> Tensor:
        """Mean cosine over layers to the ticket's nearest photograph: [N, G, d] -> [N, K]."""
        return _portrait_scores([one.portraits for one in self.rows], white)

    def mentions(self, words: RaggedRows) -> Tensor:
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
            IdentityFit.from_tensors({name: tensors[f"rows.{place}.{name}"] for name in ROW_PARTS})
            for place in range(len(tickets))
        )
        return cls(tickets, rows, tensors["thresholds"], tensors["near"], *_read_spaces(tensors))


def calibrate(
    statistics: IdentityStatistics, tickets: Sequence[str], rows: Sequence[IdentityFit], level: float, margin: float
) -> tuple[IdentityGate, dict[str, Any]]:
    """The gate of `rows`, and how its thresholds came about.

    For the whole decision at most `level` of the calibration prompts may fire (split-conformal, Vovk et al. 2005;
    family-wise over tickets, half of it for each channel). Each ticket's threshold is raised by `margin` of the way
    from that bound to what its own person would score.
    """
    bounds = [-1.0, -1.0]
    if statistics.pictures.shape[0]:
        scores = _portrait_scores([one.portraits for one in rows], statistics.pictures).amax(dim=1)
        bounds[0] = conformal_quantile(scores, 1 - level / 2)
    if statistics.words.rows.shape[0]:
        prompts = int(statistics.words.of.max()) + 1
        said = _mention_scores(rows, statistics.words.rows, statistics.words.of)
        bounds[1] = conformal_quantile(statistics.words.best(said, prompts).amax(dim=1), 1 - level / 2)
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


def thresholds_of(rows: Sequence[IdentityFit], bounds: tuple[float, float], margin: float) -> Tensor:
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


def _mention_scores(rows: Sequence[IdentityFit], white: Tensor, of: Tensor) -> Tensor:
    """White tokens [N, G, d] of prompts `of` against K tickets' windows -> [N, K]; a window never spans two prompts."""
    scores = torch.full((white.shape[0], len(rows)), -1.0)
    windows, lengths, owner = _windows(rows)
    if not len(owner) or not white.shape[0]:
        return scores
    total = _window_scores(windows, lengths, white, of)
    return scores.scatter_reduce_(1, owner.expand_as(total), total, "amax")


def _windows(rows: Sequence[IdentityFit]) -> tuple[Tensor, Tensor, Tensor]:
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
