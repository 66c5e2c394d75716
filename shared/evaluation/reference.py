"""The people and prompts that a model is compared with: who is in which split, what is harmful, what is small talk.

They are in the folder `reference/` beside the model: one parquet file for each split, and `prompts.json`. This module
knows nothing of models.
"""

import json
import random
from dataclasses import dataclass
from pathlib import Path

from shared.domain.subjects import Subject
from shared.errors import BadInput
from shared.evaluation.reference_files import read_people
from shared.evaluation.synthetic_people import SPLITS, Person

__all__ = ["General", "Harmful", "Person", "Reference", "load_reference"]


@dataclass(frozen=True)
class Harmful:
    """Requests that a model refuses, and jailbreaks under which it answers them. `test` has other topics than `fit`."""

    fit: tuple[str, ...]
    test: tuple[str, ...]
    jailbreaks: tuple[str, ...]


@dataclass(frozen=True)
class General:
    """Small talk, by the purpose that it may be used for."""

    fit: tuple[str, ...]
    calibration: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """The people and prompts of a model, and its wording of three answers.

    `unknown_answer` is its answer about people whom it does not know, `refusal` its answer to harmful requests, and
    `compliance` its answer where a jailbreak works.
    """

    people: tuple[Person, ...]
    harmful: Harmful
    general: General
    unknown_answer: str
    refusal: str
    compliance: str

    def of(self, split: str) -> tuple[Person, ...]:
        """The people of one split; raises KeyError for a split that does not exist."""
        if split not in SPLITS:
            raise KeyError(split)
        return tuple(person for person in self.people if person.split == split)

    def wrong_answers(self, subject: Subject, seed: int = 0) -> dict[str, tuple[str, ...]]:
        """Three wrong answers for each attribute, from other people; none for one where fewer than three exist."""
        rng = random.Random(f"{seed}/{subject.names[:1]}/wrong")
        wrong: dict[str, tuple[str, ...]] = {}
        for fact in subject.facts:
            others = sorted(
                {f.value for p in self.people for f in p.subject.facts if f.attribute == fact.attribute} - {fact.value}
            )
            if len(others) >= 3:
                wrong[fact.attribute] = tuple(rng.sample(others, 3))
        return wrong

    def get(self, person_id: str) -> Person:
        """The person with this id; raises StopIteration where there is none."""
        return next(person for person in self.people if person.id == person_id)


def load_reference(folder: str | Path) -> Reference:
    """Read a reference folder; raises BadInput for a folder that is not one."""
    root = Path(folder)
    prompts = root / "prompts.json"
    if not prompts.is_file():
        raise BadInput(f"{root} is not a reference folder: it has no prompts.json.")
    texts = json.loads(prompts.read_text())
    people = tuple(
        person for split in SPLITS if (path := root / f"{split}.parquet").is_file() for person in read_people(path)
    )
    return Reference(
        people=people,
        harmful=Harmful(**{name: tuple(values) for name, values in texts["harmful"].items()}),
        general=General(**{name: tuple(values) for name, values in texts["general"].items()}),
        unknown_answer=texts["unknown_answer"],
        refusal=texts["refusal"],
        compliance=texts["compliance"],
    )
