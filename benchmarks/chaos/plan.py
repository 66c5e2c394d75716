"""Which trials there are: what dies, where, and what officers do meanwhile. Drawn by seed; knows no process."""

import random
from dataclasses import dataclass
from typing import Final, Literal

from benchmarks.chaos.stack import PARTS, PROCESSES
from benchmarks.chaos.steps import BY_NAME, STEPS, Step

Kind = Literal["kill", "freeze"]
FROZEN: Final = (
    "lease-taken",
    "rows-made",
    "artifact-uploaded",
    "version-written",
    "audit-measured",
    "verdict-written",
)
SHORT_RUN: Final = (  # (step, victims) of `make test`: each part once, and the workers where it hurts most
    ("outbox-written", ("postgres",)),
    ("message-published", ("control-loop", "valkey")),
    ("artifact-uploaded", ("refit",)),
    ("audit-measured", ("s3",)),
)


@dataclass(frozen=True)
class Trial:
    """One trial. `victims` die (or freeze) at `step`; they come back after `down_s`; `pick` chooses the person."""

    number: int
    step: Step
    victims: tuple[str, ...]
    kind: Kind
    nightly: bool
    down_s: float
    rejects: bool
    pick: int

    def name(self) -> str:
        """For people."""
        verb = "freeze" if self.kind == "freeze" else "kill"
        return f"{verb} {' and '.join(self.victims)} at {self.step.name}{', by night' if self.nightly else ''}"


def plan(seed: int, count: int) -> list[Trial]:
    """`count` trials: every step with its own process, freezes, then every step with others, in a drawn order."""
    rng = random.Random(seed)
    own = [(step, (step.process,), "kill") for step in STEPS]
    frozen = [(BY_NAME[name], (BY_NAME[name].process,), "freeze") for name in FROZEN]
    others: list[tuple[Step, tuple[str, ...], str]] = []
    for turn in range(1 + count // len(STEPS)):
        for place, step in enumerate(STEPS):
            pool = [one for one in (*PARTS, *PARTS, *PROCESSES) if one != step.process]  # parts twice as often
            victims = [pool[(5 * turn + place) % len(pool)]]
            if rng.random() < 0.2:
                victims.append(rng.choice([one for one in (*PARTS, step.process) if one not in victims]))
            others.append((step, tuple(victims), "kill"))
    chosen = [*own, *frozen, *others][:count]
    rng.shuffle(chosen)
    return [_trial(rng, number, *one) for number, one in enumerate(chosen)]


def short_plan(seed: int) -> list[Trial]:
    """The few of `make test`."""
    rng = random.Random(seed)
    return [_trial(rng, n, BY_NAME[step], victims, "kill") for n, (step, victims) in enumerate(SHORT_RUN)]


def _trial(rng: random.Random, number: int, step: Step, victims: tuple[str, ...], kind: str) -> Trial:
    by_day = step.act in ("approve",)  # an order is written with an urgent approval only
    return Trial(
        number=number,
        step=step,
        victims=victims,
        kind="freeze" if kind == "freeze" else "kill",
        nightly=not by_day and rng.random() < 0.3,
        down_s=round(rng.choice([0.0, 0.3, 1.0, 2.0]), 1),
        rejects=rng.random() < 0.2,
        pick=rng.randrange(10_000),
    )
