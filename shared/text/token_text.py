"""A text and the tokens that it is made of: what characters say of tokens."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass


@dataclass(frozen=True)
class TokenText:
    """`text`, and `starts`: the character at which each of its tokens begins, ascending."""

    text: str
    starts: tuple[int, ...]

    def tokens(self, start: int, end: int) -> tuple[int, int]:
        """The tokens [first, last) that hold the characters [start, end); empty for no character."""
        if end <= start or not self.starts:
            return 0, 0
        return max(0, bisect_right(self.starts, start) - 1), bisect_left(self.starts, end)
