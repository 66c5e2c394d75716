"""The people and prompts that a model is compared with: who is in which split, what is harmful, what is small talk.

This module knows nothing of models.
"""

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from shared.core.config import Settings, read_sentences
from shared.domain.subjects import Subject
from shared.errors import BadInput
from shared.evaluation.people import SPLITS, Person
from shared.evaluation.reference_files import folder_digest, read_people

__all__ = ["General", "Harmful", "Person", "Reference", "content_digest", "load_reference"]
_WORDINGS: Final = {
    "unknown_answer": "not-knowing sentence",
    "refusal": "refusal of harmful requests",
    "compliance": "answer under a jailbreak",
}
_REMEDIES: Final = {
    "unknown_answer": "Profile the model, or set LACUNA_UNKNOWN_ANSWER to the sentence that it should give.",
    "refusal": "Profile the model, or write it into the prompts.json of a reference folder.",
    "compliance": "Profile the model, or write it into the prompts.json of a reference folder.",
}


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
    """The people and prompts of a model, and its wording of three answers, None where that is not known.

    `unknown_answer` is its answer about people whom it does not know, `refusal` its answer to harmful requests, and
    `compliance` its answer where a jailbreak works. `unknown_answers` are not-knowing sentences by language.

    `folder` is where it was read from, None for the reference that ships with Lacuna. `stored_digest` is the digest of
    what was read; it stays when people are left out afterwards.
    """

    people: tuple[Person, ...]
    harmful: Harmful
    general: General
    unknown_answer: str | None = None
    refusal: str | None = None
    compliance: str | None = None
    unknown_answers: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    stored_digest: str | None = None

    @property
    def digest(self) -> str:
        """sha256 (hex) of what was read, else of what is here; base statistics and steering vectors depend on it."""
        return self.stored_digest or content_digest(self)

    def wording(self, of: Literal["unknown_answer", "refusal", "compliance"]) -> str:
        """The model's wording of this answer; raises BadInput where it is not known."""
        text: str | None = getattr(self, of)
        if text is None:
            raise BadInput(f"The model's {_WORDINGS[of]} is not known. {_REMEDIES[of]}")
        return text

    def unknown_answer_in(self, language: str) -> str | None:
        """The not-knowing sentence in `language`, else the one for any language; None where there is none."""
        return self.unknown_answers.get(language, self.unknown_answer)

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


def content_digest(reference: Reference) -> str:
    """sha256 (hex) over the people with their pixels, the prompts and the wordings, wherever they were read from."""
    digest = hashlib.sha256()
    for person in reference.people:
        facts = [[fact.attribute, fact.value, list(fact.aliases)] for fact in person.subject.facts]
        options = {attribute: list(wrong) for attribute, wrong in person.options.items()}
        stated = [person.id, person.split, list(person.subject.names), facts, dict(person.visible), options]
        digest.update(json.dumps(stated, sort_keys=True).encode())
        for photo in person.subject.photos:
            digest.update(hashlib.sha256(f"{photo.mode}/{photo.size}/".encode() + photo.tobytes()).digest())
    harmful, general = reference.harmful, reference.general
    texts = [harmful.fit, harmful.test, harmful.jailbreaks, general.fit, general.calibration, general.test]
    wordings = [reference.unknown_answer, reference.refusal, reference.compliance, dict(reference.unknown_answers)]
    digest.update(json.dumps([texts, wordings], sort_keys=True).encode())
    return digest.hexdigest()


def model_reference(settings: Settings, root: Path = Path()) -> Reference:
    """The reference of the served model: LACUNA_REFERENCE, else the folder `reference` beside the model.

    Relative folders are looked for in the working folder, then in `root`. LACUNA_UNKNOWN_ANSWER takes the place of the
    not-knowing sentence. Raises BadInput for a folder that is not a reference.
    """
    given = Path(settings.reference) if settings.reference else Path(settings.model.source) / "reference"
    folder = given if given.is_dir() else root / given
    reference = load_reference(folder)
    sentences = read_sentences("LACUNA_UNKNOWN_ANSWER", settings.unknown_answer)
    return with_unknown_answers(reference, sentences) if sentences else reference


def with_unknown_answers(reference: Reference, sentences: Mapping[str, str]) -> Reference:
    """`reference` with these not-knowing sentences by language; the key "" is for all languages.

    Where no sentence is for all languages, the first one is. Statistics and vectors made with another are not used.
    """
    digest = hashlib.sha256(json.dumps([reference.digest, dict(sentences)], sort_keys=True).encode()).hexdigest()
    first = sentences.get("", next(iter(sentences.values())))
    by_language = {language: sentence for language, sentence in sentences.items() if language}
    return replace(reference, unknown_answer=first, unknown_answers=by_language, stored_digest=digest)


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
        folder=root,
        stored_digest=folder_digest(root),
    )
