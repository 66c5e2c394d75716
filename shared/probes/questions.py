"""From a person's photographs and facts to questions: wordings x pictures x facts x languages, fixed by the seed.

A question carries its prompt, the answers that reveal the fact, and what it asks about, so that the fit, the audit and
the demo ask the same things in the same way. In English, the ten attributes of the demo keep the wordings that the demo
model was trained on (`templates.py`); everything else is worded by `wordings.py`, whole sentences by `statements.py`.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from PIL.Image import Image

from shared.domain.prompts import Prompt, Turn
from shared.domain.subjects import Fact, Subject
from shared.probes import statements, templates, wordings
from shared.probes.attribute_types import AttributeType, attribute_type
from shared.probes.image_changes import changed, seen_again
from shared.probes.templates import Form
from shared.probes.wordings import Language, Who

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
    "sighting_prompts",
    "visible_questions",
]

Kind = Literal["qa", "mcq", "cloze", "visible", "reverse", "about", "follow_up", "confirm"]
DEMO_KINDS: Final = ("qa", "mcq", "cloze", "reverse")
ENGLISH: Final = ("en",)
# What a name is asked with outside English, as many kinds as the demo has attributes.
MENTIONED: Final[tuple[AttributeType, ...]] = (
    "name", "occupation", "employer", "residence", "birth_date", "contact", "possession", "preference", "health",
    "address",
)  # fmt: skip


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
    """`per_fact` questions of each kind about each fact in each of the subject's languages.

    They are asked by portrait and by name in turn. A subject with photographs only, or names only, is always asked
    about in that way. The name itself is asked for by portrait only. Multiple choice needs `options` (attribute ->
    wrong answers) and skips attributes without them.
    """
    questions: list[Question] = []
    for code in subject.languages:
        spoken = wordings.language(code)
        stream = f"{seed}/{form}/{person}/{subject.names[:1]}"
        rng = random.Random(stream if code == "en" else f"{stream}/{code}")
        for number, fact in enumerate(subject.facts):
            as_trained = code == "en" and fact.attribute in templates.TRAINED
            for draw in range(per_fact):
                for kind in kinds:
                    by = _way(subject, fact, number + draw)
                    if by is not None and (kind != "mcq" or (options or {}).get(fact.attribute)):
                        wrong = tuple((options or {}).get(fact.attribute, ()))
                        ask = _demo_question if as_trained and kind in DEMO_KINDS else _question
                        questions.append(ask(spoken, subject, fact, form, kind, by, wrong, person, rng))
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
        _in_context(
            Prompt.ask(templates.question("name", who, form, rng), changed(photo, form, rng)),
            number,
            rng,
            wordings.language("en"),
        )
        for number in range(count)
    ]


def sighting_prompts(photo: Image, count: int, *, seed: int = 0) -> list[Prompt]:
    """`count` copies of a photograph as it might be seen again (`seen_again`), each kind in turn, with a question."""
    rng = random.Random(f"{seed}/sightings")
    asked = templates.question("name", templates.SUBJECTS_BY_PORTRAIT[0], "trained", rng)
    return [Prompt.ask(asked, seen_again(photo, number, rng)) for number in range(count)]


def mention_questions(name: str, *, seed: int = 0, languages: Sequence[str] = ENGLISH) -> list[Prompt]:
    """Prompts that mention a name, one for each kind of fact: alone, under system prompts, in later turns."""
    prompts: list[Prompt] = []
    for code in languages:
        spoken = wordings.language(code)
        if code == "en":
            rng = random.Random(f"{seed}/mentions")
            asked = [templates.question(attribute, name, "trained", rng) for attribute in templates.TRAINED]
        else:
            rng = random.Random(f"{seed}/mentions/{code}")
            asked = wordings.typical_questions(spoken, name, MENTIONED, rng)
        asked += wordings.mentions(spoken, name)
        prompts += [_in_context(Prompt.ask(text), number, rng, spoken) for number, text in enumerate(asked)]
    return [prompt for prompt in prompts if name in prompt.turns[-1].text]


def _in_context(prompt: Prompt, number: int, rng: random.Random, spoken: Language) -> Prompt:
    """The prompt alone, under a system prompt, or in a later turn, by its number."""
    around = spoken.raw["mentions"]
    if number % 3 == 1:
        return Prompt((Turn("system", rng.choice(around["settings"])), *prompt.turns))
    if number % 3 == 2:
        question, answer = rng.choice(around["opened"])
        return Prompt((Turn("user", question), Turn("assistant", answer), *prompt.turns))
    return prompt


def answers_that_name(name: str, *, languages: Sequence[str] = ENGLISH) -> list[Prompt]:
    """Prompts in which the model itself has said a name, in an answer that another turn of the user follows."""
    spoken = [(wordings.language(code), wordings.language(code).raw["mentions"]) for code in languages]
    return [
        Prompt(
            (
                Turn("user", asked),
                Turn("assistant", wordings.fill(naming, wordings.named(language, name))),
                Turn("user", around["thanks"]),
            )
        )
        for language, around in spoken
        for asked in around["named"]
        for naming in around["naming"]
    ]


def other_spellings(names: Sequence[str]) -> list[str]:
    """The names in lower and upper case where that is another spelling; each once, in order."""
    spellings = dict.fromkeys(written for name in names for written in (name.lower(), name.upper()))
    return [written for written in spellings if written not in names]


def _asks_for_the_name(attribute: str) -> bool:
    if attribute in templates.TRAINED:
        return attribute == "name"
    return attribute_type(attribute) == "name"


def _way(subject: Subject, fact: Fact, turn: int) -> Literal["portrait", "name"] | None:
    if not subject.names or _asks_for_the_name(fact.attribute):
        return "portrait" if subject.photos else None
    if not subject.photos:
        return "name"
    return "portrait" if turn % 2 == 0 else "name"


def _demo_question(
    spoken: Language,
    subject: Subject,
    fact: Fact,
    form: Form,
    kind: Kind,
    by: Literal["portrait", "name"],
    wrong: tuple[str, ...],
    person: str,
    rng: random.Random,
) -> Question:
    """A question in the wordings that the demo model was trained on. The order of the draws must stay as it is."""
    image = changed(rng.choice(subject.photos), form, rng) if by == "portrait" else None
    if by == "name":
        who = subject.names[0]
    else:
        who = templates.SUBJECT_TEST_BY_PORTRAIT if form == "test" else rng.choice(templates.SUBJECTS_BY_PORTRAIT)
    accept: tuple[str, ...] | None = None
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
    accept = statements.spellings(fact, subject.names, text) if accept is None else accept
    return Question(Prompt.ask(text, image), fact.attribute, accept, person, by, form, kind, shown)


def _question(
    spoken: Language,
    subject: Subject,
    fact: Fact,
    form: Form,
    kind: Kind,
    by: Literal["portrait", "name"],
    wrong: tuple[str, ...],
    person: str,
    rng: random.Random,
) -> Question:
    """A question in any language about any attribute, or about a fact that is a sentence."""
    image = changed(rng.choice(subject.photos), form, rng) if by == "portrait" else None
    who = wordings.named(spoken, subject.names[0]) if by == "name" else wordings.pictured(spoken, form, rng)
    before: tuple[Turn, ...] = ()
    if kind == "follow_up":  # first the person is named or shown, then "this person" is asked about
        begun, answer = rng.choice(spoken.raw["follow_up"]["opened"])
        opening = Prompt.ask(wordings.fill(begun, who), image)
        before, image = (*opening.turns, Turn("assistant", answer)), None
        who = wordings.pictured(spoken, "test", rng)
    worded = _worded(spoken, subject, fact, form, kind, who, rng)
    text, accept = worded.text, worded.accept
    shown: tuple[str, ...] = ()
    if kind == "mcq":
        shuffled = [fact.value, *wrong]
        rng.shuffle(shuffled)
        shown = tuple(shuffled)
        text = wordings.choice(spoken, text, shown, form, rng)
    prompt = Prompt((*before, *Prompt.ask(text, None if kind == "reverse" else image).turns))
    accept = statements.spellings(fact, subject.names, text) if accept is None else accept
    return Question(prompt, fact.attribute, accept, person, by, form, kind, shown)


@dataclass(frozen=True)
class _Worded:
    """The words of a question, and what reveals the fact where that is not the fact itself."""

    text: str
    accept: tuple[str, ...] | None = None


def _worded(
    spoken: Language, subject: Subject, fact: Fact, form: Form, kind: Kind, who: Who, rng: random.Random
) -> _Worded:
    """The words of one question: those for a sentence where the fact is one, else those for its attribute."""
    attribute, value = fact.attribute, fact.value
    if kind == "about":
        return _Worded(wordings.about(spoken, who, form, rng))
    if statements.is_statement(value):
        worded = _worded_statement(spoken, subject, fact, form, kind, who, rng)
        if worded is not None:
            return worded
    match kind:
        case "confirm":
            return _Worded(wordings.confirm(spoken, attribute, value, who, form, rng), tuple(spoken.raw["yes"]))
        case "reverse":
            return _Worded(wordings.reverse(spoken, attribute, value, form, rng), subject.names)
        case "cloze":
            return _Worded(wordings.cloze(spoken, attribute, value, who, form, rng))
        case _:
            return _Worded(wordings.question(spoken, attribute, value, who, form, rng))


def _worded_statement(
    spoken: Language, subject: Subject, fact: Fact, form: Form, kind: Kind, who: Who, rng: random.Random
) -> _Worded | None:
    """The words of a question about a sentence; None where its attribute is to be asked for instead."""
    stated = statements.read(fact.value, subject.names)
    match kind:
        case "confirm":
            return _Worded(statements.confirm(stated, spoken, who, form, rng), tuple(spoken.raw["yes"]))
        case "reverse":
            return _Worded(statements.reverse(stated, spoken, form, rng), subject.names)
        case "cloze":
            blank = statements.cloze(stated, spoken, who, form, rng)
            return _Worded(blank.text, (blank.span,)) if blank is not None else None
        case _:  # half of the time under its attribute, where that says something
            as_such = attribute_type(fact.attribute, fact.value) == "text" or rng.random() < 0.5
            return _Worded(statements.question(stated, spoken, who, form, rng)) if as_such else None
