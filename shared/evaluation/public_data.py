"""People and prompts that ship with Lacuna, with which a model is profiled that nobody has described yet.

The files are in `data/` beside this module, whose README.md says how they were written. Everything here is immutable
and read once. This module knows no models.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final, Literal

from shared.domain.subjects import Fact

QUESTIONS: Final[dict[str, tuple[str, ...]]] = {
    "award": ("Which award did {s} win?", "What prize was given to {s}?", "Which famous prize did {s} receive?"),
    "band": (
        "Which band was {s} a member of?",
        "In which band did {s} play?",
        "What was the name of {s}'s band?",
    ),
    "birth_year": ("In which year was {s} born?", "When was {s} born?", "What is {s}'s year of birth?"),
    "birthplace": (
        "Where was {s} born?",
        "In which town or city was {s} born?",
        "What is {s}'s birthplace?",
        "What is the place of birth of {s}?",
    ),
    "character": (
        "Which famous character did {s} create?",
        "What is the best-known character by {s}?",
        "Name the most famous character that {s} invented.",
    ),
    "company": (
        "Which company did {s} found?",
        "What is the name of the company that {s} started?",
        "Of which company was {s} a founder?",
    ),
    "country": (
        "Which country was {s} from?",
        "From which country did {s} come?",
        "What is {s}'s home country?",
    ),
    "country_led": (
        "Which country did {s} lead?",
        "Of which country was {s} the leader?",
        "Which country or empire was led by {s}?",
    ),
    "death_place": ("Where did {s} die?", "In which place did {s} die?", "What is {s}'s place of death?"),
    "death_year": ("In which year did {s} die?", "When did {s} die?", "What is {s}'s year of death?"),
    "discovery": (
        "What did {s} discover?",
        "Which discovery is {s} famous for?",
        "What discovery was made by {s}?",
    ),
    "field": (
        "In which field did {s} work?",
        "Which branch of learning did {s} work in?",
        "What is {s}'s field of work?",
    ),
    "film": (
        "Name a famous film with {s}.",
        "In which well-known film did {s} appear?",
        "Which film is {s} best known for?",
    ),
    "genre": (
        "Which genre of music is {s} known for?",
        "What kind of music did {s} perform?",
        "What style of music is {s} associated with?",
    ),
    "instrument": (
        "Which instrument did {s} play?",
        "What instrument is {s} known for playing?",
        "On which instrument was {s} a master?",
    ),
    "invention": ("What did {s} invent?", "Which invention is {s} famous for?", "What was invented by {s}?"),
    "known_for": ("What is {s} known for?", "What is {s} famous for?", "Why is {s} famous?"),
    "movement": (
        "Which art movement did {s} belong to?",
        "What art movement is {s} associated with?",
        "In which style did {s} paint?",
    ),
    "notable_work": (
        "Name a famous work by {s}.",
        "Which work is {s} best known for?",
        "What is the most famous work of {s}?",
    ),
    "occupation": (
        "What was {s}'s occupation?",
        "What was {s} by profession?",
        "Which profession is {s} known for?",
        "What did {s} do for a living?",
    ),
    "position": (
        "Which position did {s} hold?",
        "In which public position did {s} become famous?",
        "Which position of power is {s} known for?",
    ),
    "sport": ("Which sport did {s} play?", "In which sport was {s} famous?", "What sport is {s} known for?"),
    "spouse": ("Who was {s} married to?", "Whom did {s} marry?", "What is the name of {s}'s spouse?"),
    "teacher": ("Who taught {s}?", "Who was {s}'s teacher?", "Whose student was {s}?"),
    "team": (
        "Which team did {s} play for?",
        "With which team was {s} most successful?",
        "What team is {s} best known for playing for?",
    ),
}


REQUEST_PLACE: Final = "{request}"  # where the text of a jailbreak takes the request


@dataclass(frozen=True)
class PublicFigure:
    """A public figure with facts that have one short answer.

    `fame`: 3 for people of whom nearly every model tells something, 2 for widely known ones, 1 for those whom one
    knows after reading about their field. `domain` and `continent` say where the fame comes from.
    """

    name: str
    aliases: tuple[str, ...]
    facts: tuple[Fact, ...]
    fame: int
    domain: str = ""
    continent: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The usual name, then the others."""
        return (self.name, *self.aliases)


@dataclass(frozen=True)
class OrdinaryPrompt:
    """A prompt about no person. `kind` is its task, `language` an ISO 639-1 code."""

    text: str
    kind: str
    language: str


@dataclass(frozen=True)
class HarmfulRequest:
    """A request that an aligned model refuses. The topics of the split `test` are none of those of `fit`."""

    text: str
    topic: str
    split: Literal["fit", "test"]


@dataclass(frozen=True)
class Jailbreak:
    """A text that talks a model into answering a harmful request. `kind` is its name in the literature."""

    text: str
    kind: str

    def of(self, request: str) -> str:
        """The jailbreak with a request in it."""
        return self.text.replace(REQUEST_PLACE, request)


@lru_cache(maxsize=1)
def public_figures() -> tuple[PublicFigure, ...]:
    """All public figures, in the order of the file."""
    return tuple(
        PublicFigure(
            name=row["name"],
            aliases=tuple(row["aliases"]),
            facts=tuple(
                Fact(fact["attribute"], fact["value"], tuple(fact.get("aliases", ()))) for fact in row["facts"]
            ),
            fame=row["fame"],
            domain=row["domain"],
            continent=row["continent"],
        )
        for row in _rows("public_figures.jsonl")
    )


def figure_questions(figure: PublicFigure, fact: Fact) -> tuple[str, ...]:
    """Every wording of the question about one fact of a public figure.

    Raises KeyError for an attribute that has no wordings.
    """
    return tuple(wording.format(s=figure.name) for wording in QUESTIONS[fact.attribute])


@lru_cache(maxsize=1)
def ordinary_prompts() -> tuple[OrdinaryPrompt, ...]:
    """All ordinary prompts, in the order of the file."""
    return tuple(OrdinaryPrompt(**row) for row in _rows("ordinary_prompts.jsonl"))


@lru_cache(maxsize=1)
def harmful_requests() -> tuple[HarmfulRequest, ...]:
    """All harmful requests, in the order of the file."""
    return tuple(HarmfulRequest(**row) for row in _rows("harmful_requests.jsonl"))


@lru_cache(maxsize=1)
def jailbreaks() -> tuple[Jailbreak, ...]:
    """All jailbreaks, in the order of the file."""
    return tuple(Jailbreak(**row) for row in _rows("jailbreaks.jsonl"))


def _rows(name: str) -> list[dict[str, Any]]:
    text = resources.files("shared.evaluation").joinpath("data", name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]
