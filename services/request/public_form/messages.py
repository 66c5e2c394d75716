"""The sentences of the public form: `python -m services.request.public_form.messages` adds new ones to `languages`.

They are in the templates and in the mail, and what is refused most often, which the error says in English.
"""

from pathlib import Path
from typing import Final

from babel.messages import Catalog

from services.request.documents import catalogs
from services.request.documents.language import mark
from services.request.public_form.language import FOLDER

REFUSALS: Final = (
    mark("This is not an e-mail address that we can write to."),
    mark("This is not the code."),
    mark("There is no such page."),
    mark("This request is filed already."),
    mark("This request is being sent already. Open this page again in a moment."),
    mark("Type the code from the e-mail first."),
    mark("No more requests can be taken at the moment. Try again later, or write to us."),
    mark("Something went wrong on the server."),
    mark("Give a name or a photograph: by facts alone nobody is recognised."),
    mark("Too many form requests: try again later."),
)


def collect() -> Catalog:
    """Every sentence, in English."""
    return catalogs.collect(Path(__file__).parent)


if __name__ == "__main__":
    for file in sorted(FOLDER.glob("*.po")):
        catalogs.update(file, collect())
