"""Languages of pages and documents: sentences by gettext, and moments in words, 24-hour and with their time zone.

The English sentences are in the templates and the code; `<code>.po` in a folder of translations has the others. They
are read when the process starts, so that nothing has to be compiled.
"""

import io
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.support import Translations

LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
DEFAULT: Final = "en"
DAYS: Final = {"en": "d MMM y", "de": "d. MMM y"}
LONG_DAYS: Final = {"en": "d MMMM y", "de": "d. MMMM y"}


@dataclass(frozen=True)
class Language:
    """One language with its translations."""

    code: str
    translations: Translations

    @property
    def locale(self) -> Locale:
        """Its locale. English dates are written in the British order, day before month."""
        return Locale.parse("en_GB" if self.code == "en" else self.code)

    def gettext(self, message: str) -> str:
        """The message in this language."""
        return str(self.translations.gettext(message))

    def moment(self, value: datetime, zone: str) -> str:
        """A moment as it is on the clocks of `zone`: 29 Nov 2026, 14:05 CET."""
        return format_datetime(value, f"{DAYS[self.code]}, HH:mm z", ZoneInfo(zone), locale=self.locale)

    def day(self, value: date) -> str:
        """A day: 29 Nov 2026."""
        return format_date(value, DAYS[self.code], locale=self.locale)

    def date(self, value: date) -> str:
        """A day as a letter writes it: 29 November 2026."""
        return format_date(value, LONG_DAYS[self.code], locale=self.locale)

    def span(self, value: timedelta) -> str:
        """A duration in its largest unit: 3 days, 5 hours."""
        return format_timedelta(value, threshold=1.5, locale=self.locale)

    def number(self, value: float) -> str:
        """A number with the separators of the language."""
        return format_decimal(value, locale=self.locale)

    def percent(self, share: float) -> str:
        """A share as per cent with one decimal: 12.5 %."""
        return format_percent(share, "#,##0.0 %", locale=self.locale)


def mark(message: str) -> str:
    """Mark a message for translation where it is defined; it is translated where it is shown."""
    return message


@lru_cache
def language(code: str, folder: Path) -> Language:
    """The language with this code, one of `LANGUAGES`, with the translations that `folder` has."""
    path = folder / f"{code}.po"
    if not path.is_file():
        return Language(code, Translations())
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return Language(code, Translations(compiled))
