"""The sentences of the console: `python -m services.request.console.messages` adds new ones to `languages/*.po`.

They are in the templates and the code, in the titles and the advice of problems, which error pages show, and in what is
said of a ticket's scope. A new one has an empty translation, which a test reports; one that is no longer used is
removed.
"""

from pathlib import Path
from typing import Final

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from services.request.console.language import FOLDER
from services.request.problems.catalogue import ADVICE
from shared.domain.ticket_scope import SENTENCES
from shared.errors import problem_types

CODE: Final = Path(__file__).parent
METHODS: Final = [("**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS: Final = {"_": None, "gettext": None, "ngettext": (1, 2), "mark": None}


def collect() -> Catalog:
    """Every sentence, in English."""
    catalog = Catalog(charset="utf-8")
    for _file, _line, message, _comments, context in extract_from_dir(CODE, METHODS, keywords=KEYWORDS):
        catalog.add(message, context=context)
    for kind in problem_types().values():
        catalog.add(kind.title)
    for sentence in (*ADVICE.values(), *SENTENCES):
        catalog.add(sentence)
    return catalog


def update(path: Path) -> None:
    """Bring a file of translations up to date with the code."""
    with path.open("rb") as file:
        catalog = read_po(file, locale=path.stem)
    catalog.update(collect(), no_fuzzy_matching=True, update_creation_date=False, keep_user_comments=False)
    catalog.obsolete.clear()
    with path.open("wb") as file:
        write_po(file, catalog, width=120, no_location=True, omit_header=False, sort_output=True, ignore_obsolete=True)


def missing(path: Path) -> list[str]:
    """The sentences of the code that the file does not translate."""
    with path.open("rb") as file:
        catalog = read_po(file, locale=path.stem)
    messages = [message.id if isinstance(message.id, str) else message.id[0] for message in collect() if message.id]
    translated = {
        entry.id if isinstance(entry.id, str) else entry.id[0]
        for entry in catalog
        if entry.id and not entry.fuzzy and (all(entry.string) if isinstance(entry.string, tuple) else entry.string)
    }
    return sorted(set(messages) - translated)


if __name__ == "__main__":
    for file in sorted(FOLDER.glob("*.po")):
        update(file)
