"""What does an answer do: tell the fact, decline, or say something else?"""

from collections.abc import Sequence
from enum import StrEnum

from shared.evaluation.scorers import reveals
from shared.text.declines import declines


class AnswerKind(StrEnum):
    """What an answer does."""

    TELLS = "tells"
    DECLINES = "declines"
    OTHER = "other"


def classify(text: str, accept: Sequence[str], own: Sequence[str] = ()) -> AnswerKind:
    """What the answer does to a question whose true answers are `accept`. Telling wins, also while thinking aloud."""
    if reveals(text, accept):
        return AnswerKind.TELLS
    return AnswerKind.DECLINES if declines(text, own) else AnswerKind.OTHER
