"""How people who work with Lacuna are called: which names there are, and when two names look alike.

A name is what the log and the history say of a person. It is kept in lower case and never changes; what is compared
wherever a second person is needed is the id of the person, not the name (docs/adr/0029-people-and-second-persons.md).
"""

import unicodedata
from typing import Final

from shared.domain.accounts import SYSTEM_ACTOR
from shared.errors import BadInput
from shared.text.skeletons import skeleton

LONGEST: Final = 80  # characters
MARKS: Final = " .-_@+'\u2019:"
# Who acts where nobody does: the services in the log, and words that a reader would take for them.
RESERVED: Final = (
    SYSTEM_ACTOR, "system", "lacuna", "refit", "audit", "request", "inference", "bootstrap", "control loop", "root",
    "anonymous", "nobody", "somebody", "everybody", "unknown", "null", "none", "deleted", "migration",
)  # fmt: skip
_RESERVED_SKELETONS: Final = frozenset(skeleton(word.replace(" ", "")) for word in RESERVED)
_WRITTEN_TOGETHER: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"})


def check_name(text: str) -> str:
    """The name as it is kept: composed (Unicode NFKC), in lower case.

    Raises BadInput, which does not repeat the name, unless it consists of letters of one script, digits and the marks
    of `MARKS`, begins and ends with a letter or a digit, and looks like no reserved word.
    """
    name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if not name or len(name) > LONGEST:
        raise BadInput(f"A name has 1 to {LONGEST} characters.")
    if not all(_is_written(character) for character in name) or "  " in name:
        raise BadInput("A name consists of letters, digits, single blanks and . - _ @ + : and apostrophes.")
    if not (name[0].isalnum() and (name[-1].isalnum() or unicodedata.category(name[-1]).startswith("M"))):
        raise BadInput("A name begins and ends with a letter or a digit.")
    if len(_scripts(name)) > 1:
        raise BadInput("The letters of a name belong to one script.")
    if is_reserved(name):
        raise BadInput("This name is reserved: it is, or looks like, that of a part of the system.")
    return name


def is_reserved(name: str) -> bool:
    """Whether the name looks like that of a part of the system; blanks and marks make no difference."""
    letters = "".join(character for character in name if character not in MARKS)
    return skeleton(letters) in _RESERVED_SKELETONS


def _is_written(character: str) -> bool:
    return (unicodedata.category(character) in ("Ll", "Lo", "Lm", "Mn", "Mc", "Nd") and character not in _UNSEEN) or (
        character in MARKS
    )


# Letters and marks that are drawn as nothing: fillers of Hangul, vowels of Khmer, selectors, a joiner.
_UNSEEN: Final = frozenset(
    map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164, 0xFFA0, *range(0xFE00, 0xFE10)))
) | frozenset(map(chr, range(0xE0000, 0xE1000)))


def _scripts(name: str) -> set[str]:
    """The scripts of the letters, by the first word of a letter's Unicode name; those of East Asia count as one."""
    words = {unicodedata.name(character, "?").split()[0] for character in name if character.isalpha()}
    return {"CJK" if word in _WRITTEN_TOGETHER else word for word in words}
