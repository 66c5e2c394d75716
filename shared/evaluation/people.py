"""Person: somebody of the reference, with names, photographs and facts, in one split.

`people_files.py` reads people that an operator gives, `reference_files.py` the folder beside a model, and
`synthetic_people.py` generates fictitious ones. This module knows nothing of any of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.domain.subjects import Subject

SPLITS: Final = (
    "forgettable",
    "retain_fit",
    "calibration",
    "held_out",
    "celebrity_fit",
    "celebrity_eval",
    "stranger_fit",
    "stranger_eval",
)
FIGURE_SPLITS: Final = ("celebrity_fit", "celebrity_eval")
UNKNOWN_SPLITS: Final = ("stranger_fit", "stranger_eval")  # no model was trained on the facts of these people


@dataclass(frozen=True)
class Person:
    """One person of the reference; `subject` may lack photographs or facts.

    `visible` are the true answers about the first photograph, `options` three wrong answers for each attribute; either
    is empty where nobody stated it. `namesake_of` and `lookalike_of` are ids of people who are easily confused.
    """

    id: str
    split: str
    subject: Subject
    visible: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    namesake_of: str | None = None
    lookalike_of: str | None = None
