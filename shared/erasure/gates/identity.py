"""The gate that knows whom a request is about: faces at the picture's tokens, names where they are mentioned.

Whom a prompt is about is encoded where it is said, at the tokens of the picture and at the last tokens of the name
(Meng et al. 2022 locate the subject there). The prompt's last token knows above all what was asked. In the space
whitened by how the SAME retained person varies (Fisher 1936: wordings and changes of the picture are the nuisance), one
vector for each photograph and one window for each spelling tell people apart. A third functional, independent of
tickets, reads from the last token whether the question asks for what anybody can see in the picture.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import torch
from torch import Tensor

from shared.erasure.gates.identity_fit import FIT_TENSORS, LATER_FIT_TENSORS, IdentityFit, IdentitySpaces
from shared.erasure.gates.name_windows import CHUNK_BYTES, window_scores
from shared.erasure.readout import RaggedRows, Readout
from shared.errors import BadInput

PICTURE, MENTION, EMBEDDED = 0, 1, 2  # the channels, columns of thresholds; the last where pictures are read there
GROUP_BYTES: Final = 256 << 20  # of tickets' windows that are copied together to be compared at once


@dataclass(frozen=True)
class MentionSpans:
    """Where a prompt speaks of somebody: the numbers of its pictures, and spans [start, end) of its text tokens."""

    pictures: tuple[int, ...] = ()
    words: tuple[tuple[int, int], ...] = ()


class GateScores(NamedTuple):
    """Of B prompts and K tickets, [B, K] each: how far the pictures and the mentions are above the thresholds (above 0
    it fires), and whether a mention (`named`) or a picture (`shown`) is at least near."""

    by_picture: Tensor
    by_mention: Tensor
    named: Tensor
    shown: Tensor

    @property
    def margins(self) -> Tensor:
        """The larger of both."""
        return torch.maximum(self.by_picture, self.by_mention)


@dataclass(frozen=True)
class IdentityGate:
    """The K tickets of a version. `thresholds` [K, C] belong to the version, the fits to tickets.

    There are C = 3 channels: pictures at the gated blocks, mentions, and pictures at the input of the first block;
    two where pictures are not read at the input. `span_thresholds` [K, C] are lower ones: once a request has fired for
    a ticket, a picture or a token that scores above them is taken for that ticket's person and redacted.
    `joint_thresholds` [K, C] are lower ones still, for a prompt that something else speaks against as well (`near`);
    None in versions that were made before they existed.
    """

    tickets: tuple[str, ...]
    fits: tuple[IdentityFit, ...]
    thresholds: Tensor
    span_thresholds: Tensor
    spaces: IdentitySpaces
    joint_thresholds: Tensor | None = None

    def scores(self, readout: Readout) -> Tensor:
        """How far each prompt is above each ticket's thresholds, [B, K]; above 0 it fires. `readout`: gated layers."""
        return self.compare(readout).margins

    def near(self, readout: Readout) -> Tensor:
        """Which tickets each prompt is at least weakly about, [B, K]: evidence that counts beside other evidence alone.

        Any channel's score lies above its joint threshold, whatever the topic. Without joint thresholds those for
        acting alone are taken. `readout`: gated layers.
        """
        compared = self.compare(readout)
        return compared.named | compared.shown

    def compare(self, readout: Readout) -> GateScores:
        """What the gate says of each prompt and ticket, each channel compared once. `readout`: gated layers."""
        by_picture, shown = self.compare_pictures(readout)
        bounds = self._near_bounds()
        named, by_mention = torch.zeros_like(shown), torch.full_like(by_picture, -2.0)
        for tokens in (readout.words, readout.answer_tokens):
            best = tokens.best(self.mention_scores(tokens), readout.count)
            by_mention = torch.maximum(by_mention, self._margins(best, MENTION))
            named |= best > bounds[:, MENTION]
        return GateScores(by_picture, by_mention, named, shown)

    def compare_pictures(self, readout: Readout) -> tuple[Tensor, Tensor]:
        """The same of pictures alone: how far they are above the thresholds, and which are at least near, [B, K]."""
        topic, bounds, shape = self.spaces.topic, self._near_bounds(), (readout.count, len(self.fits))
        by_picture = torch.full(shape, -2.0)  # below any margin of a prompt without pictures
        shown = torch.zeros(shape, dtype=torch.bool)
        if not len(readout.pictures.of):
            return by_picture, shown
        for channel, rows, scores in self._pictures(readout):
            best = rows.best(scores, readout.count)
            by_picture = torch.maximum(by_picture, self._margins(best, channel))
            shown |= best > bounds[:, channel]
        if topic is not None:
            harmless = topic(readout.last) < topic.threshold
            by_picture[harmless] = -1.0
        return by_picture, shown

    def mention_margins(self, parts: Sequence[Tensor], tickets: Sequence[int]) -> Tensor:
        """How far the best mention in one prompt is above the thresholds of some tickets, [n].

        `parts`: whitened tokens [N, G, d] (`white_names`) of the prompt and of what was answered.
        """
        fits, best = [self.fits[ticket] for ticket in tickets], torch.full((len(tickets),), -1.0)
        if self.spaces.names is not None:
            for white in parts:
                scores = mention_cosines(fits, white, torch.zeros(len(white), dtype=torch.long))
                best = torch.cat([best[None], scores]).amax(dim=0)
        return best - self.thresholds[list(tickets), MENTION].clamp(min=-1)

    def white_names(self, tokens: Tensor) -> Tensor:
        """Tokens [N, G, d] in the space in which names are compared; as they are where there is none."""
        return tokens if self.spaces.names is None or not len(tokens) else self.spaces.names(tokens)

    def _near_bounds(self) -> Tensor:
        """[K, C]."""
        bounds = self.thresholds.clamp(min=-1)
        return bounds if self.joint_thresholds is None else torch.minimum(bounds, self.joint_thresholds)

    def _pictures(self, readout: Readout) -> Iterator[tuple[int, RaggedRows, Tensor]]:
        """Each channel of pictures, with its rows and their scores [N, K]."""
        yield PICTURE, readout.pictures, self.portrait_scores(readout.pictures.rows)
        if self.spaces.embedded is None:
            return
        embedded = readout.embedded
        if embedded is None:
            if len(readout.pictures.of):
                raise BadInput("The pictures were not read at the input of the first block.")
            embedded = RaggedRows.none(1, readout.last.shape[2])
        yield EMBEDDED, embedded, portrait_cosines(embedded_portraits(self.fits), self.spaces.embedded(embedded.rows))

    def mention_spans(self, readout: Readout, tickets: Sequence[str | None]) -> list[MentionSpans]:
        """Where each prompt shows or names its ticket of `tickets` [B], or another for which it fires.

        Where nothing of a prompt scores above the span thresholds, the pictures that are near its tickets are taken.
        """
        concerned = self.scores(readout) > 0  # [B, K]
        for prompt, ticket in enumerate(tickets):
            if ticket is not None:
                concerned[prompt, self.tickets.index(ticket)] = True
        spans = self._spans(readout, concerned, self.span_thresholds)
        empty = [prompt for prompt, span in enumerate(spans) if concerned[prompt].any() and span == MentionSpans()]
        if empty and self.joint_thresholds is not None:
            near = self._spans(readout.take(empty), concerned[empty], self._near_bounds())
            for prompt, span in zip(empty, near, strict=True):
                spans[prompt] = MentionSpans(span.pictures)
        return spans

    def _spans(self, readout: Readout, concerned: Tensor, bounds: Tensor) -> list[MentionSpans]:
        """What scores above `bounds` [K, C] for a ticket of `concerned` [B, K]."""
        pictures, words = readout.pictures, readout.words
        shown = torch.zeros(len(pictures.of), len(self.fits), dtype=torch.bool)
        for channel, _, scores in self._pictures(readout):
            shown |= scores > bounds[:, channel]
        shown &= concerned[pictures.of]
        named, mention_lengths = self._named(words, concerned, bounds)
        spans = []
        for prompt in range(readout.count):
            numbers = shown[pictures.of == prompt].any(dim=1).nonzero()[:, 0].tolist()
            ends = named[words.of == prompt].nonzero().tolist()
            stretches = {(max(0, end + 1 - int(mention_lengths[window])), end + 1) for end, window in ends}
            spans.append(MentionSpans(tuple(numbers), union(stretches)))
        return spans

    def _named(self, words: RaggedRows, concerned: Tensor, bounds: Tensor) -> tuple[Tensor, Tensor]:
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
        named = (scores > bounds[owners, MENTION]) & concerned[words.of][:, owners]
        return named, torch.cat([fit.mention_lengths for fit in fits])

    def _margins(self, best: Tensor, channel: int) -> Tensor:
        return best - self.thresholds[:, channel].clamp(min=-1)

    def portrait_scores(self, pictures: Tensor) -> Tensor:
        """Mean cosine over layers to the ticket's nearest photograph: [N, G, d] -> [N, K]; -1 without such a space."""
        if self.spaces.portraits is None:
            return torch.full((pictures.shape[0], len(self.fits)), -1.0)
        return portrait_cosines([fit.portraits for fit in self.fits], self.spaces.portraits(pictures))

    def mention_scores(self, words: RaggedRows) -> Tensor:
        """How well the tokens that end at each row read as a name of each ticket: [N, K]; -1 without such a space."""
        if self.spaces.names is None:
            return torch.full((words.rows.shape[0], len(self.fits)), -1.0)
        return mention_cosines(self.fits, self.spaces.names(words.rows), words.of, self._joined_windows)

    @cached_property
    def _joined_windows(self) -> "_Windows | None":
        """The windows of all tickets in one piece, where that takes GROUP_BYTES at most: made once for a version."""
        groups = list(_groups(self.fits)) if self.fits else []
        return _all_windows(self.fits) if len(groups) == 1 else None

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
            IdentityFit.from_tensors(
                {name: tensors[f"rows.{index}.{name}"] for name in FIT_TENSORS}
                | {name: tensors[at] for name in LATER_FIT_TENSORS if (at := f"rows.{index}.{name}") in tensors}
            )
            for index in range(len(tickets))
        )
        spaces, joint = IdentitySpaces.from_tensors(tensors), tensors.get("joint")
        return cls(tickets, fits, tensors["thresholds"], tensors["near"], spaces, joint)


def embedded_portraits(fits: Sequence[IdentityFit]) -> list[Tensor]:
    """The photographs [m, 1, d] of each ticket at the input of the first block; of none where a fit lacks them."""
    none = fits[0].portraits.new_zeros(0, 1, fits[0].portraits.shape[2])
    return [none if fit.embedded is None else fit.embedded for fit in fits]


def portrait_cosines(portraits: Sequence[Tensor], white: Tensor) -> Tensor:
    """[N, G, d], float32 or float16, against K tickets' photographs -> [N, K], -1 for a ticket without one."""
    scores = torch.full((white.shape[0], len(portraits)), -1.0)
    owners = torch.cat([torch.full((own.shape[0],), index) for index, own in enumerate(portraits)]).long()
    if not len(owners):
        return scores
    own, most = torch.cat(list(portraits)), max(1, CHUNK_BYTES // (4 * white.shape[1] * white.shape[2]))
    parts = [torch.einsum("nld,mld->nm", part.float(), own) for part in white.split(most)]
    cosines = torch.cat(parts) / white.shape[1]
    return scores.scatter_reduce_(1, owners.expand_as(cosines), cosines, "amax")


def mention_cosines(fits: Sequence[IdentityFit], white: Tensor, of: Tensor, joined: "_Windows | None" = None) -> Tensor:
    """Whitened tokens [N, G, d] of prompts `of` [N] against K tickets' windows -> [N, K], -1 without a window.

    `joined`: the windows of all of `fits`, where somebody has them in one piece.
    """
    scores = torch.full((white.shape[0], len(fits)), -1.0)
    if not white.shape[0]:
        return scores
    for start, some in [(0, fits)] if joined is not None else _groups(fits):
        windows = joined or _all_windows(some)
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
