"""The gate that knows whom a request is about: faces at the picture's tokens, names where they are mentioned.

Whom a prompt is about is encoded where it is said, at the tokens of the picture and at the last tokens of the name
(Meng et al. 2022 locate the subject there). The prompt's last token knows above all what was asked. In the space
whitened by how the SAME retained person varies (Fisher 1936: wordings and changes of the picture are the nuisance), one
vector for each photograph and one window for each spelling tell people apart. A third functional, independent of
tickets, reads from the last token whether the question asks for what anybody can see in the picture.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from shared.erasure.gates.identity_fit import FIT_TENSORS, IdentityFit, IdentitySpaces, IdentityStatistics
from shared.erasure.gates.name_windows import CHUNK_BYTES, window_scores
from shared.erasure.numerics.conformal import conformal_quantile, conformal_quantiles
from shared.erasure.readout import RaggedRows, Readout

PICTURE, MENTION = 0, 1  # the two channels, columns of thresholds
JOINT_RATE: Final = 0.03  # share of calibration prompts that may be near a ticket; counts only beside other evidence
GROUP_BYTES: Final = 256 << 20  # of tickets' windows that are copied together to be compared at once


@dataclass(frozen=True)
class MentionSpans:
    """Where a prompt speaks of somebody: the numbers of its pictures, and spans [start, end) of its text tokens."""

    pictures: tuple[int, ...] = ()
    words: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class IdentityGate:
    """The K tickets of a version. `thresholds` [K, 2] (picture, mention) belong to the version, the fits to tickets.

    `span_thresholds` [K, 2] are lower ones: once a request has fired for a ticket, a picture or a token that scores
    above them is taken for that ticket's person and redacted. `joint_thresholds` [K, 2] are lower ones still, for a
    prompt that something else speaks against as well (`near`); None in versions that were made before they existed.
    """

    tickets: tuple[str, ...]
    fits: tuple[IdentityFit, ...]
    thresholds: Tensor
    span_thresholds: Tensor
    spaces: IdentitySpaces
    joint_thresholds: Tensor | None = None

    def scores(self, readout: Readout) -> Tensor:
        """How far each prompt is above each ticket's thresholds, [B, K]; above 0 it fires. `readout`: gated layers."""
        pictures, topic = readout.pictures, self.spaces.topic
        by_picture = self._margins(pictures, self.portrait_scores(pictures.rows), PICTURE, readout)
        if topic is not None:
            harmless = topic(readout.last) < topic.threshold
            by_picture[harmless] = -1.0
        by_name = self._margins(readout.words, self.mention_scores(readout.words), MENTION, readout)
        by_answer = self._margins(readout.answer_tokens, self.mention_scores(readout.answer_tokens), MENTION, readout)
        return torch.maximum(by_picture, torch.maximum(by_name, by_answer))

    def near(self, readout: Readout) -> Tensor:
        """Which tickets each prompt is at least weakly about, [B, K]: evidence that counts beside other evidence alone.

        Any channel's score lies above its joint threshold, whatever the topic. Without joint thresholds those for
        acting alone are taken. `readout`: gated layers.
        """
        bounds = self.thresholds.clamp(min=-1)
        if self.joint_thresholds is not None:
            bounds = torch.minimum(bounds, self.joint_thresholds)
        pictures, count = readout.pictures, readout.count
        near = pictures.best(self.portrait_scores(pictures.rows), count) > bounds[:, PICTURE]
        for tokens in (readout.words, readout.answer_tokens):
            near |= tokens.best(self.mention_scores(tokens), count) > bounds[:, MENTION]
        return near

    def mention_spans(self, readout: Readout, tickets: Sequence[str | None]) -> list[MentionSpans]:
        """Where each prompt shows or names its ticket of `tickets` [B], or another for which it fires."""
        concerned = self.scores(readout) > 0  # [B, K]
        for prompt, ticket in enumerate(tickets):
            if ticket is not None:
                concerned[prompt, self.tickets.index(ticket)] = True
        pictures, words = readout.pictures, readout.words
        scores = self.portrait_scores(pictures.rows)
        shown = (scores > self.span_thresholds[:, PICTURE]) & concerned[pictures.of]
        named, mention_lengths = self._named(words, concerned)
        spans = []
        for prompt in range(readout.count):
            numbers = shown[pictures.of == prompt].any(dim=1).nonzero()[:, 0].tolist()
            ends = named[words.of == prompt].nonzero().tolist()
            stretches = {(max(0, end + 1 - int(mention_lengths[window])), end + 1) for end, window in ends}
            spans.append(MentionSpans(tuple(numbers), union(stretches)))
        return spans

    def _named(self, words: RaggedRows, concerned: Tensor) -> tuple[Tensor, Tensor]:
        """Which spelling ends at each token for a ticket of `concerned` [B, K]: [N, V], and its longest mention [V].

        V counts the spellings of the tickets that concern any prompt: the others need not be compared.
        """
        numbers = concerned.any(dim=0).nonzero()[:, 0]
        if self.spaces.names is None or not len(numbers):
            return torch.zeros(words.rows.shape[0], 0, dtype=torch.bool), numbers[:0]
        fits = [self.fits[number] for number in numbers.tolist()]
        windows = _all_windows(fits)
        scores = window_scores(windows.vectors, windows.lengths, self.spaces.names(words.rows), words.of)
        owners = numbers[windows.owners]
        named = (scores > self.span_thresholds[owners, MENTION]) & concerned[words.of][:, owners]
        return named, torch.cat([fit.mention_lengths for fit in fits])

    def _margins(self, rows: RaggedRows, scores: Tensor, channel: int, readout: Readout) -> Tensor:
        return rows.best(scores, readout.count) - self.thresholds[:, channel].clamp(min=-1)

    def portrait_scores(self, pictures: Tensor) -> Tensor:
        """Mean cosine over layers to the ticket's nearest photograph: [N, G, d] -> [N, K]; -1 without such a space."""
        if self.spaces.portraits is None:
            return torch.full((pictures.shape[0], len(self.fits)), -1.0)
        return _portrait_scores([fit.portraits for fit in self.fits], self.spaces.portraits(pictures))

    def mention_scores(self, words: RaggedRows) -> Tensor:
        """How well the tokens that end at each row read as a name of each ticket: [N, K]; -1 without such a space."""
        if self.spaces.names is None:
            return torch.full((words.rows.shape[0], len(self.fits)), -1.0)
        return _mention_scores(self.fits, self.spaces.names(words.rows), words.of)

    def tensors(self) -> dict[str, Tensor]:
        """By their names in an artifact."""
        tensors = {"thresholds": self.thresholds, "near": self.span_thresholds} | self.spaces.tensors()
        if self.joint_thresholds is not None:
            tensors["joint"] = self.joint_thresholds
        for index, fit in enumerate(self.fits):
            tensors |= {f"rows.{index}.{name}": value for name, value in fit.tensors().items()}
        return tensors

    @classmethod
    def from_tensors(cls, tickets: tuple[str, ...], tensors: Mapping[str, Tensor]) -> "IdentityGate":
        """Back; raises KeyError where a tensor is missing."""
        fits = tuple(
            IdentityFit.from_tensors({name: tensors[f"rows.{index}.{name}"] for name in FIT_TENSORS})
            for index in range(len(tickets))
        )
        spaces, joint = IdentitySpaces.from_tensors(tensors), tensors.get("joint")
        return cls(tickets, fits, tensors["thresholds"], tensors["near"], spaces, joint)


class Calibration(NamedTuple):
    """A gate, and the report on how its thresholds came about (part of the manifest)."""

    gate: IdentityGate
    report: dict[str, Any]


def calibrate(
    statistics: IdentityStatistics,
    tickets: Sequence[str],
    fits: Sequence[IdentityFit],
    level: float,
    margin: float,
    joint_rate: float = JOINT_RATE,
) -> Calibration:
    """The gate of `fits` with thresholds for a false-positive rate of `level` over the whole decision.

    Each channel gets the split-conformal bound of the calibration prompts' best scores over all tickets, at level / 2
    (family-wise over tickets; Bonferroni over the two channels). Each ticket's threshold is raised by `margin` (0..1)
    of the way from that bound to what its own person would score. A share `joint_rate` of the calibration prompts is
    near a ticket in each channel.
    """
    bounds = [-1.0, -1.0]
    joint = torch.full((len(fits), 2), float("inf"))
    if statistics.pictures.shape[0]:
        scores = _portrait_scores([fit.portraits for fit in fits], statistics.pictures)
        bounds[PICTURE] = conformal_quantile(scores.amax(dim=1), 1 - level / 2)
        joint[:, PICTURE] = conformal_quantiles(scores, 1 - joint_rate)
    if statistics.words.rows.shape[0]:
        prompts = int(statistics.words.of.max()) + 1
        by_token = _mention_scores(fits, statistics.words.rows, statistics.words.of)
        scores = statistics.words.best(by_token, prompts)
        bounds[MENTION] = conformal_quantile(scores.amax(dim=1), 1 - level / 2)
        joint[:, MENTION] = conformal_quantiles(scores, 1 - joint_rate)
    thresholds = raised_thresholds(fits, (bounds[0], bounds[1]), margin)
    lowest = raised_thresholds(fits, (bounds[0], bounds[1]), 0.0)
    span_thresholds = torch.where(torch.tensor(bounds) > -1, lowest, thresholds)
    joint = torch.minimum(joint, thresholds)
    gate = IdentityGate(tuple(tickets), tuple(fits), thresholds, span_thresholds, statistics.spaces, joint)
    return Calibration(
        gate,
        {
            "level": level,
            "margin": margin,
            "joint_rate": joint_rate,
            "people": statistics.people,
            "supported_level_by_person": 1 / (statistics.people + 1),
            "bound": {"picture": bounds[PICTURE], "mention": bounds[MENTION]},
            "own": {ticket: fit.own_scores.tolist() for ticket, fit in zip(tickets, fits, strict=True)},
            "thresholds": {ticket: row.tolist() for ticket, row in zip(tickets, thresholds, strict=True)},
        },
    )


def raised_thresholds(fits: Sequence[IdentityFit], bounds: tuple[float, float], margin: float) -> Tensor:
    """[K, 2]: bound + margin · max(0, own score - bound), for each ticket and channel."""
    own, bound = torch.stack([fit.own_scores for fit in fits]), torch.tensor(bounds)
    return bound + margin * (own - bound).clamp(min=0)


def _portrait_scores(portraits: Sequence[Tensor], white: Tensor) -> Tensor:
    """[N, G, d], float32 or float16, against K tickets' photographs -> [N, K], -1 for a ticket without one."""
    scores = torch.full((white.shape[0], len(portraits)), -1.0)
    owners = torch.cat([torch.full((own.shape[0],), index) for index, own in enumerate(portraits)]).long()
    if not len(owners):
        return scores
    own, most = torch.cat(list(portraits)), max(1, CHUNK_BYTES // (4 * white.shape[1] * white.shape[2]))
    parts = [torch.einsum("nld,mld->nm", part.float(), own) for part in white.split(most)]
    cosines = torch.cat(parts) / white.shape[1]
    return scores.scatter_reduce_(1, owners.expand_as(cosines), cosines, "amax")


def _mention_scores(fits: Sequence[IdentityFit], white: Tensor, of: Tensor) -> Tensor:
    """Whitened tokens [N, G, d] of prompts `of` [N] against K tickets' windows -> [N, K], -1 without a window."""
    scores = torch.full((white.shape[0], len(fits)), -1.0)
    if not white.shape[0]:
        return scores
    for start, some in _groups(fits):
        windows = _all_windows(some)
        if len(windows.owners):
            by_window = window_scores(windows.vectors, windows.lengths, white, of)
            owners = (start + windows.owners).expand_as(by_window)
            scores.scatter_reduce_(1, owners, by_window, "amax")
    return scores


def _groups(fits: Sequence[IdentityFit]) -> Iterator[tuple[int, Sequence[IdentityFit]]]:
    """Runs of tickets whose windows take GROUP_BYTES at most, or that are alone; each with the index of its first."""
    start, size = 0, 0
    for index, fit in enumerate(fits):
        own = fit.names.numel() * fit.names.element_size()
        if index > start and size + own > GROUP_BYTES:
            yield start, fits[start:index]
            start, size = index, 0
        size += own
    yield start, fits[start:]


class _Windows(NamedTuple):
    vectors: Tensor  # [V, n, G, d]
    lengths: Tensor  # [V]
    owners: Tensor  # [V], the index of the ticket


def _all_windows(fits: Sequence[IdentityFit]) -> _Windows:
    owners = torch.cat([torch.full((fit.names.shape[0],), index) for index, fit in enumerate(fits)]).long()
    return _Windows(torch.cat([fit.names for fit in fits]), torch.cat([fit.lengths for fit in fits]), owners)


def union(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The same tokens as spans that neither overlap nor touch, in order."""
    union: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(end, union[-1][1]))
        else:
            union.append((start, end))
    return tuple(union)
