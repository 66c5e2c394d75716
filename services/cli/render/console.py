"""The terminal. What the services or a file say is text: none of it is markup, and no control character reaches it.

Styles are given by functions: `console.print(bold(ticket["id"]), " is approved", sep="")`.
"""

import re
from typing import Any, Final

from rich.console import Console
from rich.text import Text

# Control characters of both ASCII and Latin-1, and those that turn the direction of what follows.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class PlainConsole(Console):
    """A console that prints every string as it is, and control characters as `\\x1b`."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Every string that is printed comes here, those in tables too."""
        return super().render_str(visible(text), **options)


def visible(text: str) -> str:
    """The text with control characters written out."""
    return _CONTROLS.sub(lambda match: _written_out(match.group()), text.replace("\r\n", "\n"))


def visible_in_json(document: str) -> str:
    """A JSON document with them as JSON writes them; it says the same."""
    return _CONTROLS.sub(lambda match: f"\\u{ord(match.group()):04x}", document)


def _written_out(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"


def bold(text: object) -> Text:
    """In bold."""
    return styled(text, "bold")


def styled(text: object, style: str) -> Text:
    """In a style of rich, such as `red`."""
    return Text(visible(str(text)), style=style)
