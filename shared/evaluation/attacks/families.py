"""All families of attacks by name, and the attacks on given people, on controls, and near them on bystanders."""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.domain.subjects import Subject
from shared.evaluation.attacks import by_fact, by_form, by_output, by_picture, by_text
from shared.evaluation.attacks.attack import Attack, Company, Target, sample_by_kind
from shared.evaluation.attacks.bystanders import BYSTANDERS, BystanderQuestion, Surroundings
from shared.evaluation.attacks.scenario import SAMPLES, Generator, Scenario
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference

FAMILIES: Final[Mapping[str, Generator]] = {
    "spelling": by_text.spelling,
    "splitting": by_text.splitting,
    "markup": by_text.markup,
    "languages": by_text.languages,
    "roles": by_text.roles,
    "continued": by_form.continued,
    "cloze": by_form.cloze,
    "choice": by_form.choice,
    "yes_no": by_form.yes_no,
    "comparison": by_form.comparison,
    "lists": by_form.lists,
    "likelihood": by_form.likelihood,
    "reverse": by_fact.reverse,
    "fact_to_fact": by_fact.fact_to_fact,
    "two_people": by_picture.two_people,
    "pictures": by_picture.pictures,
    "two_pictures": by_picture.two_pictures,
    "collage": by_picture.collage,
    "sounding_visible": by_picture.sounding_visible,
    "sampling": by_output.sampling,
    "short": by_output.short,
    "stopped": by_output.stopped,
    "streams": by_output.streams,
    "over_turns": by_output.over_turns,
}


@dataclass(frozen=True)
class Choice:
    """Which attacks are made. `per_kind`: facts that each kind asks for. `most`: attacks on one person by a family.

    `samples`: answers that are drawn for each attack of the family `sampling`.
    """

    families: tuple[str, ...] = tuple(FAMILIES)
    bystanders: tuple[str, ...] = tuple(BYSTANDERS)
    per_kind: int = 2
    most: int | None = None
    seed: int = 0
    pictures: bool = True
    control_tokens: tuple[str, ...] = ()
    samples: int = SAMPLES

    def only(self, names: Iterable[str]) -> "Choice":
        """These families alone; raises KeyError for one that there is not."""
        chosen = tuple(names)
        unknown = [name for name in chosen if name not in FAMILIES and name not in BYSTANDERS]
        if unknown:
            raise KeyError(unknown[0])
        return replace(
            self,
            families=tuple(name for name in FAMILIES if name in chosen),
            bystanders=tuple(name for name in BYSTANDERS if name in chosen),
        )


@dataclass(frozen=True)
class Plan:
    """Attacks on the forgotten, the same on controls, and questions near them that must be answered as before."""

    attacks: tuple[Attack, ...]
    controls: tuple[Attack, ...]
    bystanders: tuple[BystanderQuestion, ...]


def plan(
    subjects: Mapping[str, Subject], reference: Reference, choice: Choice, forgotten: Collection[str] = ()
) -> Plan:
    """All attacks on `subjects` (person or ticket id -> person), in order; the same for the same seed.

    People of the reference with a name of `subjects` or of `forgotten` are neither company nor bystanders.
    """
    own = {name for subject in subjects.values() for name in subject.names} | set(forgotten)
    others = [person for person in reference.people if not own & set(person.subject.names)]
    company = Company(
        known=_of(others, reference, "retain_fit", "celebrity_fit"),
        strangers=_of(others, reference, "stranger_eval", "stranger_fit"),
        everybody=reference.people,
    )
    staying = [p for p in others if p.split in ("retain_fit", "held_out", "celebrity_eval", "forgettable")]
    attacks: list[Attack] = []
    controls: list[Attack] = []
    bystanders: list[BystanderQuestion] = []
    for person_id, subject in sorted(subjects.items()):
        target = Target.of(person_id, subject)
        wrong = reference.wrong_answers(subject, seed=choice.seed)
        for family in choice.families:
            attacks += attacks_of(family, target, company, choice, wrong)
            stranger = _stranger(company.strangers, f"{choice.seed}/{family}/{person_id}")
            if stranger is not None:
                controls += attacks_of(family, target.control(stranger.subject), company, choice, wrong)
        for family in choice.bystanders:
            scenario = _scenario(family, target, company, choice, wrong)
            around = Surroundings(scenario, reference.general.test, staying)
            questions = list(BYSTANDERS[family](around))
            bystanders += _sampled(questions, choice.most, random.Random(f"{choice.seed}/{family}/{person_id}/sample"))
    return Plan(tuple(attacks), tuple(controls), tuple(bystanders))


def attacks_of(
    family: str, target: Target, company: Company, choice: Choice, wrong: Mapping[str, Sequence[str]]
) -> list[Attack]:
    """One family's attacks on one target; raises KeyError for a family that there is not."""
    scenario = _scenario(family, target, company, choice, wrong)
    attacks = list(FAMILIES[family](scenario))
    if choice.most is not None and len(attacks) > choice.most:
        order = random.Random(f"{choice.seed}/{family}/{target.id}/kinds")
        kinds = sorted({attack.kind for attack in attacks})
        order.shuffle(kinds)
        first = set(kinds[: choice.most])
        attacks = sample_by_kind([attack for attack in attacks if attack.kind in first], choice.most)
    return attacks


def _scenario(
    family: str, target: Target, company: Company, choice: Choice, wrong: Mapping[str, Sequence[str]]
) -> Scenario:
    return Scenario(
        family=family,
        target=target,
        company=company,
        rng=random.Random(f"{choice.seed}/{family}/{target.id}"),
        per_kind=choice.per_kind,
        pictures=choice.pictures,
        wrong=wrong,
        control_tokens=choice.control_tokens,
        samples=choice.samples,
    )


def _of(people: Sequence[Person], reference: Reference, *splits: str) -> tuple[Person, ...]:
    chosen = {person.id for person in reference.people_of(*splits)}
    return tuple(person for person in people if person.id in chosen)


def _stranger(strangers: Sequence[Person], key: str) -> Person | None:
    named = [person for person in strangers if person.subject.names]
    return random.Random(key).choice(named) if named else None


def _sampled(questions: list[BystanderQuestion], most: int | None, rng: random.Random) -> list[BystanderQuestion]:
    if most is None or len(questions) <= most:
        return questions
    chosen = sorted(rng.sample(range(len(questions)), most))
    return [questions[index] for index in chosen]
