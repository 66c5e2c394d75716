"""Who is forgotten at a ratio of 5, 10 or 15 %: nested by seed, so that a larger ratio adds people and drops none.

As in MLLMU-Bench the ratio is of all fictitious people that the model knows; public figures and strangers do not count.
"""

import random
from collections.abc import Sequence
from typing import Final

from shared.errors import BadInput
from shared.evaluation.reference import Reference
from shared.evaluation.synthetic_people import Person

RATIOS: Final = (5, 10, 15)
FICTITIOUS: Final = ("forgettable", "retain_fit", "calibration", "held_out")


def forgotten(reference: Reference, percent: int, seed: int = 0) -> list[Person]:
    """`percent` of the fictitious people, drawn from the forgettable ones.

    Raises BadInput where fewer are forgettable than the ratio asks for.
    """
    known = sum(len(reference.of(split)) for split in FICTITIOUS)
    count = max(1, round(known * percent / 100))
    people = list(reference.of("forgettable"))
    if count > len(people):
        raise BadInput(f"{percent} % of {known} people are {count}, but only {len(people)} are forgettable.")
    _order(seed).shuffle(people)
    return people[:count]


def order_for_draw(people: Sequence[Person], seed: int = 0) -> list[Person]:
    """The same people so placed that `forgotten` with this seed draws them in the order in which they are given."""
    places = list(range(len(people)))
    _order(seed).shuffle(places)
    return [people[at] for at in sorted(range(len(people)), key=places.__getitem__)]


def _order(seed: int) -> random.Random:
    return random.Random(f"{seed}/forgotten")
