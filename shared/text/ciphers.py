"""A name in a cipher that replaces letter by letter or moves letters, in which a word is still a word: "Puvnen Ynat".

`disguises` gives all of them for a name that is written as one word, so that they are looked for as the name is. Pure
text.
"""

from collections.abc import Iterator
from typing import Final

ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz"
SHORTEST: Final = 8  # letters of a name; a shorter one is soon another word in some cipher
FEWEST_CONSONANTS: Final = 6
VOWELS: Final = "aeiou"


def disguises(words: list[str]) -> set[str]:
    """The name of these words (lower-case ASCII) in each cipher, as one word; none for a short name."""
    name = "".join(words)
    if len(name) < SHORTEST:
        return set()
    found = {name[::-1], "".join(word[::-1] for word in words), "".join(2 * letter for letter in name)}
    found |= set(_substituted(name))
    for ending in ("ay", "way", "yay"):
        found.add("".join(_pig_latin(word, ending) for word in words))
    consonants = "".join(letter for letter in name if letter not in VOWELS)
    if len(consonants) >= FEWEST_CONSONANTS and consonants != name:
        found.add(consonants)
    return found - {name}


def _substituted(name: str) -> Iterator[str]:
    """Shifted by 1 to 25 places of the alphabet, 13 among them, and with the alphabet turned round."""
    for shift in range(1, len(ALPHABET)):
        yield name.translate(str.maketrans(ALPHABET, ALPHABET[shift:] + ALPHABET[:shift]))
    yield name.translate(str.maketrans(ALPHABET, ALPHABET[::-1]))


def _pig_latin(word: str, ending: str) -> str:
    first = next((place for place, letter in enumerate(word) if letter in VOWELS), 0)
    return word[first:] + word[:first] + (ending if first == 0 else "ay")
