"""The control loop: runs its jobs in order, round after round. Knows no feature.

A round begins when something has changed (`wake`), when a job asked for it, and after the longest pause at the latest,
so that a change of which nobody heard is late and never lost. Everything that the jobs know is in PostgreSQL. The
process may be killed and started at any time, and two of them do no harm. What may be slow outside (webhooks, imports,
time-stamps) runs in a thread of its own and holds up no ticket.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.core import metrics
from shared.errors import LacunaError, StaleRestore

logger = logging.getLogger(__name__)
LOOP_HEARTBEAT: Final = "clerk"  # stored, and a key of LACUNA_DEADMAN_URLS
SHORTEST_PAUSE_S: Final = 0.2  # between two rounds, however much happens
LONGEST_PAUSE_S: Final = 20.0
FIRST_RETRY_S, LONGEST_RETRY_S = 0.4, 2.0  # after a round in which something failed


@dataclass(frozen=True)
class Job:
    """One unit of work. `run` is safe to repeat.

    It returns after how many seconds it has to run again although nothing changes; None where it does not matter.
    """

    name: str
    run: Callable[[], float | None]
    heartbeat: str = LOOP_HEARTBEAT  # which heartbeat its success counts for


@dataclass(frozen=True)
class Outcome:
    """How a run of one or several jobs ended, and after how many seconds the next one is due by itself."""

    succeeded: bool
    next_s: float = math.inf


class ControlLoop:
    """Runs `jobs` in order, and each of `background` in a thread of its own.

    `report` is called at the end of each round with the names of the heartbeats of what went well.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        report: Callable[[Sequence[str]], None],
        background: Sequence[Job] = (),
        longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> None:
        self._jobs, self._report, self._background = jobs, report, background
        self._longest_pause_s = longest_pause_s
        self._stopped = threading.Event()
        self._changed = threading.Event()
        self._changed_for = [threading.Event() for _ in background]

    def run(self) -> None:
        """Run until `stop` is called. The threads are daemons: they are killed without harm."""
        for job, changed in zip(self._background, self._changed_for, strict=True):
            threading.Thread(
                target=self._repeat, args=(lambda job=job: _run_alone(job), changed), name=job.name, daemon=True
            ).start()
        self._repeat(self.run_once, self._changed)

    def wake(self) -> None:
        """Something has changed: look now."""
        for changed in (self._changed, *self._changed_for):
            changed.set()

    def stop(self) -> None:
        """End after the present round."""
        self._stopped.set()
        self.wake()

    def run_once(self) -> Outcome:
        """One round. A job that fails is tried again in the next round, and the jobs after it run all the same.

        A database that is older than what was signed (StaleRestore) ends the round: nothing may be done with it.
        """
        heartbeats, outcomes = {LOOP_HEARTBEAT}, []
        for job in self._jobs:
            try:
                outcome = run_job(job)
            except StaleRestore as exc:
                logger.error("%s", exc.detail)
                return Outcome(succeeded=False)
            if outcome.succeeded:
                heartbeats.add(job.heartbeat)
            outcomes.append(outcome)
        outcomes.append(run_job(Job("heartbeats and alarms", lambda: self._report(sorted(heartbeats)))))
        return Outcome(all(each.succeeded for each in outcomes), min(each.next_s for each in outcomes))

    def _repeat(self, run: Callable[[], Outcome], changed: threading.Event) -> None:
        retry_s = FIRST_RETRY_S
        while not self._stopped.is_set():
            changed.clear()
            outcome = run()
            not_before = time.monotonic() + SHORTEST_PAUSE_S
            pause_s = min(outcome.next_s, self._longest_pause_s)
            if outcome.succeeded:
                retry_s = FIRST_RETRY_S
            else:
                pause_s = min(pause_s, retry_s)
                retry_s = min(2 * retry_s, LONGEST_RETRY_S)
            changed.wait(pause_s)
            self._stopped.wait(max(0.0, not_before - time.monotonic()))


def run_job(job: Job) -> Outcome:
    """Run a job once. Expected errors are logged; raises StaleRestore."""
    began = time.monotonic()
    outcome = None
    try:
        outcome = _outcome(job)
    finally:
        metrics.JOBS.labels(job.name, "succeeded" if outcome is not None and outcome.succeeded else "failed").inc()
        metrics.JOB_SECONDS.labels(job.name).observe(time.monotonic() - began)
    if outcome.succeeded:
        metrics.JOB_SUCCESS_TIME.labels(job.name).set_to_current_time()
    return outcome


def _outcome(job: Job) -> Outcome:
    try:
        next_s = job.run()
    except StaleRestore:
        raise
    except LacunaError as exc:
        logger.warning("%s: %s", job.name, exc.detail)
        return Outcome(succeeded=False)
    except OSError as exc:
        logger.warning("%s: a connection failed (%s)", job.name, type(exc).__name__)
        return Outcome(succeeded=False)
    return Outcome(succeeded=True, next_s=math.inf if next_s is None else next_s)


def _run_alone(job: Job) -> Outcome:
    try:
        return run_job(job)
    except StaleRestore as exc:
        logger.error("%s: %s", job.name, exc.detail)
        return Outcome(succeeded=False)
