"""The people and prompts that a model is compared with: who is in which split, what is harmful, what is small talk.

This module knows nothing of models.
"""

import hashlib
import json
import logging
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, TypeVar

from shared.core.config import Settings, read_sentences
from shared.domain.subjects import Subject
from shared.errors import BadInput
from shared.evaluation.default_people import default_people
from shared.evaluation.people import FIGURE_SPLITS, SPLITS, UNKNOWN_SPLITS, Person
from shared.evaluation.people_folder import (
    PEOPLE_FILES,
    PROMPTS_FILE,
    GivenReference,
    is_people_folder,
    read_people_folder,
)
from shared.evaluation.prompt_sets import General, Harmful, StatedPrompt, divide_general, divide_harmful
from shared.evaluation.public_data import harmful_requests, jailbreaks, ordinary_prompts
from shared.evaluation.reference_files import folder_digest, read_people
from shared.evaluation.scorers import normalised

logger = logging.getLogger(__name__)
__all__ = ["General", "Harmful", "Person", "Reference", "content_digest", "default_reference", "load_reference"]
Prompts = TypeVar("Prompts", General, Harmful)
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
class Reference:
    """The people and prompts of a model, and its wording of three answers, None where that is not known.

    `unknown_answer` is its answer about people whom it does not know, `refusal` its answer to harmful requests, and
    `compliance` its answer where a jailbreak works. `unknown_answers` are not-knowing sentences by language.

    `folder` is where it was read from, None for the reference that ships with Lacuna. `stored_digest` is the digest of
    what was read; it stays when people are left out afterwards. `photographed` are ids of people with real photographs:
    drawn portraits look alike.
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
    photographed: frozenset[str] = frozenset()

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

    def people_of(self, *splits: str) -> tuple[Person, ...]:
        """The people of the first of `splits` that has any: public figures are the retain set of who has no other."""
        return next((people for split in splits if (people := self.of(split))), ())

    @property
    def own_wordings(self) -> tuple[str, ...]:
        """The known sentences in which the model declines: not knowing, in any language, and refusing."""
        known = (self.unknown_answer, *self.unknown_answers.values(), self.refusal)
        return tuple(dict.fromkeys(sentence for sentence in known if sentence is not None))

    def wrong_answers(self, subject: Subject, seed: int = 0) -> dict[str, tuple[str, ...]]:
        """Three wrong answers for each attribute, from other people; none for one where fewer than three exist.

        Another spelling of the truth is no wrong answer.
        """
        rng = random.Random(f"{seed}/{subject.names[:1]}/wrong")
        wrong: dict[str, tuple[str, ...]] = {}
        for fact in subject.facts:
            true = {normalised(spelling) for spelling in fact.accept}
            others = [value for plain, value in self._values.get(fact.attribute, ()) if plain not in true]
            if len(others) >= 3:
                wrong[fact.attribute] = tuple(rng.sample(others, 3))
        return wrong

    @cached_property
    def _values(self) -> dict[str, list[tuple[str, str]]]:
        """By attribute: everybody's values in order, each with its normalised spelling before it."""
        values: defaultdict[str, set[str]] = defaultdict(set)
        for fact in (fact for person in self.people for fact in person.subject.facts):
            values[fact.attribute].add(fact.value)
        return {
            attribute: [(normalised(value), value) for value in sorted(stated)] for attribute, stated in values.items()
        }

    def get(self, person_id: str) -> Person:
        """The person with this id; raises StopIteration where there is none."""
        return next(person for person in self.people if person.id == person_id)


def content_digest(reference: Reference) -> str:
    """sha256 (hex) over the people with their pixels, the prompts and the wordings, wherever they were read from."""
    digest = hashlib.sha256()
    for person in reference.people:
        facts = [[fact.attribute, fact.value, list(fact.aliases)] for fact in person.subject.facts]
        options = {attribute: list(wrong) for attribute, wrong in person.options.items()}
        languages = list(person.subject.languages)
        stated = [person.id, person.split, list(person.subject.names), facts, dict(person.visible), options, languages]
        digest.update(json.dumps(stated, sort_keys=True).encode())
        for photo in person.subject.photos:
            digest.update(hashlib.sha256(f"{photo.mode}/{photo.size}/".encode() + photo.tobytes()).digest())
    harmful, general = reference.harmful, reference.general
    texts = [harmful.fit, harmful.test, harmful.jailbreaks, general.fit, general.calibration, general.test]
    wordings = [reference.unknown_answer, reference.refusal, reference.compliance, dict(reference.unknown_answers)]
    digest.update(json.dumps([texts, wordings], sort_keys=True).encode())
    return digest.hexdigest()


def model_reference(settings: Settings, root: Path = Path()) -> Reference:
    """The reference of the served model: LACUNA_REFERENCE, else the folder beside the model, else the default.

    The folder beside the model is `<source>/reference`; a hub id has none. Relative folders are looked for in the
    working folder, then in `root`. LACUNA_UNKNOWN_ANSWER takes the place of the not-knowing sentence.

    Raises BadInput where LACUNA_REFERENCE is not a reference folder, or the folder beside the model is none.
    """
    given = Path(settings.reference) if settings.reference else Path(settings.model.source) / "reference"
    folder = given if given.is_dir() else root / given
    if settings.reference and not folder.is_dir():
        raise BadInput(f"LACUNA_REFERENCE names no folder: {given}.")
    reference = load_reference(folder) if folder.is_dir() else default_reference()
    logger.info("reference: %s", reference.folder or "the public figures that ship with Lacuna")
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


def default_reference() -> Reference:
    """The reference of a model that nobody has described: public figures, made-up strangers, ordinary and harmful
    prompts that ship with Lacuna. It states no wording of any answer.
    """
    return _as_loaded(Reference(default_people(), _default_harmful(), _default_general()))


def load_reference(folder: str | Path) -> Reference:
    """Read a reference folder: one beside a trained model, or one with an operator's own people and prompts.

    What an operator's folder does not give comes from `default_reference`: strangers, public figures (where the folder
    has nobody in a split of theirs), ordinary prompts, harmful requests. Raises BadInput or TooLarge, naming file, line
    and field.
    """
    root = Path(folder)
    prompts = root / "prompts.json"
    if prompts.is_file() and is_people_folder(root):
        raise BadInput(f"{root} has prompts.json and files of people: one of the two is not read. Move one away.")
    if is_people_folder(root):
        return _completed(root, read_people_folder(root))
    if not prompts.is_file():
        raise BadInput(
            f"{root} is not a reference folder: it has neither prompts.json (of a trained model) nor "
            f"{', '.join(PEOPLE_FILES)} or {PROMPTS_FILE} (docs/people-format.md)."
        )
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


def _completed(folder: Path, given: GivenReference) -> Reference:
    """What the folder gives, and the default for whatever it does not give."""
    splits = {person.split for person in given.people}
    own_figures = bool(splits & set(FIGURE_SPLITS))
    people = [
        person
        for person in default_people(name for person in given.people for name in person.subject.names)
        if not (person.split in splits if person.split in UNKNOWN_SPLITS else own_figures)
    ]
    reference = Reference(
        people=(*given.people, *people),
        harmful=_completed_prompts(given.harmful, _default_harmful()),
        general=_completed_prompts(given.general, _default_general()),
        folder=folder,
        photographed=frozenset(person.id for person in given.people if person.subject.photos),
    )
    return _as_loaded(reference)


def _as_loaded(reference: Reference) -> Reference:
    """The reference, whose digest stays that of its content now."""
    return replace(reference, stored_digest=content_digest(reference))


def _completed_prompts(given: Prompts | None, default: Prompts) -> Prompts:
    """The prompts that are given; each purpose for which there are none has the default's, without those given."""
    if given is None:
        return default
    own = {text for texts in vars(given).values() for text in texts}
    lacking = {name: texts for name, texts in vars(default).items() if not getattr(given, name)}
    return replace(given, **{name: tuple(text for text in texts if text not in own) for name, texts in lacking.items()})


def _default_general() -> General:
    return divide_general(StatedPrompt(prompt.text) for prompt in ordinary_prompts())


def _default_harmful() -> Harmful:
    requests = (
        StatedPrompt(request.text, "held_out" if request.split == "test" else "fit", request.topic)
        for request in harmful_requests()
    )
    return divide_harmful(requests, (jailbreak.text for jailbreak in jailbreaks()))
