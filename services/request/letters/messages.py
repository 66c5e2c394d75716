"""The sentences of letters: `python -m services.request.letters.messages` adds new ones to `languages/*.po`."""

from babel.messages import Catalog

from services.request.documents import catalogs
from services.request.letters.drafts import FOLDER
from services.request.letters.laws import sentences
from shared.domain.ticket_scope import SENTENCES


def collect() -> Catalog:
    """Every sentence, in English."""
    return catalogs.collect(FOLDER, (*SENTENCES, *filter(None, sentences())))


if __name__ == "__main__":
    for file in sorted((FOLDER / "languages").glob("*.po")):
        catalogs.update(file, collect())
