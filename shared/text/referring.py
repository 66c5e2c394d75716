"""Whether a text speaks of somebody who is shown or known already: "this person", "cette photo", "Who ...?", "she"."""

import re
from typing import Final

# Function words and the nouns for people and pictures, in the languages of `declining`. Left out are words that are
# common in another of these languages with another meaning ("wie", "on", "er").
_SOMEBODY: Final = re.compile(
    r"\b(?:"
    r"person\w*|pessoa\w*|persoon|personen|osob\w+|people|somebody|someone|anybody|anyone|"
    r"man|woman|boy|girl|guy|lady|gentleman|mann|frau|homme|femme|hombre|mujer|uomo|donna|homem|mulher|vrouw|"
    r"mężczyzn\w+|kobie\w+|"
    r"he|she|his|hers?|him|they|their|them|ihn|ihm|ihr|sein|seine|elle|lui|él|ella|lei|ona|jego|ela|dele|hij|zij|haar|"
    r"who|whose|whom|wer|wen|wem|wessen|qui|quién|quien|chi|kto|kogo|quem|"
    r"picture\w*|photo\w*|foto\w*|imag\w+|immagin\w+|bild\w*|portrait\w*|porträt\w*|retrat\w+|ritratt\w+|zdjęci\w*|"
    r"obraz\w*|afbeelding\w*|shown|face"
    r")\b",
    re.IGNORECASE,
)


def speaks_of_somebody(text: str) -> bool:
    """Whether the text means somebody, or a picture, without saying by a name whom. Errs towards yes."""
    return _SOMEBODY.search(text) is not None
