"""Who is forgotten at a ratio of 5, 10 or 15 %. The draws are nested: a larger ratio adds people and drops none.

As in MLLMU-Bench, the ratio is of all fictitious people whom the model knows, without public figures and strangers.
"""

import random
from collections.abc import Sequence
from typing import Final

from shared.errors import BadInput
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference

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
    """Reorder `people` so that `forgotten` with this seed draws them in the order in which they are given."""
    positions = list(range(len(people)))
    _order(seed).shuffle(positions)
    return [people[i] for i in sorted(range(len(people)), key=positions.__getitem__)]


def _order(seed: int) -> random.Random:
    return random.Random(f"{seed}/forgotten")
