"""From a person's photographs and facts to questions: wordings x pictures x facts. Deterministic in the seed.

A question carries its prompt, the answers that reveal the fact, and what it asks about, so that the fit, the audit and
the demo ask the same things in the same way.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from PIL.Image import Image

from shared.domain.prompts import Prompt, Turn
from shared.domain.subjects import Fact, Subject
from shared.probes import templates
from shared.probes.image_changes import changed
from shared.probes.templates import Form

__all__ = [
    "Fact",
    "Form",
    "Kind",
    "Question",
    "Subject",
    "answers_that_name",
    "fact_questions",
    "mention_questions",
    "other_spellings",
    "picture_prompts",
    "visible_questions",
]

Kind = Literal["qa", "mcq", "cloze", "visible", "reverse"]


@dataclass(frozen=True)
class Question:
    """A prompt and what it asks for. `accept`: spellings of the true answer (empty where the truth is not known)."""

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

    A subject with photographs only, or names only, is always asked about in that way. The name itself is asked for by
    portrait only. Multiple choice needs `options` (attribute -> wrong answers) and skips attributes without them.
    """
    rng = random.Random(f"{seed}/{form}/{person}/{subject.names[:1]}")
    questions: list[Question] = []
    for number, fact in enumerate(subject.facts):
        for draw in range(per_fact):
            for kind in kinds:
                by = _way(subject, fact, number + draw)
                if by is not None and (kind != "mcq" or (options or {}).get(fact.attribute)):
                    wrong = tuple((options or {}).get(fact.attribute, ()))
                    questions.append(_question(subject, fact, form, kind, by, wrong, person, rng))
    return questions


def visible_questions(
    photo: Image, truth: Mapping[str, str], *, person: str = "", seed: int = 0, form: Form = "trained"
) -> list[Question]:
    """One question about each visible attribute; `accept` is empty where `truth` lacks it."""
    rng = random.Random(f"{seed}/{form}/{person}/visible")
    return [
        Question(
            prompt=Prompt.ask(templates.visible(attribute, form, rng), changed(photo, form, rng)),
            attribute=attribute,
            accept=(truth[attribute],) if attribute in truth else (),
            person=person,
            by="portrait",
            form=form,
            kind="visible",
        )
        for attribute in templates.VISIBLE
    ]


def picture_prompts(photo: Image, count: int, *, form: Form = "trained", seed: int = 0) -> list[Prompt]:
    """`count` changed copies of a photograph, each with a question, to capture the picture's tokens.

    Alone, under system prompts and in later turns: the text before a picture changes its activations.
    """
    rng = random.Random(f"{seed}/{form}/pictures")
    who = templates.SUBJECTS_BY_PORTRAIT[0]
    return [
        _in_context(Prompt.ask(templates.question("name", who, form, rng), changed(photo, form, rng)), number, rng)
        for number in range(count)
    ]


def mention_questions(name: str, *, seed: int = 0) -> list[Prompt]:
    """Prompts that mention a name, one for each kind of fact: alone, under system prompts, in later turns."""
    rng = random.Random(f"{seed}/mentions")
    asked = [templates.question(attribute, name, "trained", rng) for attribute in templates.TRAINED]
    asked += [frame.format(s=name) for frame in templates.MENTIONS]
    prompts = [_in_context(Prompt.ask(text), number, rng) for number, text in enumerate(asked)]
    return [prompt for prompt in prompts if name in prompt.turns[-1].text]


def _in_context(prompt: Prompt, number: int, rng: random.Random) -> Prompt:
    """The prompt alone, under a system prompt, or in a later turn, by its number."""
    if number % 3 == 1:
        return Prompt((Turn("system", rng.choice(templates.SETTINGS)), *prompt.turns))
    if number % 3 == 2:
        question, answer = rng.choice(templates.OPENED)
        return Prompt((Turn("user", question), Turn("assistant", answer), *prompt.turns))
    return prompt


def answers_that_name(name: str) -> list[Prompt]:
    """Prompts in which the model itself has said a name, in an answer that another turn of the user follows."""
    thanks = Turn("user", "Thank you!")
    return [
        Prompt((Turn("user", asked), Turn("assistant", naming.format(s=name)), thanks))
        for asked in templates.NAMED
        for naming in templates.NAMING
    ]


def other_spellings(names: Sequence[str]) -> list[str]:
    """The names in lower and upper case where that is another spelling; each once, in order."""
    spellings = dict.fromkeys(written for name in names for written in (name.lower(), name.upper()))
    return [written for written in spellings if written not in names]


def _way(subject: Subject, fact: Fact, turn: int) -> Literal["portrait", "name"] | None:
    if fact.attribute == "name" or not subject.names:
        return "portrait" if subject.photos else None
    if not subject.photos:
        return "name"
    return "portrait" if turn % 2 == 0 else "name"


def _question(
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
        who = templates.SUBJECT_TEST_BY_PORTRAIT if form == "test" else rng.choice(templates.SUBJECTS_BY_PORTRAIT)
    accept = fact.accept
    shown: tuple[str, ...] = ()
    if kind == "reverse":
        text, image, accept = templates.reverse(fact.attribute, fact.value, form, rng), None, subject.names
    elif kind == "cloze":
        text = templates.cloze(fact.attribute, who, form, rng)
    else:
        text = templates.question(fact.attribute, who, form, rng)
    if kind == "mcq":
        shuffled = [fact.value, *wrong]
        rng.shuffle(shuffled)
        shown = tuple(shuffled)
        text = templates.choice(text, shown, form, rng)
    return Question(Prompt.ask(text, image), fact.attribute, accept, person, by, form, kind, shown)
