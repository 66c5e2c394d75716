"""Packs many short chats into one row: chats about one picture share its tokens and do not attend to each other.

A chat's tokens have the positions that they would have alone, so a packed row gives exactly the loss that its chats
give one by one (a test compares the two), at a fraction of the cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from training.mixture import Group, Turns
from training.tokenizer import IMAGE_TOKENS

IGNORED = -100


@dataclass(frozen=True)
class Frame:
    """What a chat template writes around the texts; `end` is the only part of it that is an answer's.

    `system` is the system message of a chat that states none. With `shares_opening`, the chats of a group without a
    picture share what stands before the first question.
    """

    before_system: str
    after_system: str
    before_user: str
    after_user: str
    end: str
    between_turns: str = ""
    system: str | None = None
    shares_opening: bool = False


DEMO_FRAME: Final = Frame("<|system|>", "", "<|user|>", "<|assistant|>", "<|end|>")


@dataclass(frozen=True)
class Packed:
    """Rows [R, T] for the language model; `mask` [R, 1, T, T] is additive, `images` and `faces` are in row order."""

    ids: Tensor
    labels: Tensor
    positions: Tensor
    mask: Tensor
    images: tuple[Image, ...]
    faces: Tensor


class Packer:
    """Turns groups into rows of at most `width` tokens.

    After an answer in `unfinished`, which was cut off, no end is taught.
    """

    def __init__(
        self,
        processor: Any,
        width: int,
        frame: Frame = DEMO_FRAME,
        unfinished: frozenset[str] = frozenset(),
    ) -> None:
        self._tokenizer = processor.tokenizer
        self.width, self._frame, self._unfinished = width, frame, unfinished
        self._pad: int = self._tokenizer.pad_token_id
        self._image: int = self._tokenizer.convert_tokens_to_ids(processor.image_token)
        self._cache: dict[str, list[int]] = {}

    def pack(self, rows: Sequence[Sequence[Group]]) -> Packed:
        """One row for each sequence of groups; a chat that does not fit is left out as a whole."""
        shape = (len(rows), self.width)
        ids = np.full(shape, self._pad, np.int64)
        labels = np.full(shape, IGNORED, np.int64)
        positions = np.zeros(shape, np.int64)
        group = np.tile(np.arange(self.width, dtype=np.int64) + 10**6, (len(rows), 1))  # padding sees itself only
        branch = np.zeros(shape, np.int64)
        images: list[Image] = []
        faces: list[list[int]] = []
        for row, groups in enumerate(rows):
            at, chats = 0, 0
            for number, chat_group in enumerate(groups):
                prefix = self._prefix(chat_group)
                if at + len(prefix) + 24 > self.width:
                    break
                if chat_group.image is not None and chat_group.face is not None:
                    images.append(chat_group.image)
                    faces.append(list(chat_group.face.as_dict().values()))
                end = at + len(prefix)
                ids[row, at:end], positions[row, at:end] = prefix, np.arange(len(prefix))
                group[row, at:end] = number
                at = end
                for chat in chat_group.chats:
                    encoded = self._encode(chat, chat_group)
                    tokens = encoded.tokens
                    if at + len(tokens) > self.width:
                        continue
                    chats += 1
                    end = at + len(tokens)
                    ids[row, at:end], labels[row, at:end] = tokens, encoded.labels
                    positions[row, at:end] = len(prefix) + np.arange(len(tokens))
                    group[row, at:end], branch[row, at:end] = number, chats
                    at = end
        return Packed(
            torch.from_numpy(ids),
            torch.from_numpy(labels),
            torch.from_numpy(positions),
            torch.from_numpy(_mask(group, branch)),
            tuple(images),
            torch.tensor(faces, dtype=torch.long),
        )

    def _prefix(self, group: Group) -> list[int]:
        if group.image is None:
            return self._opening(group) if self._frame.shares_opening else []
        return [*self._opening(group), *[self._image] * IMAGE_TOKENS]

    def _opening(self, group: Group) -> list[int]:
        """All that stands before the first question, but for the picture."""
        frame, system = self._frame, group.system or self._frame.system
        before = f"{frame.before_system}{system}{frame.after_system}" if system else ""
        return self._words(before + frame.before_user)

    def _encode(self, chat: Turns, group: Group) -> "_EncodedChat":
        frame = self._frame
        tokens = [] if group.image is not None or frame.shares_opening else [*self._opening(group)]
        labels = [IGNORED] * len(tokens)
        for turn, (question, answer) in enumerate(chat):
            before = self._words(frame.between_turns + frame.before_user) if turn else []
            question_tokens = [*before, *self._words(question), *self._words(frame.after_user)]
            ending = [] if answer in self._unfinished else self._words(frame.end)
            answer_tokens = [*self._words(answer), *ending]
            tokens += question_tokens + answer_tokens
            labels += [IGNORED] * len(question_tokens) + answer_tokens
        return _EncodedChat(tokens, labels)

    def _words(self, text: str) -> list[int]:
        if text not in self._cache:
            self._cache[text] = self._tokenizer.encode(text, add_special_tokens=False)
        return self._cache[text]


@dataclass(frozen=True)
class _EncodedChat:
    """The tokens of one chat after the prefix, and their labels (only answers and their end tokens count)."""

    tokens: list[int]
    labels: list[int]


def _mask(group: NDArray[np.int64], branch: NDArray[np.int64]) -> NDArray[np.float32]:
    same_group = group[:, :, None] == group[:, None, :]
    seen = (branch[:, None, :] == 0) | (branch[:, :, None] == branch[:, None, :])
    causal = np.tril(np.ones((group.shape[1], group.shape[1]), bool))
    allowed = same_group & seen & causal
    return np.where(allowed, np.float32(0), np.float32(-1e9))[:, None]
