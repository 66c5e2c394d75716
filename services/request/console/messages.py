"""The sentences of the console: `python -m services.request.console.messages` adds new ones to `languages/*.po`.

They are in the templates and the code, in the titles and the advice of problems, which error pages show, and in what is
said of a ticket's scope. A new one has an empty translation, which a test reports; one that is no longer used is
removed.
"""

from pathlib import Path

from babel.messages import Catalog

from services.request.console.language import FOLDER
from services.request.documents import catalogs
from services.request.problems.catalogue import ADVICE
from shared.domain.ticket_scope import SENTENCES
from shared.errors import problem_types


def collect() -> Catalog:
    """Every sentence, in English."""
    titles = (kind.title for kind in problem_types().values())
    return catalogs.collect(Path(__file__).parent, (*titles, *ADVICE.values(), *SENTENCES))


if __name__ == "__main__":
    for file in sorted(FOLDER.glob("*.po")):
        catalogs.update(file, collect())
