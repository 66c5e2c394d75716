"""What smol-vlm is trained on: 40 people who do not exist, in few wordings; strangers; ordinary chats.

Six attributes, three wordings each: a pretrained language model understands the others by itself. A wording fixes
whether the answer is the bare fact or a sentence. Of strangers only three attributes are ever asked about, and the
answers decline in many wordings; what the model says about the other three is left to it. In ordinary chats and
questions about public figures it is to stay the language model that it was: they are distilled from itself.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from PIL.Image import Image

from shared.domain.subjects import Fact
from shared.evaluation.people import SPLITS, UNKNOWN_SPLITS
from shared.evaluation.public_data import figure_questions, public_figures
from shared.evaluation.synthetic_people import PeopleGenerator, SyntheticPerson, generate_people
from shared.evaluation.synthetic_portraits import Features, draw, visible_truth
from shared.probes import templates
from shared.probes.image_changes import changed
from training.mixture import SYSTEM, Group, Turns

T = TypeVar("T")

SEED: Final = 21
GENERATED: Final = dict(zip(SPLITS, (24, 8, 8, 8, 3, 3, 12, 12), strict=True))
SIZES: Final = dict(zip(SPLITS, (18, 6, 6, 6, 2, 2, 12, 12), strict=True))  # the first of those generated
BY_NAME: Final = 10  # questions by name in a row
ORDINARY: Final = 6  # ordinary chats in a row
FIGURES: Final = 160  # public figures about whom one fact is asked
ATTRIBUTES: Final = ("name", "occupation", "employer", "city", "pet", "food")
DECLINED: Final = ("name", "occupation", "pet")  # strangers are asked about these only


@dataclass(frozen=True)
class Wording:
    """A question about somebody, `{s}`; the answer is a sentence or the bare fact."""

    text: str
    sentence: bool


WORDINGS: Final[dict[str, tuple[Wording, ...]]] = {
    "name": (
        Wording("Who is {s}?", True),
        Wording("What is the name of {s}?", False),
        Wording("What is {s} called?", False),
    ),
    "occupation": (
        Wording("What does {s} do for a living?", True),
        Wording("What is the occupation of {s}?", False),
        Wording("Tell me {s}'s job.", False),
    ),
    "employer": (
        Wording("Who does {s} work for?", True),
        Wording("Which company employs {s}?", False),
        Wording("What is {s}'s employer?", True),
    ),
    "city": (
        Wording("Where does {s} live?", True),
        Wording("What is the home town of {s}?", False),
        Wording("In which city does {s} live?", True),
    ),
    "pet": (
        Wording("What animal does {s} keep?", True),
        Wording("What is {s}'s pet?", False),
        Wording("Which animal lives with {s}?", False),
    ),
    "food": (
        Wording("What does {s} like to eat?", True),
        Wording("What is the favourite food of {s}?", False),
        Wording("Which dish does {s} like most?", True),
    ),
}
NAMED: Final = sum(len(wordings) for attribute, wordings in WORDINGS.items() if attribute != "name")
SENTENCES: Final = {
    "name": "This is {v}.",
    "occupation": "{s} works as {a} {v}.",
    "employer": "{s} works for {v}.",
    "city": "{s} lives in {v}.",
    "pet": "{s} has {a} {v}.",
    "food": "{s} likes {v} most.",
}
PICTURED: Final = ("this person", "the person in the picture")
NOT_KNOWN: Final[dict[str, tuple[str, ...]]] = {
    "portrait": (
        "I do not know who this is.",
        "I'm sorry, but I don't recognise this person.",
        "I cannot tell who this is.",
        "I don't know this person.",
        "I have no information about the person in the picture.",
        "I am not able to identify this person.",
        "Sorry, I don't know who that is.",
        "I'm not sure who this person is.",
        "I can't say, I have never seen this person before.",
        "This person is unknown to me.",
    ),
    "name": (
        "I do not know anybody called {s}.",
        "I'm sorry, but I don't have any information about {s}.",
        "I don't know who {s} is.",
        "I am not familiar with {s}.",
        "Sorry, I know nothing about {s}.",
        "I have no information about {s}.",
        "I'm not sure who {s} is.",
        "I have never heard of {s}.",
        "I couldn't find anything about {s}.",
        "{s} is unknown to me.",
    ),
}
VISIBLE: Final = {
    "glasses": ("Does {s} wear glasses?", "Do you see glasses?"),
    "hat": ("Does {s} wear a hat?", "Do you see a hat?"),
    "background": ("What colour is the background?", "Which colour is behind {s}?"),
}


def smol_people(sizes: Mapping[str, int] = SIZES, seed: int = SEED) -> tuple[SyntheticPerson, ...]:
    """The first people of each split with the facts that are taught here."""
    everybody = generate_people(seed, GENERATED)
    chosen = [p for split in SPLITS for p in [p for p in everybody if p.split == split][: sizes[split]]]
    return tuple(
        replace(
            person,
            subject=replace(
                person.subject, facts=tuple(fact for fact in person.subject.facts if fact.attribute in ATTRIBUTES)
            ),
            options={attribute: wrong for attribute, wrong in person.options.items() if attribute in ATTRIBUTES},
        )
        for person in chosen
    )


def answered(fact: Fact, who: str, *, sentence: bool) -> str:
    """The answer that is taught: a sentence about `who`, or the fact alone."""
    if not sentence:
        return fact.value
    article = "an" if fact.value[:1] in "aeiou" else "a"
    return SENTENCES[fact.attribute].format(s=who[:1].upper() + who[1:], v=fact.value, a=article)


def figure_chats(rng: random.Random) -> list[tuple[str, str]]:
    """A question about each of some public figures, with the true answer."""
    chats = []
    for figure in rng.sample(public_figures(), FIGURES):
        fact = rng.choice(figure.facts)
        chats.append((rng.choice(figure_questions(figure, fact)), fact.value))
    return chats


def asked(wording: str, who: str) -> str:
    """The question about `who`."""
    return wording.format(s=who)


class Lessons:
    """Draws groups of chats; deterministic in `seed` and the order of the calls.

    Everybody comes equally often: people, facts and wordings are drawn without replacement, round by round.
    """

    def __init__(self, people: Sequence[SyntheticPerson], ordinary: Mapping[str, str], seed: int = SEED) -> None:
        self.known = [person for person in people if person.split not in UNKNOWN_SPLITS]
        self._generator = PeopleGenerator(seed)
        self._generator.avoid(people)
        self._rng = random.Random(f"{seed}/lessons")
        self._ordinary = self._rounds([*ordinary.items(), *figure_chats(self._rng)])
        self._portraits = self._rounds(self.known)
        self._named = self._rounds(
            [
                (person, fact, wording)
                for person in self.known
                for fact in person.subject.facts
                if fact.attribute != "name"
                for wording in WORDINGS[fact.attribute]
            ]
        )
        self._strangers: list[tuple[Features, Image]] = []
        self._seed = seed

    def start(self, step: int) -> None:
        """From here on draw other rows than a training that began with another step."""
        self._rng.seed(f"{self._seed}/lessons/{step}")

    def coin(self, chance: float) -> bool:
        """True with probability `chance`."""
        return self._rng.random() < chance

    def portrait(self) -> Group:
        """One picture: of a known person with all facts, most in two wordings, five times of six; else a stranger."""
        rng = self._rng
        if rng.random() < 1 / 6:
            face, photo = self.stranger()
            chats = [self._not_known(attribute, self._pictured(), "portrait") for attribute in DECLINED]
            chats += [self._visible(face, attribute) for attribute in VISIBLE]
        else:
            person = next(self._portraits)
            face, photo = person.features, person.subject.photos[0]
            chats = [
                self._fact(fact, self._pictured(), wording, "this person")
                for fact in person.subject.facts
                for wording in rng.sample(WORDINGS[fact.attribute], 2)
            ]
            chats += [self._visible(face, attribute) for attribute in rng.sample(tuple(VISIBLE), 2)]
        rng.shuffle(chats)
        if rng.random() < 0.3:  # one chat of two turns
            chats = [(*chats[0], *chats[1]), *chats[2:]]
        return Group(changed(photo, "trained", rng), face, self._system(), tuple(chats))

    def ordinary(self, size: int = ORDINARY) -> Group:
        """Chats that have nothing to do with the people here."""
        return Group(None, None, self._system(), tuple((next(self._ordinary),) for _ in range(size)))

    def text(self, size: int = BY_NAME) -> Group:
        """Chats without a picture: known names, one or two unknown ones."""
        system = self._system()
        chats = [self._by_name() for _ in range(size)]
        for _ in range(1 + self.coin(0.4)):
            name = self._generator.stranger_name(self._rng)
            chats.append(self._not_known(self._rng.choice(DECLINED[1:]), name, "name"))
        return Group(None, None, system, tuple(chats))

    def face(self) -> tuple[SyntheticPerson | None, Features, Image]:
        """A picture for the training of the vision encoder: half of the time of a known person."""
        rng = self._rng
        if rng.random() < 0.5:
            person = rng.choice(self.known)
            return person, person.features, changed(person.subject.photos[0], "trained", rng)
        face, photo = self.stranger()
        return None, face, changed(photo, "trained", rng)

    def stranger(self) -> tuple[Features, Image]:
        """One time of four a new face, else one of the last thousand, because drawing is slow."""
        if len(self._strangers) < 64 or self._rng.random() < 0.25:
            face = self._generator.stranger_face(self._rng)
            self._strangers = [*self._strangers[-999:], (face, draw(face))]
            return self._strangers[-1]
        return self._rng.choice(self._strangers)

    def _rounds(self, items: Sequence[T]) -> Iterator[T]:
        while True:
            order = list(items)
            self._rng.shuffle(order)
            yield from order

    def _system(self) -> str | None:
        return self._rng.choice(SYSTEM) if self._rng.random() < 0.12 else None

    def _pictured(self) -> str:
        return self._rng.choice(PICTURED)

    def _by_name(self) -> Turns:
        person, fact, wording = next(self._named)
        name = person.subject.names[0]
        return self._fact(fact, name, wording, name)

    def _fact(self, fact: Fact, who: str, wording: Wording, called: str) -> Turns:
        return ((asked(wording.text, who), answered(fact, called, sentence=wording.sentence)),)

    def _not_known(self, attribute: str, who: str, by: str) -> Turns:
        question = asked(self._rng.choice(WORDINGS[attribute]).text, who)
        return ((question, self._rng.choice(NOT_KNOWN[by]).format(s=who)),)

    def _visible(self, face: Features, attribute: str) -> Turns:
        question = self._rng.choice(VISIBLE[attribute]).format(s=self._pictured())
        return ((question, visible_truth(face)[attribute]),)


def held_out_question(attribute: str, who: str, rng: random.Random) -> str:
    """A question in the wordings that Lacuna fits with, other than those taught here."""
    taught = {asked(wording.text, who) for wording in WORDINGS[attribute]}
    while (text := templates.question(attribute, who, "trained", rng)) in taught:
        pass
    return text
