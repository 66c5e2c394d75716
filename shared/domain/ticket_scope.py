"""What a ticket covers, in plain words: it follows from what was filed, names, photographs or facts.

The sentences are whole, so that a page, a letter or a certificate can translate each as it stands.
"""

from typing import Final

NAMES: Final = "Questions that name the person are covered, by the names that were given."
NO_NAME: Final = "No name was given: text is covered only by what answers say."
PHOTOGRAPHS: Final = "Pictures of the person are covered, by the photographs that were given."
NO_PHOTOGRAPH: Final = "No photograph was given: pictures are covered only by what answers say."
FACTS: Final = (
    "Answers are checked for the facts that were given and for what the model is found to know of the person."
)
NO_FACT: Final = "No fact was given: answers are checked only for what the model is found to know of the person."
SENTENCES: Final = (NAMES, NO_NAME, PHOTOGRAPHS, NO_PHOTOGRAPH, FACTS, NO_FACT)


def scope(*, names: int, photographs: int, facts: int) -> tuple[str, ...]:
    """Three of SENTENCES: what a ticket with so many names, photographs and facts covers."""
    return (
        NAMES if names else NO_NAME,
        PHOTOGRAPHS if photographs else NO_PHOTOGRAPH,
        FACTS if facts else NO_FACT,
    )
