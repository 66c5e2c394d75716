"""Where the pages of the public form are."""

from typing import Final

START: Final = "/request"


def page_of(token: str) -> str:
    """The page of one form."""
    return f"{START}/{token}"
