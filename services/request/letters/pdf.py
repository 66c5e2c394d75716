"""A letter as PDF, from its text alone: the first block is the letterhead, and the title stands out."""

from typing import Final

from services.request.documents.language import language
from services.request.documents.page import INK, PALE, DocumentPage
from services.request.letters.drafts import FOLDER, TITLES, LetterKind

SIZE: Final = 10.5
LEADING: Final = 5.4  # mm from line to line


def as_pdf(kind: LetterKind, code: str, text: str) -> bytes:
    """The letter of a kind in the language `code`, on as many pages of A4 as it needs."""
    title = language(code, FOLDER / "languages").gettext(TITLES[kind])
    head, *blocks = text.strip().split("\n\n")
    page = DocumentPage(title, code, [text], "")
    page.ink(9, PALE)
    page.say(head, height=4.4)
    page.rule(6)
    for block in blocks:
        if block.startswith(title):
            heading, _, rest = block.partition("\n")
            page.ln(4)
            page.ink(13, INK, "B")
            page.say(heading, "H1", 6)
            page.ink(SIZE, PALE)
            if rest:
                page.say(rest, height=LEADING)
        else:
            page.ink(SIZE, INK)
            page.say(block, height=LEADING)
        page.ln(3)
    return bytes(page.output())
