"""Files of translations: what of the code and the templates has none yet, and what of a file nobody says any more."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

METHODS: Final = [("**.py", "python"), ("templates/**.html", "jinja2"), ("templates/**.txt", "jinja2")]
KEYWORDS: Final = {"_": None, "gettext": None, "ngettext": (1, 2), "mark": None}
OPTIONS: Final = {"**": {"trimmed": "true"}}


def collect(folder: Path, further: Iterable[str] = ()) -> Catalog:
    """Every sentence of the code and the templates in `folder`, in English, and the `further` ones."""
    catalog = Catalog(charset="utf-8")
    for _file, _line, message, _comments, context in extract_from_dir(
        folder, METHODS, options_map=OPTIONS, keywords=KEYWORDS
    ):
        catalog.add(message, context=context)
    for message in further:
        catalog.add(message)
    return catalog


def update(path: Path, messages: Catalog) -> None:
    """Bring a file of translations up to date. A new sentence has an empty translation, one without use is removed."""
    with path.open("rb") as file:
        catalog = read_po(file, locale=path.stem)
    catalog.update(messages, no_fuzzy_matching=True, update_creation_date=False, keep_user_comments=False)
    catalog.obsolete.clear()
    with path.open("wb") as file:
        write_po(file, catalog, width=120, no_location=True, omit_header=False, sort_output=True, ignore_obsolete=True)


def missing(path: Path, messages: Catalog) -> list[str]:
    """The sentences that the file does not translate."""
    with path.open("rb") as file:
        catalog = read_po(file, locale=path.stem)
    wanted = [message.id if isinstance(message.id, str) else message.id[0] for message in messages if message.id]
    translated = {
        entry.id if isinstance(entry.id, str) else entry.id[0]
        for entry in catalog
        if entry.id and not entry.fuzzy and (all(entry.string) if isinstance(entry.string, tuple) else entry.string)
    }
    return sorted(set(wanted) - translated)
