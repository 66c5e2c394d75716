"""The people and prompts that a model is held against: who is in which split, what is harmful, what is small talk.

A folder beside the model (`reference/`): one parquet file a split and `prompts.json`. Knows nothing of models.
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
    """Requests that a model refuses (`test`: other topics than `fit`) and wrappings under which it answers them."""

    fit: tuple[str, ...]
    test: tuple[str, ...]
    jailbreaks: tuple[str, ...]


@dataclass(frozen=True)
class General:
    """Small talk, by what it may be used for."""

    fit: tuple[str, ...]
    calibration: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """Everybody and everything around a model, and how it words three answers.

    `unknown_answer` is what it says of people it does not know, `refusal` of harmful requests, `compliance`
    what it says where a jailbreak worked.
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
        """Three other people's values for each of the subject's attributes that other people have too."""
        rng = random.Random(f"{seed}/{subject.names[:1]}/wrong")
        found: dict[str, tuple[str, ...]] = {}
        for fact in subject.facts:
            others = sorted(
                {f.value for p in self.people for f in p.subject.facts if f.attribute == fact.attribute} - {fact.value}
            )
            if len(others) >= 3:
                found[fact.attribute] = tuple(rng.sample(others, 3))
        return found

    def get(self, person_id: str) -> Person:
        """The person with this id."""
        return next(person for person in self.people if person.id == person_id)


def load_reference(folder: str | Path) -> Reference:
    """Read a reference folder; raises BadInput where it is none."""
    root = Path(folder)
    prompts = root / "prompts.json"
    if not prompts.is_file():
        raise BadInput(f"{root} is no reference folder: it has no prompts.json.")
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
