"""The three task columns of MLLMU-Bench (classification, generation, cloze) for one person, as plain dictionaries.

Source: Liu et al. 2024, "Protecting Privacy in Multimodal Large Language Models with MLLMU-Bench" (columns as in the
published parquet files). This module knows nothing of files or models.
"""

import json
import random
from typing import Any

from shared.domain.subjects import Fact
from shared.evaluation.people import Person
from shared.probes import templates

LETTERS = "ABCD"


def task_columns(person: Person, seed: int = 0) -> dict[str, Any]:
    """`biography`, `Classification_Task`, `Generation_Task` and `Mask_Task` of one evaluation row."""
    rng = random.Random(f"{seed}/{person.id}/tasks")
    name = person.subject.names[0] if person.subject.names else ""
    by_image = list(person.subject.facts) if person.subject.photos else []
    by_text = [fact for fact in person.subject.facts if fact.attribute != "name" and name]
    return {
        "biography": json.dumps({fact.attribute: fact.value for fact in person.subject.facts}),
        "Classification_Task": {
            "Image_Textual_Questions": [
                _choice(person, fact, "this person", rng) for fact in by_image if fact.attribute in person.options
            ],
            "Pure_Text_Questions": [
                _choice(person, fact, name, rng) for fact in by_text if fact.attribute in person.options
            ],
        },
        "Generation_Task": [
            *(_open("Image_Textual", fact, "this person", rng) for fact in by_image),
            *(_open("Pure_Text", fact, name, rng) for fact in by_text),
        ],
        "Mask_Task": [
            *(_blank("Image_Textual", fact, "this person", rng) for fact in by_image),
            *(_blank("Pure_Text", fact, name, rng) for fact in by_text),
        ],
    }


def _choice(person: Person, fact: Fact, subject: str, rng: random.Random) -> dict[str, Any]:
    options = [fact.value, *person.options[fact.attribute]]
    rng.shuffle(options)
    return {
        "Question": templates.question(fact.attribute, subject, "trained", rng),
        "Options": dict(zip(LETTERS, options, strict=True)),
        "Correct_Answer": LETTERS[options.index(fact.value)],
    }


def _open(kind: str, fact: Fact, subject: str, rng: random.Random) -> dict[str, Any]:
    return {
        "Type": kind,
        "Question": templates.question(fact.attribute, subject, "trained", rng),
        "Ground_Truth": fact.value,
    }


def _blank(kind: str, fact: Fact, subject: str, rng: random.Random) -> dict[str, Any]:
    return {
        "Type": kind,
        "Question": templates.cloze(fact.attribute, subject, "trained", rng),
        "Ground_Truth": fact.value,
    }
