"""The language of a page: the one that somebody chose, else the first that their browser accepts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from babel import negotiate_locale

from services.request.documents.language import DEFAULT, LANGUAGES, Language, language

FOLDER: Final = Path(__file__).with_name("languages")


def choose_language(chosen: str | None, accepted: str, folder: Path = FOLDER) -> Language:
    """The language that somebody `chosen`, else the first that their browser's Accept-Language `accepted` names.

    `folder` has the translations.
    """
    if chosen in LANGUAGES:
        return language(chosen, folder)
    return language(negotiate_locale(_preferred(accepted), list(LANGUAGES), sep="-") or DEFAULT, folder)


def _preferred(header: str) -> Sequence[str]:
    """The codes of an Accept-Language header (RFC 9110, section 12.5.4), the most wanted first, without regions."""
    weighted = []
    for part in header[:500].split(","):
        tag, _, parameters = part.strip().partition(";")
        _, _, quality = parameters.partition("q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            weight = 0.0
        weighted.append((weight, tag.partition("-")[0].lower()))
    return [tag for weight, tag in sorted(weighted, key=lambda entry: -entry[0]) if tag and weight > 0]
