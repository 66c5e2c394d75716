"""What every generator of attacks works with: who is asked about, who else is there, wordings, and chance.

A generator is a function from a scenario to attacks. It draws from `rng` in the same order whoever the target is, so
that a control is asked what the forgotten person is asked.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from PIL.Image import Image

from shared.domain.prompts import Prompt, Turn
from shared.domain.subjects import Fact
from shared.evaluation.attacks.attack import ASKED_ONCE, NAME, Asking, Attack, Company, Measure, Target
from shared.evaluation.people import Person
from shared.evaluation.scorers import normalised, reveals
from shared.probes import statements, templates, wordings
from shared.probes.attribute_types import attribute_type, understand

THIS_PERSON: Final = "this person"
SAMPLES: Final = 8  # answers of one sampled attack where nothing else is said: enough for leak@8
_STAND_IN: Final = "Qvxzperson"  # stands for the person while a sentence is made, so that a name is kept as written


@dataclass(frozen=True)
class Way:
    """How a question says whom it means: `words` in the sentence, and a picture where the words need one."""

    words: str
    image: Image | None = None


@dataclass(frozen=True)
class Scenario:
    """One family's attacks on one target. `per_kind`: how many facts each kind asks for.

    `wrong` are wrong answers by attribute, `control_tokens` what a model's template writes around turns, `samples` how
    many answers a sampled attack draws.
    """

    family: str
    target: Target
    company: Company
    rng: random.Random
    per_kind: int = 2
    pictures: bool = True
    wrong: Mapping[str, Sequence[str]] | None = None
    control_tokens: tuple[str, ...] = ()
    samples: int = SAMPLES

    @property
    def name(self) -> str | None:
        """The usual name of the person asked about."""
        return self.target.asked.names[0] if self.target.asked.names else None

    @property
    def photo(self) -> Image | None:
        """The first photograph of the person asked about, where the model reads pictures."""
        return self.target.asked.photos[0] if self.pictures and self.target.asked.photos else None

    def facts(self) -> list[Fact]:
        """Facts that a name leads to, `per_kind` of them."""
        return self._drawn([fact for fact in self.target.facts if not is_name(fact)])

    def pictured_facts(self) -> list[Fact]:
        """Facts that a picture leads to, the name first, `per_kind` of them."""
        names = [fact for fact in self.target.facts if is_name(fact)][:1]
        others = self._drawn([fact for fact in self.target.facts if not is_name(fact)])
        return (names + others)[: self.per_kind] if self.per_kind > 1 else self._drawn(names + others)

    def identifying_facts(self) -> list[Fact]:
        """Facts that nobody else of the reference has; all facts where there is no such."""
        others = {value for person, values in self.company.values if person != self.target.id for value in values}
        facts = [fact for fact in self.target.facts if not is_name(fact)]
        return [fact for fact in facts if (fact.attribute, normalised(fact.value)) not in others] or facts

    def known(self, *, pictured: bool = False) -> Person | None:
        """Another person whom the model knows, with a photograph if `pictured`; None where there is nobody."""
        people = [
            person
            for person in self.company.known
            if person.id != self.target.id
            and person.subject.names
            and (not pictured or (self.pictures and person.subject.photos))
        ]
        drawn = self.rng.random()
        return people[int(drawn * len(people))] if people else None

    def wrong_answers(self, fact: Fact) -> tuple[str, ...]:
        """Other people's values of the same attribute."""
        return tuple((self.wrong or {}).get(fact.attribute, ()))

    def ways(self, fact: Fact) -> Iterator[Way]:
        """By name, then by picture, as far as there are both; the name is asked for by picture alone."""
        if self.name is not None and not is_name(fact):
            yield Way(self.name)
        if self.photo is not None:
            yield Way(THIS_PERSON, self.photo)

    def question(self, fact: Fact, words: str, *, language: str = "en") -> str:
        """A question for the fact in one of the known wordings; the person is called `words`."""
        return ask(fact, words, self.rng, language=language)

    def attack(
        self,
        kind: str,
        prompt: Prompt,
        fact: Fact,
        *,
        accept: Sequence[str] | None = None,
        in_question: bool = False,
        measure: Measure = "answer",
        asking: Asking = ASKED_ONCE,
        options: tuple[str, ...] = (),
        other: str | None = None,
    ) -> Iterator[Attack]:
        """The attack, or nothing where what it asks for stands in the question already.

        `accept` are the spellings that tell where these are not the fact's own. `in_question`: a choice has to name
        the true value, and chance is what controls say.
        """
        text = " ".join(turn.text for turn in prompt.turns)
        spellings = statements.spellings(fact, self.target.secret.names, text) if accept is None else tuple(accept)
        telling = tuple(each for each in spellings if in_question or not reveals(text, (each,)))
        if not telling:
            return
        values = (value for other in self.target.facts if other.attribute != fact.attribute for value in other.accept)
        also = tuple(value for value in values if not reveals(text, (value,)))
        yield Attack(
            self.family, kind, self.target.id, fact.attribute, prompt, telling, also, asking, measure, options, other
        )

    def _drawn(self, facts: Sequence[Fact]) -> list[Fact]:
        order = [self.rng.random() for _ in facts]
        ranked = sorted(range(len(facts)), key=order.__getitem__)
        return [facts[index] for index in sorted(ranked[: self.per_kind])]


Generator = Callable[[Scenario], Iterator[Attack]]


def is_name(fact: Fact) -> bool:
    """Whether the fact is the person's name."""
    return fact.attribute == NAME or (
        fact.attribute not in templates.TRAINED and attribute_type(fact.attribute) == "name"
    )


def ask(fact: Fact, words: str, rng: random.Random, *, language: str = "en") -> str:
    """A question for the fact, in wordings for fitting and held-out ones in turn; `words` stay as they are written."""
    form: templates.Form = "trained" if rng.random() < 0.5 else "test"
    if language == "en" and fact.attribute in templates.TRAINED:
        text = templates.question(fact.attribute, _STAND_IN, form, rng)
    else:
        spoken = wordings.language(language)
        text = wordings.question(spoken, fact.attribute, fact.value, wordings.named(spoken, _STAND_IN), form, rng)
    return _with_words(text, words)


def noun_of(fact: Fact) -> str:
    """What English calls the attribute, in lower case where it is one of the demo's."""
    if fact.attribute in templates.NOUNS:
        return templates.noun_of(fact.attribute)
    return understand(fact.attribute, fact.value).words


def chat(*texts: str, image: Image | None = None) -> Prompt:
    """A chat in which user and assistant take turns; the user has the first and the last. The picture comes first."""
    roles = ("user", "assistant")
    first, *rest = texts
    turns = [Turn("user", first, (image,) if image is not None else ())]
    return Prompt((*turns, *(Turn(roles[number % 2], text) for number, text in enumerate(rest, 1))))  # type: ignore[arg-type]


def under(system: str, prompt: Prompt) -> Prompt:
    """The same chat under a system prompt."""
    return Prompt((Turn("system", system), *prompt.turns))


def _with_words(text: str, words: str) -> str:
    if words == THIS_PERSON and text.startswith(_STAND_IN):
        text = text.replace(_STAND_IN, words.capitalize(), 1)
    return text.replace(_STAND_IN, words)
