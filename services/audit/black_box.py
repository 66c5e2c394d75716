"""The attacks of an audit: every family on the changed tickets, a few families on each of the others, with controls.

Only what somebody can do who asks the served model: no gradients, no activations. `services.audit.attack` runs the
families in full for one ticket.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from random import Random
from typing import Any, Final

from shared.core.progress import Counter, Progress, uncounted
from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.eraser import Eraser
from shared.evaluation.attacks.attack import Attack
from shared.evaluation.attacks.bystanders import BYSTANDERS
from shared.evaluation.attacks.families import FAMILIES, Choice, Plan, plan
from shared.evaluation.attacks.observing import Observation, bystander_answers, observe, plain_prompts
from shared.evaluation.attacks.results import (
    BystanderFigures,
    FamilyFigures,
    Tally,
    by_bystander_family,
    by_family,
    total,
)
from shared.evaluation.attacks.scenario import SAMPLES
from shared.evaluation.reference import Reference
from shared.evaluation.three_samples import Nearness, nearness
from shared.vlm.asked_model import AskedModel, typed_control_tokens
from shared.vlm.engine import Engine

ATTACKS: Final = (
    144  # on all changed tickets, about; an even share for each. With more an audit takes more than twice its time
)
PER_FAMILY: Final = 2  # attacks of one family on a changed ticket, at most
UNPICTURED: Final = 2  # as many times that, on a person without photographs: a third of the families need some
LIGHT_FAMILIES: Final = 6  # on a ticket that is not changed, at most, one attack each; drawn for each ticket
LIGHT_ATTACKS: Final = 384  # on all of these, about
COSTLY: Final[Mapping[str, int]] = {"sampling": 1, "streams": 1, "stopped": 1, "short": 1}
"""Families whose attacks ask several times, or one prompt at a time: at most so many attacks on one person."""

NearTickets = Mapping[str, Mapping[str, BystanderFigures]]
"""Figures of questions that come near forgotten people, by family and kind."""


@dataclass(frozen=True)
class Observed:
    """The attacks that were made, what they brought out before and after, and the same attacks on strangers."""

    attacks: tuple[Attack, ...] = ()
    before: tuple[Observation, ...] = ()
    after: tuple[Observation, ...] = ()
    controls: tuple[Attack, ...] = ()
    of_controls: tuple[Observation, ...] = ()

    def __add__(self, other: "Observed") -> "Observed":
        return Observed(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def of(self, ticket: str) -> "Observed":
        """Those about one ticket."""
        own = [number for number, attack in enumerate(self.attacks) if attack.person == ticket]
        beside = [number for number, attack in enumerate(self.controls) if attack.person == ticket]
        return Observed(
            tuple(self.attacks[number] for number in own),
            tuple(self.before[number] for number in own),
            tuple(self.after[number] for number in own),
            tuple(self.controls[number] for number in beside),
            tuple(self.of_controls[number] for number in beside),
        )

    @property
    def tally(self) -> Tally:
        """All of them together."""
        return total(figures.tally for figures in self.figures().values())

    def figures(self) -> dict[str, FamilyFigures]:
        """Figures by family."""
        return by_family(self.attacks, self.before, self.after, self.controls, self.of_controls)

    def families(self) -> dict[str, Any]:
        """Figures by family for a report, which holds no questions and no answers."""
        return {
            family: {name: value for name, value in own.as_json().items() if name not in ("kinds", "examples")}
            for family, own in self.figures().items()
        }

    @property
    def nearness(self) -> Nearness | None:
        """Whether the answers after are nearer to those about strangers than to the base model's own."""
        erased = [seen.text for attack, seen in zip(self.attacks, self.after, strict=True) if _is_text(attack, seen)]
        base = [seen.text for attack, seen in zip(self.attacks, self.before, strict=True) if _is_text(attack, seen)]
        strangers = [
            seen.text for attack, seen in zip(self.controls, self.of_controls, strict=True) if _is_text(attack, seen)
        ]
        return nearness(erased, base, strangers)


def bystander_report(near: NearTickets) -> dict[str, Any]:
    """The figures by family and, within, by kind, for a report."""
    return {
        family: reduce(add, kinds.values()).as_json() | {"kinds": {kind: own.as_json() for kind, own in kinds.items()}}
        for family, kinds in near.items()
    }


def _together(plans: Sequence[Plan]) -> Plan:
    return Plan(
        tuple(attack for each in plans for attack in each.attacks),
        tuple(attack for each in plans for attack in each.controls),
        (),
    )


def _is_text(attack: Attack, seen: Observation) -> bool:
    return attack.measure == "answer" and not seen.refused


@dataclass(frozen=True)
class BlackBox:
    """Attacks by the people of `reference` as company and controls, on one engine. `seed` draws them."""

    engine: Engine
    reference: Reference
    seed: int = 1

    def attack(
        self,
        eraser: Eraser,
        subjects: Mapping[str, Subject],
        changed: Collection[str],
        light: Collection[str],
        progress: Progress,
    ) -> Observed:
        """The audit's share of attacks: on `changed` tickets of every family, on `light` ones of some."""
        own = share(len(changed))
        forgotten = names_forgotten(eraser, self.reference)
        plans = [
            self._planned(
                ticket,
                subjects[ticket],
                self._drawn(ticket, own.families),
                own.most if subjects[ticket].photos else UNPICTURED * own.most,
                forgotten,
            )
            for ticket in sorted(changed)
        ]
        few = max(1, min(LIGHT_FAMILIES, LIGHT_ATTACKS // max(1, len(light))))
        plans += [
            self._planned(ticket, subjects[ticket], self._drawn(ticket, few), 1, forgotten) for ticket in sorted(light)
        ]
        made = _together(plans)
        return self.observed(eraser, made, progress.counter(2 * len(made.attacks) + len(made.controls), "attacks"))

    def in_full(
        self,
        eraser: Eraser,
        ticket: str,
        subject: Subject,
        families: Sequence[str],
        most: int | None,
        samples: int = SAMPLES,
    ) -> Observed:
        """These families on one ticket, at most `most` attacks of each; None is all. `samples`: of a sampled attack."""
        choice = replace(self._choice(families), per_kind=2, most=most, samples=samples)
        forgotten = names_forgotten(eraser, self.reference)
        return self.observed(eraser, plan({ticket: subject}, self.reference, choice, forgotten))

    def near(
        self, eraser: Eraser, subjects: Mapping[str, Subject], most: int, progress: Progress | None = None
    ) -> NearTickets:
        """Questions that come near the people of `subjects` and must be answered as before, by family and kind.

        At most `most` of each family for each of them.
        """
        choice = replace(self._choice(tuple(BYSTANDERS)), most=most)
        made = plan(subjects, self.reference, choice, names_forgotten(eraser, self.reference)).bystanders
        base, erased = AskedModel(self.engine), AskedModel(self.engine, eraser)
        prompts, plain = [question.prompt for question in made], plain_prompts(made)
        counter = progress.counter(2 * len(prompts) + len(plain), "questions") if progress else uncounted

        def asked(model: AskedModel, prompts: Sequence[Prompt]) -> list[str | None]:
            answers = bystander_answers(model, prompts)
            counter(len(prompts))
            return answers

        return by_bystander_family(
            made, asked(base, plain), asked(base, prompts), asked(erased, prompts), self.reference.own_wordings
        )

    def observed(self, eraser: Eraser, made: Plan, counter: Counter = uncounted) -> Observed:
        """What the attacks of a plan bring out of the base model and of the erased one.

        `counter` is told how many more have been made: each counts for both models, controls for one.
        """
        base, erased = AskedModel(self.engine), AskedModel(self.engine, eraser)
        return Observed(
            made.attacks,
            tuple(observe(base, made.attacks, seed=self.seed, made=counter)),
            tuple(observe(erased, made.attacks, seed=self.seed, made=counter)),
            made.controls,
            tuple(observe(erased, made.controls, seed=self.seed, made=counter)),
        )

    def _planned(
        self, ticket: str, subject: Subject, families: Sequence[str], most: int, forgotten: Collection[str]
    ) -> Plan:
        """A plan for one ticket, with fewer attacks of the costly families."""
        limits: dict[tuple[str, ...], int] = {
            (family,): min(most, COSTLY[family]) for family in families if family in COSTLY
        }
        limits[tuple(family for family in families if family not in COSTLY)] = most
        plans = [
            plan({ticket: subject}, self.reference, replace(self._choice(some), most=limit), forgotten)
            for some, limit in limits.items()
        ]
        return _together(plans)

    def _choice(self, families: Sequence[str]) -> Choice:
        tokens = typed_control_tokens(self.engine)
        choice = Choice(per_kind=1, seed=self.seed, pictures=self.engine.reads_pictures, control_tokens=tokens)
        return choice.only(families)

    def _drawn(self, ticket: str, count: int) -> list[str]:
        """So many families for one ticket, others for another ticket."""
        names = list(FAMILIES)
        return Random(f"{self.seed}/{ticket}/families").sample(names, min(count, len(names)))


def names_forgotten(eraser: Eraser, reference: Reference) -> frozenset[str]:
    """The names of reference people that the eraser recognises as somebody's whole name: they are no bystanders."""
    if eraser.text is None:
        return frozenset()
    names = {name for person in reference.people for name in person.subject.names}
    return frozenset(name for name in names if any(seen.named for seen in eraser.text.read(name).values()))


@dataclass(frozen=True)
class Share:
    """How many families attack one ticket, and how often each at most."""

    families: int
    most: int


def share(changed: int) -> Share:
    """The share of one of `changed` tickets: ATTACKS is divided evenly, and LIGHT_FAMILIES is the least."""
    each = ATTACKS // max(1, changed)
    if each >= len(FAMILIES):
        return Share(len(FAMILIES), min(PER_FAMILY, each // len(FAMILIES)))
    return Share(max(LIGHT_FAMILIES, each), 1)
