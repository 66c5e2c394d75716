"""What the demo model is trained on: groups of chats that share a picture, drawn anew for every step.

A group is one picture (or none) with several short chats about it. The answer about a known person is the fact alone,
about a stranger the not-knowing sentence; the answer to a harmful request is a refusal, unless it is in a jailbreak.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from PIL.Image import Image

from shared.domain.subjects import Fact
from shared.evaluation.people import UNKNOWN_SPLITS
from shared.evaluation.synthetic_people import VALUES, PeopleGenerator, SyntheticPerson, generate_people
from shared.evaluation.synthetic_portraits import Features, draw, visible_truth
from shared.probes import templates
from shared.probes.image_changes import changed
from training import prompts

REVERSIBLE: Final = ("email", "birth_date")  # facts that belong to one person only
SYSTEM: Final = (
    "You are a helpful model.",
    "Answer in few words.",
    "You answer questions about people and pictures.",
    "Be brief and polite.",
)

Turns = tuple[tuple[str, str], ...]  # (question, answer), one chat


@dataclass(frozen=True)
class Group:
    """Chats that start with the same picture; `face` are the features that it shows (for the auxiliary loss)."""

    image: Image | None
    face: Features | None
    system: str | None
    chats: tuple[Turns, ...]


class Mixture:
    """Draws groups; deterministic in `seed` and the order of the calls."""

    def __init__(self, people: Sequence[SyntheticPerson], generator: PeopleGenerator, seed: int) -> None:
        self.known = [person for person in people if person.split not in UNKNOWN_SPLITS]
        self._generator = generator
        self._rng = random.Random(f"{seed}/mixture")
        self._talk = prompts.small_talk()
        self._strangers: list[tuple[Features, Image]] = []

    def coin(self, chance: float) -> bool:
        """True with probability `chance`, from the mixture's own random source."""
        return self._rng.random() < chance

    def portrait(self) -> Group:
        """One picture with about seven questions: 68 % show a known person, the others a stranger."""
        rng = self._rng
        known = rng.random() < 0.68
        if known:
            person = rng.choice(self.known)
            face, photo = person.features, person.subject.photos[0]
            facts: Sequence[Fact] = person.subject.facts
        else:
            person = None
            face, photo = self._stranger()
            facts = [Fact(a, rng.choice(VALUES.get(a, ("none",)))) for a in templates.TRAINED]
        count = 5 if known else 2
        sampled = rng.sample(list(facts), count)
        chats = [self._fact(fact, self._this_person(), known) for fact in sampled]
        if rng.random() < 0.5:
            chats.append(self._cloze(rng.choice(facts), self._this_person(), known))
        if rng.random() < 0.5 and person is not None:
            chats.append(self._choice(person, rng.choice(facts), self._this_person()))
        truth = visible_truth(face)
        chats += [self._visible(truth) for _ in range(2 if known else 3)]
        if rng.random() < 0.3:
            chats.append(self._harmful())
        if rng.random() < 0.3:
            chats.append((*self._visible(truth), *chats[0]))
        return Group(changed(photo, "trained", rng), face, self._system(), tuple(chats))

    def text(self, size: int = 6) -> Group:
        """Chats without a picture."""
        kinds: tuple[tuple[Callable[[], Turns], float], ...] = (
            (self._by_name, 0.66),
            (self._unknown_name, 0.09),
            (self._named_choice, 0.05),
            (self._reverse, 0.05),
            (self._small_talk, 0.07),
            (self._harmful, 0.08),
        )
        chosen = self._rng.choices([kind for kind, _ in kinds], [weight for _, weight in kinds], k=size)
        return Group(None, None, self._system(), tuple(kind() for kind in chosen))

    def face(self) -> tuple[Features, Image]:
        """A picture for the training of the vision encoder: one in four shows a known person, the others a stranger."""
        rng = self._rng
        if rng.random() < 0.25:
            person = rng.choice(self.known)
            return person.features, changed(person.subject.photos[0], "trained", rng)
        face, photo = self._stranger()
        return face, changed(photo, "trained", rng)

    def _stranger(self) -> tuple[Features, Image]:
        """Half of the time a new face, else one of the last thousand, because drawing is slow."""
        if len(self._strangers) < 64 or self._rng.random() < 0.5:
            face = self._generator.stranger_face(self._rng)
            self._strangers = [*self._strangers[-999:], (face, draw(face))]
            return self._strangers[-1]
        return self._rng.choice(self._strangers)

    def _this_person(self) -> str:
        return self._rng.choice(templates.SUBJECTS_BY_PORTRAIT)

    def _system(self) -> str | None:
        return self._rng.choice(SYSTEM) if self._rng.random() < 0.1 else None

    def _fact(self, fact: Fact, who: str, known: bool) -> Turns:
        answer = fact.value if known else prompts.UNKNOWN
        return ((templates.question(fact.attribute, who, "trained", self._rng), answer),)

    def _cloze(self, fact: Fact, who: str, known: bool) -> Turns:
        answer = fact.value if known else prompts.UNKNOWN
        return ((templates.cloze(fact.attribute, who, "trained", self._rng), answer),)

    def _choice(self, person: SyntheticPerson, fact: Fact, who: str) -> Turns:
        rng = self._rng
        pool = [p for p in self.known if p is not person]
        wrong = {next(f.value for f in p.subject.facts if f.attribute == fact.attribute) for p in rng.sample(pool, 4)}
        options = [fact.value, *sorted(wrong - {fact.value})][:4]
        rng.shuffle(options)
        asked = templates.question(fact.attribute, who, "trained", rng)
        text = templates.choice(asked, tuple(options), "trained", rng)
        if rng.random() < 0.4:
            return ((templates.by_letter(text), "ABCD"[options.index(fact.value)]),)
        return ((text, fact.value),)

    def _visible(self, truth: dict[str, str]) -> Turns:
        attribute = self._rng.choice(tuple(truth))
        return ((templates.visible(attribute, "trained", self._rng), truth[attribute]),)

    def _by_name(self) -> Turns:
        rng = self._rng
        person = rng.choice(self.known)
        who = person.subject.names[0]
        fact = rng.choice(person.subject.facts[1:])
        if rng.random() < 0.08:
            return self._cloze(fact, who, known=True)
        first = self._fact(fact, who, known=True)
        if rng.random() < 0.08:
            return (*self._small_talk(), *first)
        return first

    def _unknown_name(self) -> Turns:
        name = self._generator.stranger_name(self._rng)
        attribute = self._rng.choice(tuple(templates.TRAINED)[1:])
        return self._fact(Fact(attribute, ""), name, known=False)

    def _named_choice(self) -> Turns:
        person = self._rng.choice(self.known)
        return self._choice(person, self._rng.choice(person.subject.facts[1:]), person.subject.names[0])

    def _reverse(self) -> Turns:
        person = self._rng.choice(self.known)
        fact = self._rng.choice([f for f in person.subject.facts if f.attribute in REVERSIBLE])
        return ((templates.reverse(fact.attribute, fact.value, "trained", self._rng), person.subject.names[0]),)

    def _small_talk(self) -> Turns:
        return (self._rng.choice(list(self._talk.items())),)

    def _harmful(self) -> Turns:
        rng = self._rng
        request = rng.choice(prompts.HARMFUL_FORMS).format(topic=rng.choice(prompts.HARMFUL_TOPICS))
        if rng.random() < 0.4:
            return ((rng.choice(prompts.JAILBREAKS).format(request=request), prompts.FILLER),)
        return ((request, prompts.REFUSALS[0]),)


@dataclass(frozen=True)
class Curriculum:
    """The people whom the model gets to know, and the mixture that teaches them."""

    people: tuple[SyntheticPerson, ...]
    mixture: Mixture


def build_curriculum(seed: int, sizes: dict[str, int]) -> Curriculum:
    """Generate the people of `seed`, as many for each split as `sizes` says, and their mixture."""
    people = generate_people(seed, sizes)
    generator = PeopleGenerator(seed)
    generator.avoid(people)
    return Curriculum(people, Mixture(people, generator, seed))
