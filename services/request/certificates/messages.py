"""The sentences of certificates: `python -m services.request.certificates.messages` adds new ones to the file."""

from babel.messages import Catalog

from services.request.certificates.pdf import FOLDER
from services.request.certificates.statement import CLAIM, DISPOSALS, METHOD, NOT_CLAIMED, NOT_RUN, NOTHING, UNKEPT
from services.request.documents import catalogs
from shared.domain.ticket_scope import SENTENCES


def collect() -> Catalog:
    """Every sentence, in English."""
    return catalogs.collect(
        FOLDER, (CLAIM, NOTHING, NOT_RUN, UNKEPT, METHOD, *NOT_CLAIMED, *DISPOSALS.values(), *SENTENCES)
    )


if __name__ == "__main__":
    for file in sorted((FOLDER / "languages").glob("*.po")):
        catalogs.update(file, collect())
