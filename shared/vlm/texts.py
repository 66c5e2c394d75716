"""The text of tokens, with the characters at which each of them begins."""

from collections.abc import Sequence
from typing import Any, Final

from shared.text.token_text import TokenText
from shared.vlm.adapters.base import Adapter, Encoded
from shared.vlm.redaction import text_token_mask

UNFINISHED: Final = "\ufffd"  # what a decoder gives for a part of a character
MOST_PARTS: Final = 8  # tokens that one character is made of


class TokenReader:
    """Decodes tokens one by one, special tokens included, and keeps what it has decoded."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._pieces: dict[tuple[int, ...], str] = {}
        self._single: dict[int, str] = {}  # of tokens that are whole characters
        self._anchor: int = tokenizer.encode("a", add_special_tokens=False)[-1]
        self._before = len(self._decode([self._anchor]))

    def prompts(self, adapter: Adapter, encoded: Sequence[Encoded]) -> tuple[TokenText, ...]:
        """What the text tokens of each prompt say; pictures are left out. What was read ahead is taken."""
        return tuple(
            prompt.text or self.read(prompt.ids[text_token_mask(adapter, prompt)].tolist()) for prompt in encoded
        )

    def read(self, ids: Sequence[int]) -> TokenText:
        """What `ids` say. The tokens of one character all begin where it begins."""
        pieces: list[str] = []
        starts: list[int] = []
        length, place = 0, 0
        while place < len(ids):
            count, piece = 1, self._single.get(ids[place])
            if piece is None:
                count, piece = self._character(ids, place)
                if count == 1 and not piece.endswith(UNFINISHED):
                    self._single[ids[place]] = piece
            starts += [length] * count
            pieces.append(piece)
            length += len(piece)
            place += count
        return TokenText("".join(pieces), tuple(starts))

    def piece(self, token: int) -> str:
        """The text of one token inside a text."""
        return self._piece((token,))

    def _character(self, ids: Sequence[int], place: int) -> tuple[int, str]:
        """The text of the token at `place`, or of as many as make a whole character; and how many these are."""
        first = self._piece(ids[place : place + 1])
        piece, count = first, 1
        while piece.endswith(UNFINISHED) and count < min(MOST_PARTS, len(ids) - place):
            count += 1
            piece = self._piece(ids[place : place + count])
        return (1, first) if piece.endswith(UNFINISHED) else (count, piece)

    def _piece(self, ids: Sequence[int]) -> str:
        """The text of a few tokens behind another one: some tokenizers leave out the first blank of a text."""
        key = tuple(ids)
        if key not in self._pieces:
            self._pieces[key] = self._decode([self._anchor, *key])[self._before :]
        return self._pieces[key]

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text
