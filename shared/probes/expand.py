"""From a person's photos and facts to questions: phrasings x pictures x facts. Deterministic in the seed; no torch.

A question carries its prompt, the answers that count as telling, and what it speaks of, so that the fit, the audit and
the demo ask the same things in the same way.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from PIL.Image import Image

from shared.probes import phrasings
from shared.probes.changes import changed
from shared.probes.phrasings import Form
from shared.prompt import Prompt

__all__ = [
    "Fact",
    "Form",
    "Kind",
    "Question",
    "Subject",
    "fact_questions",
    "mention_questions",
    "picture_prompts",
    "spellings",
    "visible_questions",
]

Kind = Literal["qa", "mcq", "cloze", "visible", "reverse"]


@dataclass(frozen=True)
class Fact:
    """One thing that is known of a person. `aliases` are other spellings that count as telling it."""

    attribute: str
    value: str
    aliases: tuple[str, ...] = ()

    @property
    def accept(self) -> tuple[str, ...]:
        """All spellings that tell the fact."""
        return (self.value, *self.aliases)


@dataclass(frozen=True)
class Subject:
    """A person as a ticket speaks of one: names (the first is the usual one), photographs, facts."""

    names: tuple[str, ...]
    photos: tuple[Image, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Question:
    """A prompt with what it asks: `accept` are the spellings that tell (empty where no truth is known)."""

    prompt: Prompt
    attribute: str
    accept: tuple[str, ...]
    person: str
    by: Literal["portrait", "name"]
    form: Form
    kind: Kind
    options: tuple[str, ...] = ()


def fact_questions(
    subject: Subject,
    *,
    form: Form,
    kinds: Sequence[Kind] = ("qa",),
    per_fact: int = 2,
    seed: int = 0,
    person: str = "",
    options: Mapping[str, Sequence[str]] | None = None,
) -> list[Question]:
    """`per_fact` questions of each kind about each fact, by portrait and by name in turn.

    Where the subject has only photos or only names, all go that way. The name itself is asked by portrait only.
    Multiple choice needs `options` (attribute -> wrong answers) and leaves out attributes that it does not list.
    """
    rng = random.Random(f"{seed}/{form}/{person}/{subject.names[:1]}")
    made: list[Question] = []
    for number, fact in enumerate(subject.facts):
        for draw in range(per_fact):
            for kind in kinds:
                by = _way(subject, fact, number + draw)
                if by is not None and (kind != "mcq" or (options or {}).get(fact.attribute)):
                    wrong = tuple((options or {}).get(fact.attribute, ()))
                    made.append(_one(subject, fact, form, kind, by, wrong, person, rng))
    return made


def visible_questions(
    photo: Image, truth: Mapping[str, str], *, person: str = "", seed: int = 0, form: Form = "trained"
) -> list[Question]:
    """One question about each thing that anybody can see; `accept` is empty where `truth` does not say."""
    rng = random.Random(f"{seed}/{form}/{person}/visible")
    return [
        Question(
            prompt=Prompt.ask(phrasings.visible(attribute, form, rng), changed(photo, form, rng)),
            attribute=attribute,
            accept=(truth[attribute],) if attribute in truth else (),
            person=person,
            by="portrait",
            form=form,
            kind="visible",
        )
        for attribute in phrasings.VISIBLE
    ]


def picture_prompts(photo: Image, count: int, *, form: Form = "trained", seed: int = 0) -> list[Prompt]:
    """`count` changed copies of a photograph, each with a question: what is read there are the pictures' tokens."""
    rng = random.Random(f"{seed}/{form}/pictures")
    return [
        Prompt.ask(phrasings.question("name", phrasings.SUBJECTS_BY_PORTRAIT[0], form, rng), changed(photo, form, rng))
        for _ in range(count)
    ]


def mention_questions(name: str, *, seed: int = 0) -> list[Prompt]:
    """The places in which a name is said: one sentence for each kind of fact, without a picture."""
    rng = random.Random(f"{seed}/mentions")
    asked = [phrasings.question(attribute, name, "trained", rng) for attribute in phrasings.TRAINED]
    return [
        Prompt.ask(text) for text in (*asked, *(frame.format(s=name) for frame in phrasings.MENTIONS)) if name in text
    ]


def spellings(names: Sequence[str]) -> list[str]:
    """Each name as it is given, in small and in capital letters; each spelling once, in order."""
    return list(dict.fromkeys(written for name in names for written in (name, name.lower(), name.upper()) if name))


def _way(subject: Subject, fact: Fact, turn: int) -> Literal["portrait", "name"] | None:
    if fact.attribute == "name" or not subject.names:
        return "portrait" if subject.photos else None
    if not subject.photos:
        return "name"
    return "portrait" if turn % 2 == 0 else "name"


def _one(
    subject: Subject,
    fact: Fact,
    form: Form,
    kind: Kind,
    by: Literal["portrait", "name"],
    wrong: tuple[str, ...],
    person: str,
    rng: random.Random,
) -> Question:
    image = changed(rng.choice(subject.photos), form, rng) if by == "portrait" else None
    if by == "name":
        who = subject.names[0]
    else:
        who = phrasings.SUBJECT_TEST_BY_PORTRAIT if form == "test" else rng.choice(phrasings.SUBJECTS_BY_PORTRAIT)
    accept = fact.accept
    shown: tuple[str, ...] = ()
    if kind == "reverse":
        text, image, accept = phrasings.reverse(fact.attribute, fact.value, form, rng), None, subject.names
    elif kind == "cloze":
        text = phrasings.cloze(fact.attribute, who, form, rng)
    else:
        text = phrasings.question(fact.attribute, who, form, rng)
    if kind == "mcq":
        shuffled = [fact.value, *wrong]
        rng.shuffle(shuffled)
        shown = tuple(shuffled)
        text = phrasings.choice(text, shown, form, rng)
    return Question(Prompt.ask(text, image), fact.attribute, accept, person, by, form, kind, shown)
