"""The languages of the public form, whose sentences are in `languages/*.po`."""

from pathlib import Path
from typing import Final

from services.request.documents.language import DEFAULT, LANGUAGES, Language, language

FOLDER: Final = Path(__file__).with_name("languages")


def form_language(code: str) -> Language:
    """The language with this code, English for one that there is not."""
    return language(code if code in LANGUAGES else DEFAULT, FOLDER)
