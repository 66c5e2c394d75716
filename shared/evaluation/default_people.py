"""The people of the reference that ships with Lacuna: public figures, and made-up strangers whom no model knows.

Public figures are divided by the hash of their names. The strangers are asked about the attributes that the figures
have, so that an answer about a stranger shows what the same question brings out by chance. Their portraits are drawn.
"""

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from shared.domain.subjects import Fact, Subject
from shared.evaluation.people import UNKNOWN_SPLITS, Person
from shared.evaluation.public_data import PublicFigure, public_figures
from shared.evaluation.scorers import normalised
from shared.evaluation.synthetic_people import PeopleGenerator

SEED: Final = 13  # of the strangers; another one would make all stored statistics new
STRANGERS: Final = 24  # in each split, as beside the demo model
SHARES: Final = (  # of the figures, up to this share
    (0.4, "celebrity_fit"),
    (0.6, "calibration"),
    (0.8, "held_out"),
    (1.0, "celebrity_eval"),
)


def default_people(others: Iterable[str] = ()) -> tuple[Person, ...]:
    """Public figures and strangers, the same in every process; nobody has a name of `others`."""
    taken = {normalised(name) for name in others}
    figures = [figure for figure in public_figures() if not _names(figure) & taken]
    taken |= {name for figure in public_figures() for name in _names(figure)}
    known = [_person(figure) for figure in figures]
    return (*known, *_strangers(known, taken))


def figure_split(name: str) -> str:
    """The split of the public figure with this name."""
    place = int.from_bytes(_digest(name)[:8], "big") / 2**64
    return next(split for share, split in SHARES if place < share)


def _person(figure: PublicFigure) -> Person:
    return Person(
        id=f"figure-{_digest(figure.name).hex()[:10]}",
        split=figure_split(figure.name),
        subject=Subject((figure.name, *figure.aliases), (), figure.facts),
    )


def _names(figure: PublicFigure) -> set[str]:
    return {normalised(name) for name in (figure.name, *figure.aliases)}


def _digest(name: str) -> bytes:
    return hashlib.sha256(f"figure/{normalised(name)}".encode()).digest()


def _strangers(known: Sequence[Person], taken: set[str]) -> list[Person]:
    """STRANGERS people of each split for strangers, with names of nobody in `taken`."""
    rng, generator = random.Random(f"{SEED}/strangers"), PeopleGenerator(SEED)
    patterns = [person.subject.facts for person in known if person.subject.facts]
    values: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in (fact for facts in patterns for fact in facts):
        values[fact.attribute].append(fact)
    strangers: list[Person] = []
    while len(strangers) < STRANGERS * len(UNKNOWN_SPLITS):
        number = len(strangers)
        drawn = generator.person(number, UNKNOWN_SPLITS[number // STRANGERS])
        if normalised(drawn.subject.names[0]) in taken:
            continue
        facts = tuple(rng.choice(values[fact.attribute]) for fact in rng.choice(patterns)) if patterns else ()
        subject = replace(drawn.subject, facts=facts or drawn.subject.facts)
        strangers.append(Person(f"stranger-{number:02d}", drawn.split, subject, drawn.visible))
    return strangers
