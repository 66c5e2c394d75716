"""Fonts of documents. All are embedded, so that a page looks the same everywhere and its text can be read out.

They come with packages: Noto Sans for most scripts (`manimgx-fonts`) and for Chinese, Japanese and Korean
(`noto-cjk-sans-jp-regular`). Only those that a text needs are read, and only the glyphs that it uses are embedded.
HarfBuzz joins and orders letters where a script does so.
"""

import unicodedata
from collections.abc import Iterable
from importlib.resources import files
from typing import Final

from fpdf import FPDF

BASE: Final = "NotoSans"
CJK: Final = "NotoSansCJK"
SYMBOLS: Final = ("NotoSansSymbols", "NotoEmoji")
EAST_ASIAN: Final = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH", "BOPOMOFO")
PLAIN: Final = frozenset(bytes(range(32, 256)).decode("cp1252", "ignore")) | {"\n"}  # which the base font has
OF_BASE: Final = ("LATIN", "GREEK", "CYRILLIC", "COMBINING")


def add_fonts(page: FPDF, texts: Iterable[str]) -> None:
    """Add the family `BASE`. It shows every text, with glyphs of other fonts where it has none.

    Only the fonts that `texts` need are added.
    """
    page.add_font(BASE, "", _file(BASE))
    characters = {character for text in texts for character in text}
    fallbacks = sorted({font for character in characters for font in _fonts_of(character)})
    for font in fallbacks:
        page.add_font(font, "", _file(font))
    page.set_fallback_fonts(fallbacks, exact_match=False)


def _fonts_of(character: str) -> tuple[str, ...]:
    script = unicodedata.name(character, "").partition(" ")[0].partition("-")[0]
    if character in PLAIN or script in OF_BASE:
        return ()
    if script in EAST_ASIAN:
        return (CJK,)
    own = f"NotoSans{script.title()}"
    return (own,) if files("manimgx_fonts").joinpath(f"{own}[wght].ttf").is_file() else SYMBOLS


def _file(font: str) -> str:
    if font == CJK:
        return str(files("noto_cjk_sans_jp_regular").joinpath("NotoSansCJKjp-Regular.otf"))
    return str(files("manimgx_fonts").joinpath(f"{font}[wght].ttf"))
