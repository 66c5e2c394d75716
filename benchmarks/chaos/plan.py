"""Which trials there are: which process is hurt, at which step, and what officers do meanwhile. Drawn by seed."""

import random
from dataclasses import dataclass
from typing import Final, Literal

from benchmarks.chaos.stack import BACKENDS, PROCESSES
from benchmarks.chaos.steps import STEPS, STEPS_BY_NAME, Step

Kind = Literal["kill", "freeze"]
FREEZE_STEPS: Final = (
    "lease-taken",
    "rows-made",
    "artifact-uploaded",
    "version-written",
    "audit-measured",
    "verdict-written",
)
SHORT_RUN: Final = (  # (step, victims): each backend once, and the workers where most can be lost
    ("outbox-written", ("postgres",)),
    ("message-published", ("control-loop", "valkey")),
    ("artifact-uploaded", ("refit",)),
    ("audit-measured", ("s3",)),
)


@dataclass(frozen=True)
class Trial:
    """One trial: `victims` are killed or frozen at `step` and come back after `down_s`; `pick` chooses the person."""

    number: int
    step: Step
    victims: tuple[str, ...]
    kind: Kind
    nightly: bool
    down_s: float
    rejects: bool
    pick: int

    def name(self) -> str:
        """The trial in a few words, for the terminal."""
        return f"{self.kind} {' and '.join(self.victims)} at {self.step.name}{', by night' if self.nightly else ''}"


def plan(seed: int, count: int) -> list[Trial]:
    """Draw `count` trials in random order.

    Every step with the process that performs it, then the freezes, then every step with other victims.
    """
    rng = random.Random(seed)
    own = [(step, (step.process,), "kill") for step in STEPS]
    freezes = [(STEPS_BY_NAME[name], (STEPS_BY_NAME[name].process,), "freeze") for name in FREEZE_STEPS]
    others: list[tuple[Step, tuple[str, ...], str]] = []
    for turn in range(1 + count // len(STEPS)):
        for index, step in enumerate(STEPS):
            # Backends stand in the pool twice, so that they are drawn twice as often.
            pool = [process for process in (*BACKENDS, *BACKENDS, *PROCESSES) if process != step.process]
            victims = [pool[(5 * turn + index) % len(pool)]]
            if rng.random() < 0.2:
                victims.append(rng.choice([name for name in (*BACKENDS, step.process) if name not in victims]))
            others.append((step, tuple(victims), "kill"))
    chosen = [*own, *freezes, *others][:count]
    rng.shuffle(chosen)
    return [_trial(rng, number, *choice) for number, choice in enumerate(chosen)]


def short_plan(seed: int) -> list[Trial]:
    """The four trials of `make test-slow`."""
    rng = random.Random(seed)
    return [_trial(rng, n, STEPS_BY_NAME[step], victims, "kill") for n, (step, victims) in enumerate(SHORT_RUN)]


def _trial(rng: random.Random, number: int, step: Step, victims: tuple[str, ...], kind: str) -> Trial:
    urgent_only = step.act == "approve"  # only an urgent approval writes an order
    return Trial(
        number=number,
        step=step,
        victims=victims,
        kind="freeze" if kind == "freeze" else "kill",
        nightly=not urgent_only and rng.random() < 0.3,
        down_s=round(rng.choice([0.0, 0.3, 1.0, 2.0]), 1),
        rejects=rng.random() < 0.2,
        pick=rng.randrange(10_000),
    )
