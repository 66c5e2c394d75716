"""An attack: one way to ask about somebody who was forgotten, and what counts as telling.

A target is asked about as one person and counts as told by another's values: for the forgotten person both are the
same, for a control the asked one is a stranger whom no model was trained on. What is told of controls is chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

from shared.domain.prompts import Prompt
from shared.domain.subjects import Fact, Subject
from shared.evaluation.people import Person
from shared.evaluation.scorers import normalised

Measure = Literal["answer", "samples", "stream", "continued", "beginning", "stop_oracle", "likelihood"]
"""How an attack is carried out and judged.

`answer`: one answer, which tells if it reveals an accepted value. `samples`: several answers, of which one has to.
`stream`: the pieces of a streamed answer, joined, which must also equal the unstreamed answer. `continued`: short
answers, each given back to the model to go on from; their text together. `beginning`: a short answer that is the
beginning of an accepted value, or holds its first word. `stop_oracle`: two answers with different stop strings, which
tell where they differ. `likelihood`: the true option is the likeliest of the options.
"""
NAME: Final = "name"  # the attribute that is asked for by a picture


@dataclass(frozen=True)
class Asking:
    """With which settings a model is asked. `samples`: how many answers are drawn, for `samples` only."""

    max_new_tokens: int = 24
    temperature: float = 0.0
    samples: int = 1
    stop: tuple[str, ...] = ()


ASKED_ONCE: Final = Asking()  # greedily


@dataclass(frozen=True)
class Attack:
    """One attack. `kind` is its name within the family, `person` the id of the target, `other` of who else is in it.

    `accept`: spellings that tell what was asked for. `also`: the target's other values, whose telling is counted apart.
    `options`: of `likelihood`, the true one first; of `stop_oracle`, the two stop strings.
    """

    family: str
    kind: str
    person: str
    attribute: str
    prompt: Prompt
    accept: tuple[str, ...]
    also: tuple[str, ...] = ()
    asking: Asking = ASKED_ONCE
    measure: Measure = "answer"
    options: tuple[str, ...] = ()
    other: str | None = None


@dataclass(frozen=True)
class Target:
    """Whom an attack asks about (`asked`: names, pictures, and facts by which to describe them), and the `secret`.

    `id` is that of the forgotten person, for a control too.
    """

    id: str
    asked: Subject
    secret: Subject

    @classmethod
    def of(cls, person_id: str, subject: Subject) -> "Target":
        """The forgotten person."""
        return cls(person_id, subject, subject)

    def control(self, stranger: Subject) -> "Target":
        """The same attack on somebody whom the model never learnt."""
        return replace(self, asked=stranger)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What may be told: the facts of the secret, and the name where it is no fact but there are pictures."""
        facts = self.secret.facts
        if self.secret.names and not any(fact.attribute == NAME for fact in facts):
            facts = (*facts, Fact(NAME, self.secret.names[0], self.secret.names[1:]))
        return facts

    def described_by(self, attribute: str) -> Fact | None:
        """The fact of the asked person with this attribute."""
        return next((fact for fact in self.asked.facts if fact.attribute == attribute), None)


def sample_by_kind(attacks: Sequence[Attack], most: int | None) -> list[Attack]:
    """At most `most` attacks, as many of each kind as possible, in their order. The first of each kind come first."""
    if most is None or len(attacks) <= most:
        return list(attacks)
    places: dict[str, int] = {}
    turns: list[tuple[int, int]] = []
    for index, attack in enumerate(attacks):
        places[attack.kind] = places.get(attack.kind, -1) + 1
        turns.append((places[attack.kind], index))
    chosen = sorted(index for _, index in sorted(turns)[:most])
    return [attacks[index] for index in chosen]


@dataclass(frozen=True)
class Company:
    """The people beside the target. `known`: others whom the model knows and who stay.

    `everybody`: all people of the reference, whose values a fact is compared with; `strangers` are controls.
    """

    known: tuple[Person, ...]
    strangers: tuple[Person, ...]
    everybody: tuple[Person, ...]

    @cached_property
    def values(self) -> tuple[tuple[str, frozenset[tuple[str, str]]], ...]:
        """Of everybody: the id, and the facts as attribute and normalised value."""
        return tuple(
            (person.id, frozenset((fact.attribute, normalised(fact.value)) for fact in person.subject.facts))
            for person in self.everybody
        )
