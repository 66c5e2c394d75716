"""Where identity is read: each block and channel by itself, on people whom the fit never saw.

A channel says which vectors of a prompt it compares and how a person is fitted from them; a further reader is one more
entry of CHANNELS. The blocks are chosen by what the curves show (the criterion that the paper's appendix H asks for):
the fewest, and among those the earliest, that lose nothing against all blocks together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.gates.identity_fit import within_person_whitener
from shared.erasure.gates.name_windows import WINDOW as NAME_WINDOW
from shared.erasure.gates.name_windows import window_scores
from shared.erasure.numerics.conformal import conformal_quantile
from shared.erasure.numerics.moments import Moments
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.recipe import Recipe
from shared.evaluation.model_profile import ChannelCurve, Reading
from shared.probes.questions import Form, answers_that_name, fact_questions, mention_questions, picture_prompts
from shared.vlm import capture
from shared.vlm.engine import Engine

FALSE_POSITIVES: Final = 0.01  # of other people's and ordinary prompts
LOSS: Final = 0.01  # of the rate at all blocks that a choice may cost
NEARLY: Final = 0.1  # of the widest margin, by which an earlier set of blocks may fall short of it
NEIGHBOURS: Final = 3
PICTURES: Final = 8
WINDOW: Final = 64  # prompts whose tokens are held at a time
SIZES: Final = (1, 2, 4, 8)  # numbers of blocks that are tried, besides all

Count = Callable[[int, int], None]


@dataclass(frozen=True)
class ReadingPeople:
    """Disjoint people: `retained` shape the whiteners, `forgotten` are fitted as tickets are, `others` set thresholds.

    `ordinary` are prompts about nobody, which set thresholds too.
    """

    retained: Sequence[Subject]
    forgotten: Sequence[Subject]
    others: Sequence[Subject]
    ordinary: Sequence[Prompt]


class Channel(Protocol):
    """One way to read who a prompt is about, at each block by itself."""

    def __call__(self, engine: Engine, people: ReadingPeople, recipe: Recipe) -> "ChannelScores | None":
        """Scores of all test and calibration prompts; None where the model or the people do not have this channel."""


@dataclass(frozen=True)
class ChannelScores:
    """Scores at each of L blocks: `own` [n, L] of questions about the forgotten in new wordings, for their person's
    fit; `others` [m, L] of prompts about anybody else, the best over all fits."""

    own: Tensor
    others: Tensor


def read_identity(engine: Engine, people: ReadingPeople, recipe: Recipe, count: Count | None = None) -> Reading:
    """The curves of all channels, and the blocks that the gate shall read."""
    scores: dict[str, ChannelScores] = {}
    for number, (name, channel) in enumerate(CHANNELS.items(), 1):
        measured = channel(engine, people, recipe)
        if measured is not None:
            scores[name] = measured
        if count is not None:
            count(number, len(CHANNELS))
    gated = {name: value for name, value in scores.items() if name in GATED}
    blocks = choose_blocks(gated)
    every_block = tuple(range(len(engine.vlm.site.layers)))
    return Reading(
        curves=tuple(_curve(name, value) for name, value in scores.items()),
        people=len(people.forgotten),
        others=len(people.others),
        blocks=blocks,
        rate=_rate_of(gated, blocks),
        rate_all_blocks=_rate_of(gated, every_block),
    )


def choose_blocks(scores: Mapping[str, ChannelScores]) -> tuple[int, ...]:
    """The fewest blocks whose mean score recognises as many as that of all blocks, less LOSS, in every channel.

    Of sets of one size the one with the widest margin wins, then the earliest. A set is a run of consecutive blocks.
    """
    count = next(iter(scores.values())).own.shape[1] if scores else 0
    every_block = tuple(range(count))
    goal = {name: _rate(value, every_block) - LOSS for name, value in scores.items()}
    for size in (size for size in SIZES if size < count):
        runs = [tuple(range(start, start + size)) for start in range(count - size + 1)]
        good = [run for run in runs if all(_rate(value, run) >= goal[name] for name, value in scores.items())]
        if good:
            margins = {run: min(_relative_margin(value, run) for value in scores.values()) for run in good}
            widest = max(margins.values())
            return next(run for run in good if margins[run] >= widest - NEARLY * abs(widest))
    return every_block


def mentions(engine: Engine, people: ReadingPeople, recipe: Recipe) -> ChannelScores | None:
    """Windows over the last tokens of a name, as the identity gate matches them."""
    named = [subject for subject in people.forgotten if subject.names]
    if not named or not engine.vlm.tokenizer.is_fast:
        return None
    groups = [
        torch.stack([tokens[-1] for tokens in capture.mention_states(engine, prompts, [name] * len(prompts))])
        for subject in people.retained
        for name in subject.names[:1]
        for prompts in (mention_questions(name), answers_that_name(name))
    ]
    space = within_person_whitener(groups, recipe.whitener_rank, recipe.identity_shrinkage)
    if space is None:
        return None
    layers, hidden = space.mean.shape
    windows, lengths = [], []
    for subject in named:
        name = subject.names[0]
        tokens = capture.mention_states(engine, prompts := mention_questions(name), [name] * len(prompts))
        length = min([NAME_WINDOW, *(own.shape[0] for own in tokens)])
        white = torch.stack([space(own[-length:]) for own in tokens])
        window = torch.zeros(NAME_WINDOW, layers, hidden)
        window[NAME_WINDOW - length :] = F.normalize(white.mean(dim=0), dim=-1)
        windows.append(window)
        lengths.append(length)

    def scores_of(prompts: Sequence[Prompt]) -> Tensor:
        """[n, L, K]"""
        words = capture.readout(engine, prompts).words
        white, by_layer = space(words.rows), []
        for layer in range(layers):
            each = window_scores(
                torch.stack(windows)[:, :, layer : layer + 1],
                torch.tensor(lengths),
                white[:, layer : layer + 1],
                words.of,
            )
            by_layer.append(words.best(each, len(prompts)))
        return torch.stack(by_layer, dim=1)

    return _scored(named, scores_of, people, by="name")


def last_token(engine: Engine, people: ReadingPeople, recipe: Recipe) -> ChannelScores | None:
    """Nearest prototypes at the last prompt token, where late blocks have bound the person and the question."""
    named = [subject for subject in people.forgotten if subject.names and subject.facts]
    retained = [question for subject in people.retained for question in _questions(subject, "trained", per_fact=2)]
    if not named or not retained:
        return None
    moments = Moments(len(engine.vlm.site.layers), engine.vlm.site.hidden_size)
    moments.add(capture.activations(engine, [*retained, *people.ordinary[::2]]))
    space = Whitener.fit(moments.mean, moments.covariances(), recipe.whitener_rank, recipe.shrinkage)
    prototypes = [
        space(capture.activations(engine, _questions(subject, "trained", per_fact=6))).transpose(0, 1)
        for subject in named
    ]

    def scores_of(prompts: Sequence[Prompt]) -> Tensor:
        """[n, L, K]"""
        white = space(capture.activations(engine, prompts))
        return torch.stack([_nearest(white, own) for own in prototypes], dim=2)

    return _scored(named, scores_of, people, by="name")


def portraits(engine: Engine, people: ReadingPeople, recipe: Recipe) -> ChannelScores | None:
    """One vector for each photograph, at the picture's tokens."""
    seen = [subject for subject in people.forgotten if subject.photos]
    groups = [
        capture.readout(engine, picture_prompts(subject.photos[0], PICTURES, seed=number)).pictures.rows
        for number, subject in enumerate(people.retained)
        if subject.photos
    ]
    if not seen or len(groups) < 2:
        return None
    space = within_person_whitener(groups, recipe.whitener_rank, recipe.identity_shrinkage)
    if space is None:
        return None
    fits = torch.stack(
        [
            F.normalize(
                space(capture.readout(engine, picture_prompts(subject.photos[0], PICTURES)).pictures.rows).mean(dim=0),
                dim=-1,
            )
            for subject in seen
        ]
    )

    def scores_of(prompts: Sequence[Prompt]) -> Tensor:
        """[n, L, K]"""
        pictures = capture.readout(engine, prompts).pictures
        each = torch.einsum("nld,kld->nlk", space(pictures.rows), fits)
        return torch.stack([pictures.best(each[:, layer], len(prompts)) for layer in range(each.shape[1])], dim=1)

    return _scored(seen, scores_of, people, by="portrait")


CHANNELS: Final[Mapping[str, Channel]] = {"picture": portraits, "mention": mentions, "last prompt token": last_token}
GATED: Final = ("picture", "mention")  # what the identity gate reads today; the others are reported


def _scored(
    subjects: Sequence[Subject], scores_of: Callable[[Sequence[Prompt]], Tensor], people: ReadingPeople, *, by: str
) -> ChannelScores:

    def streamed(prompts: Sequence[Prompt]) -> Tensor:
        """[n, L, K]; the tokens of at most WINDOW prompts are held at a time."""
        parts = [scores_of(prompts[start : start + WINDOW]) for start in range(0, len(prompts), WINDOW)]
        return torch.cat(parts)

    own = []
    for index, subject in enumerate(subjects):
        prompts = _about(subject, by)
        if prompts:
            own.append(streamed(prompts)[:, :, index])
    others = [prompt for subject in people.others for prompt in _about(subject, by)]
    if by == "name":
        others += people.ordinary
    return ChannelScores(torch.cat(own), streamed(others).amax(dim=2))


def _about(subject: Subject, by: str) -> list[Prompt]:
    """Questions about `subject` in wordings, or changes of the picture, that no fit uses."""
    if by == "portrait":
        return [prompt for photo in subject.photos[:1] for prompt in picture_prompts(photo, PICTURES, form="test")]
    return _questions(subject, "test", per_fact=2)


def _questions(subject: Subject, form: Form, *, per_fact: int) -> list[Prompt]:
    named = replace(subject, photos=())
    return [question.prompt for question in fact_questions(named, form=form, per_fact=per_fact)]


def _nearest(white: Tensor, prototypes: Tensor) -> Tensor:
    """Mean cosine to the nearest prototypes at each block: [n, L, d] and [L, m, d] -> [n, L]."""
    cosines = torch.einsum("nld,lmd->nlm", white, prototypes)
    return cosines.topk(min(NEIGHBOURS, cosines.shape[2]), dim=2).values.mean(dim=2)


def _curve(name: str, scores: ChannelScores) -> ChannelCurve:
    runs = [(block,) for block in range(scores.own.shape[1])]
    return ChannelCurve(
        name,
        tuple(round(_rate(scores, run), 4) for run in runs),
        tuple(round(_margin(scores, run), 4) for run in runs),
    )


def _threshold(scores: ChannelScores, blocks: Sequence[int]) -> float:
    return conformal_quantile(scores.others[:, list(blocks)].mean(dim=1), 1 - FALSE_POSITIVES)


def _rate(scores: ChannelScores, blocks: Sequence[int]) -> float:
    own = scores.own[:, list(blocks)].mean(dim=1)
    return float((own > _threshold(scores, blocks)).float().mean())


def _margin(scores: ChannelScores, blocks: Sequence[int]) -> float:
    return float(scores.own[:, list(blocks)].mean(dim=1).mean()) - _threshold(scores, blocks)


def _relative_margin(scores: ChannelScores, blocks: Sequence[int]) -> float:
    """The margin in units of the spread of the scores: cosines of different blocks are not comparable."""
    own = scores.own[:, list(blocks)].mean(dim=1)
    others = scores.others[:, list(blocks)].mean(dim=1)
    return _margin(scores, blocks) / float(torch.cat([own, others]).std().clamp(min=1e-6))


def _rate_of(scores: Mapping[str, ChannelScores], blocks: Sequence[int]) -> float:
    rates = [_rate(value, blocks) for value in scores.values()]
    return round(min(rates), 4) if rates else 0.0
