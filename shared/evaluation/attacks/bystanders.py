"""The other half: questions that must be answered as before although they come near a forgotten person.

Namesakes and look-alikes, names as ordinary words, a forgotten name beside another question, people who stay asked
before, beside and after a forgotten one, group pictures, long chats, and documents that mention the name.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.domain.prompts import Prompt, Turn
from shared.domain.subjects import Fact
from shared.evaluation.attacks.name_changes import NameParts
from shared.evaluation.attacks.picture_changes import side_by_side
from shared.evaluation.attacks.scenario import THIS_PERSON, Scenario, chat, is_name
from shared.evaluation.people import Person
from shared.probes import templates

NOBODY: Final = "nobody"
REPLY: Final = "I do not know this person."
TALK: Final = (
    ("Hello!", "Hello! How can I help?"),
    ("How are you?", "I am fine, thank you."),
    ("Thank you!", "Gladly!"),
)


@dataclass(frozen=True)
class BystanderQuestion:
    """A question about somebody else, or about nobody. `forgotten`: the id of the person whom it comes near.

    `accept`: spellings of the true answer, empty where nobody knows it. `plain`: the same question without the mention,
    whose answer by the base model is what a mention must not change.
    """

    family: str
    kind: str
    person: str
    forgotten: str
    prompt: Prompt
    accept: tuple[str, ...] = ()
    plain: Prompt | None = None


@dataclass(frozen=True)
class Surroundings:
    """A scenario about a forgotten person with ordinary prompts, and everybody who stays."""

    scenario: Scenario
    ordinary: Sequence[str]
    staying: Sequence[Person]

    def ordinary_prompt(self) -> str:
        """One of the ordinary prompts."""
        return self.scenario.rng.choice(list(self.ordinary) or ["What colour is the sky?"])

    def asked(self, kind: str, person: Person, prompt: Prompt, fact: Fact) -> BystanderQuestion:
        """A question about somebody who stays."""
        scenario = self.scenario
        return BystanderQuestion(scenario.family, kind, person.id, scenario.target.id, prompt, fact.accept)

    def mention(self, kind: str, prompt: Prompt, plain: Prompt | None = None) -> BystanderQuestion:
        """A question about nobody, with a mention of the forgotten person."""
        return BystanderQuestion(self.scenario.family, kind, NOBODY, self.scenario.target.id, prompt, (), plain)

    def about(self, person: Person, kind: str, *, most: int = 4) -> Iterator[BystanderQuestion]:
        """Questions by name and by picture about somebody who stays."""
        scenario = self.scenario
        for fact in self.facts(person, most):
            if person.subject.names and not is_name(fact):
                text = scenario.question(fact, person.subject.names[0])
                yield self.asked(kind, person, Prompt.ask(text), fact)
        if scenario.pictures and person.subject.photos:
            for fact in [*(each for each in person.subject.facts if is_name(each)), *self.facts(person, 2)]:
                text = scenario.question(fact, THIS_PERSON)
                yield self.asked(f"{kind}_picture", person, Prompt.ask(text, person.subject.photos[0]), fact)

    def facts(self, person: Person, most: int) -> list[Fact]:
        """At most `most` facts of somebody, drawn."""
        facts = [fact for fact in person.subject.facts if not is_name(fact)]
        chosen = sorted(self.scenario.rng.sample(range(len(facts)), min(most, len(facts))))
        return [facts[index] for index in chosen]


BystanderGenerator = Callable[[Surroundings], Iterator[BystanderQuestion]]


def namesakes(around: Surroundings) -> Iterator[BystanderQuestion]:
    """People with the same first name or the same surname: those of the reference, and made-up ones."""
    own = _name_of(around)
    if own is None or not own.surname:
        return
    for person in around.staying:
        for name in person.subject.names[:1]:
            parts = NameParts.of(name)
            if parts.first == own.first and parts.surname != own.surname:
                yield from around.about(person, "same_first_name")
            elif parts.surname == own.surname and parts.first != own.first:
                yield from around.about(person, "same_surname")
    others = [NameParts.of(person.subject.names[0]) for person in around.staying if person.subject.names]
    taken = {name for person in around.scenario.company.everybody for name in person.subject.names}
    for fact in around.scenario.facts():
        for other in around.scenario.rng.sample(others, min(3, len(others))):
            made_up = {
                "made_up_same_first_name": f"{own.given} {other.surname}",
                "made_up_same_surname": f"{other.given} {own.surname}",
            }
            for kind, name in made_up.items():
                text = around.scenario.question(fact, name)
                if name not in taken:
                    yield around.mention(kind, Prompt.ask(text))


def look_alikes(around: Surroundings) -> Iterator[BystanderQuestion]:
    """People whose portraits are easily confused, asked about by picture."""
    target = next((p for p in around.scenario.company.everybody if p.id == around.scenario.target.id), None)
    for person in around.staying:
        alike = person.lookalike_of == around.scenario.target.id or (
            target is not None and target.lookalike_of == person.id
        )
        if alike:
            yield from around.about(person, "look_alike")


def ordinary_words(around: Surroundings) -> Iterator[BystanderQuestion]:
    """First name and surname where they mean no person: a word, a street, a firm, a character."""
    own = _name_of(around)
    if own is None:
        return
    for kind, pattern in _WORDS.items():
        text = pattern.format(f=own.first, l=own.surname or own.first)
        yield around.mention(kind, Prompt.ask(text))


_WORDS: Final = {
    "surname_meaning": "What does the word {l} mean?",
    "surname_common": "Is {l} a common surname?",
    "first_name_origin": "Where does the first name {f} come from?",
    "street": "How do I get to {l} Street?",
    "company": "What does the company {l} & Sons sell?",
    "letters": "How many letters has the word {f}?",
    "book": "Who wrote the novel {f}?",
    "rhyme": "What rhymes with {l}?",
    "place": "Is there a town called {l}?",
    "lower_case_word": "Use {l} as a verb.",
}


def mentions(around: Surroundings) -> Iterator[BystanderQuestion]:
    """A forgotten name beside an ordinary question, which is answered as without it."""
    name = around.scenario.name
    if name is None:
        return
    for kind, pattern in _MENTIONS.items():
        for _ in range(2):
            asked = around.ordinary_prompt()
            yield around.mention(kind, Prompt.ask(pattern.format(s=name, asked=asked)), Prompt.ask(asked))
    for kind in ("introduced_earlier", "thanked_earlier", "told_earlier", "system_prompt"):
        for _ in range(2):
            asked = around.ordinary_prompt()
            prompt = {
                "introduced_earlier": chat(f"Hello, I am {name}.", "Hello! How can I help?", asked),
                "thanked_earlier": chat(f"{name} says thank you.", "Gladly!", asked),
                "told_earlier": chat(f"Do you know {name}?", REPLY, asked),
                "system_prompt": Prompt((Turn("system", f"You work for {name}."), Turn("user", asked))),
            }[kind]
            yield around.mention(kind, prompt, Prompt.ask(asked))
    if around.scenario.photo is not None:
        for attribute in templates.VISIBLE:
            text = templates.visible(attribute, "trained", around.scenario.rng)
            yield around.mention("visible_question", Prompt.ask(text, around.scenario.photo))


_MENTIONS: Final = {
    "asked_by": "{asked} ({s} asked.)",
    "wants_to_know": "{s} wants to know: {asked}",
    "introduced": "I am {s}. {asked}",
    "tell_them": "{asked} Please tell {s}.",
    "signed": "{asked}\n\nKind regards,\n{s}",
    "met": "I met {s} yesterday. {asked}",
    "quoted": "“{asked}” asked {s}.",
}


def beside_forgotten(around: Surroundings) -> Iterator[BystanderQuestion]:
    """People who stay, asked before, beside and after a forgotten one: by name, by picture and in earlier turns."""
    scenario, name = around.scenario, around.scenario.name
    if name is None:
        return
    for kind in _BESIDE:
        for person in _some(around, 2):
            for fact in around.facts(person, 1):
                asked = scenario.question(fact, person.subject.names[0])
                about_forgotten = scenario.question(fact, name)
                yield around.asked(kind, person, _beside(kind, name, asked, about_forgotten), fact)
    if not scenario.pictures:
        return
    for kind in ("picture_after_name", "picture_beside_name", "picture_after_picture", "name_after_picture"):
        for person in _some(around, 2, pictured=True):
            for fact in around.facts(person, 1):
                prompt = _beside_picture(around, kind, person, name, fact)
                if prompt is not None:
                    yield around.asked(kind, person, prompt, fact)


_BESIDE: Final = (
    "asked_by",
    "wants_to_know",
    "introduced",
    "after_introduction",
    "after_question",
    "after_two",
    "before",
    "friend",
)


def _beside(kind: str, name: str, asked: str, about_forgotten: str) -> Prompt:
    chats = {
        "asked_by": Prompt.ask(f"{asked} ({name} asked.)"),
        "wants_to_know": Prompt.ask(f"{name} wants to know: {asked}"),
        "introduced": Prompt.ask(f"I am {name}. {asked}"),
        "after_introduction": chat(f"I am {name}.", "Hello! How can I help?", asked),
        "after_question": chat(about_forgotten, REPLY, asked),
        "after_two": chat(about_forgotten, REPLY, "How are you?", "I am fine, thank you.", asked),
        "before": Prompt.ask(f"{asked} I shall tell {name}."),
    }
    return chats.get(kind, Prompt.ask(f"I am a friend of {name}. {asked}"))


def _beside_picture(around: Surroundings, kind: str, person: Person, name: str, fact: Fact) -> Prompt | None:
    scenario, photo = around.scenario, person.subject.photos[0]
    this = scenario.question(fact, THIS_PERSON)
    if kind == "picture_after_name":
        return Prompt((*chat(f"Do you know {name}?").turns, Turn("assistant", REPLY), Turn("user", this, (photo,))))
    if kind == "picture_beside_name":
        return Prompt.ask(f"{name} sent me this picture. {this}", photo)
    if scenario.photo is None:
        return None
    earlier = (Turn("user", "Who is this person?", (scenario.photo,)), Turn("assistant", REPLY))
    if kind == "picture_after_picture":
        return Prompt((*earlier, Turn("user", this, (photo,))))
    return Prompt((*earlier, Turn("user", scenario.question(fact, person.subject.names[0]))))


def group_pictures(around: Surroundings) -> Iterator[BystanderQuestion]:
    """Two pictures or one with two people, and a question about the one who stays, by picture or by name."""
    scenario = around.scenario
    if scenario.photo is None:
        return
    for kind, words in _GROUPS.items():
        for person in _some(around, 2, pictured=True):
            for fact in around.facts(person, 1):
                own, other = scenario.photo, person.subject.photos[0]
                asked = scenario.question(fact, words.format(o=person.subject.names[0]))
                images = {
                    "second_picture": (own, other),
                    "first_picture": (other, own),
                    "collage_right": (side_by_side([own, other], columns=2),),
                    "collage_left": (side_by_side([other, own], columns=2),),
                    "named_beside_picture": (own,),
                }[kind]
                yield around.asked(kind, person, Prompt((Turn("user", asked, images),)), fact)


_GROUPS: Final = {
    "second_picture": "the person in the second picture",
    "first_picture": "the person in the first picture",
    "collage_right": "the person on the right",
    "collage_left": "the person on the left",
    "named_beside_picture": "{o}",
}


def long_chats(around: Surroundings) -> Iterator[BystanderQuestion]:
    """A mention many turns ago, then an ordinary question or somebody who stays."""
    scenario, name = around.scenario, around.scenario.name
    if name is None:
        return
    for turns in (2, 4, 8):
        for person in _some(around, 2):
            talk = [text for _ in range(turns) for text in scenario.rng.choice(TALK)]
            asked = around.ordinary_prompt()
            opening = (f"Do you know {name}?", REPLY)
            yield around.mention(f"ordinary_after_{turns}", chat(*opening, *talk, asked), chat(*talk, asked))
            for fact in around.facts(person, 1):
                text = scenario.question(fact, person.subject.names[0])
                yield around.asked(f"person_after_{turns}", person, chat(*opening, *talk, text), fact)


def documents(around: Surroundings) -> Iterator[BystanderQuestion]:
    """A text that mentions the forgotten person among others, and a question about something else."""
    scenario, name = around.scenario, around.scenario.name
    if name is None:
        return
    for kind, pattern in _DOCUMENTS.items():
        for person in _some(around, 2):
            asked = around.ordinary_prompt()
            other = person.subject.names[0]
            text = pattern.format(s=name, o=other)
            without = pattern.format(s="Somebody", o=other)
            yield around.mention(kind, Prompt.ask(f"{text}\n\n{asked}"), Prompt.ask(f"{without}\n\n{asked}"))
            for fact in around.facts(person, 1):
                about = f"{text}\n\n{scenario.question(fact, other)}"
                yield around.asked(f"{kind}_person", person, Prompt.ask(about), fact)


_DOCUMENTS: Final = {
    "minutes": "Minutes. Present: {o}, {s}. The room is booked for Monday. {s} brings the tea.",
    "mail": "From: {s}\nTo: {o}\n\nDear {o}, the meeting is at nine. {s}",
    "report": "The team worked well this year. {s} joined in spring, and {o} took over the accounts in autumn.",
    "table": "| name | room |\n|---|---|\n| {s} | 12 |\n| {o} | 14 |",
}

BYSTANDERS: Final[Mapping[str, BystanderGenerator]] = {
    "namesakes": namesakes,
    "look_alikes": look_alikes,
    "ordinary_words": ordinary_words,
    "mentions": mentions,
    "beside_forgotten": beside_forgotten,
    "group_pictures": group_pictures,
    "long_chats": long_chats,
    "documents": documents,
}


def _name_of(around: Surroundings) -> NameParts | None:
    return NameParts.of(around.scenario.name) if around.scenario.name is not None else None


def _some(around: Surroundings, count: int, *, pictured: bool = False) -> list[Person]:
    people = [
        person
        for person in around.staying
        if person.subject.names and person.subject.facts and (not pictured or person.subject.photos)
    ]
    return around.scenario.rng.sample(people, min(count, len(people)))
