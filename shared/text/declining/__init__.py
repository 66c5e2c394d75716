"""How answers decline, in several languages: patterns as data, without code."""

from typing import Final

from shared.text.declining.dutch import DUTCH
from shared.text.declining.english import ENGLISH
from shared.text.declining.french import FRENCH
from shared.text.declining.german import GERMAN
from shared.text.declining.grammar import Grammar
from shared.text.declining.italian import ITALIAN
from shared.text.declining.polish import POLISH
from shared.text.declining.portuguese import PORTUGUESE
from shared.text.declining.spanish import SPANISH

GRAMMARS: Final = (ENGLISH, GERMAN, FRENCH, SPANISH, ITALIAN, POLISH, PORTUGUESE, DUTCH)

__all__ = ["GRAMMARS", "Grammar"]
