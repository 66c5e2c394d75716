"""How answers decline, in several languages: patterns as data, without code."""

from typing import Final

from shared.evaluation.declining.dutch import DUTCH
from shared.evaluation.declining.english import ENGLISH
from shared.evaluation.declining.french import FRENCH
from shared.evaluation.declining.german import GERMAN
from shared.evaluation.declining.grammar import Grammar
from shared.evaluation.declining.italian import ITALIAN
from shared.evaluation.declining.polish import POLISH
from shared.evaluation.declining.portuguese import PORTUGUESE
from shared.evaluation.declining.spanish import SPANISH

GRAMMARS: Final = (ENGLISH, GERMAN, FRENCH, SPANISH, ITALIAN, POLISH, PORTUGUESE, DUTCH)

__all__ = ["GRAMMARS", "Grammar"]
