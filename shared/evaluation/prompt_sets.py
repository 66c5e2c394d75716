"""Prompts about no person, by purpose: ordinary ones, and harmful requests with jailbreaks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.domain.splits import Split, split_of

SEED: Final = 0  # of the division by hash; another one would make all stored statistics new


@dataclass(frozen=True)
class Harmful:
    """Requests that a model refuses, and jailbreaks under which it answers them. `test` has other topics than `fit`."""

    fit: tuple[str, ...]
    test: tuple[str, ...]
    jailbreaks: tuple[str, ...]


@dataclass(frozen=True)
class General:
    """Small talk, by the purpose that it may be used for."""

    fit: tuple[str, ...]
    calibration: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class StatedPrompt:
    """A prompt and where it belongs: `split` where that is stated, else by the hash of `topic`, else of its text."""

    text: str
    split: Split | None = None
    topic: str | None = None

    def belongs_to(self) -> Split:
        """Its split; prompts of one topic that state none are in one split."""
        return self.split or split_of(self.topic or self.text, SEED)


def divide_general(prompts: Iterable[StatedPrompt]) -> General:
    """Ordinary prompts by split; held out is `test`. A text that is given twice counts once."""
    divided = _divided(prompts)
    return General(divided["fit"], divided["calibration"], divided["held_out"])


def divide_harmful(requests: Iterable[StatedPrompt], jailbreaks: Iterable[str]) -> Harmful:
    """Harmful requests: held out is `test`, everything else `fit`."""
    divided = _divided(requests)
    return Harmful((*divided["fit"], *divided["calibration"]), divided["held_out"], tuple(dict.fromkeys(jailbreaks)))


def _divided(prompts: Iterable[StatedPrompt]) -> dict[Split, tuple[str, ...]]:
    first = {prompt.text: prompt.belongs_to() for prompt in reversed(tuple(prompts))}
    texts = tuple(reversed(first))
    by_split: dict[Split, tuple[str, ...]] = {"fit": (), "calibration": (), "held_out": ()}
    return by_split | {split: tuple(text for text in texts if first[text] == split) for split in by_split}
