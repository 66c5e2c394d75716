"""The control loop: runs its jobs in order, round after round. Knows no feature.

Everything that the jobs know is in PostgreSQL. The process may be killed and started at any time, and two of them do
no harm. What may be slow outside (webhooks, imports, time-stamps) runs in a thread of its own and holds up no ticket.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.errors import LacunaError, StaleRestore

logger = logging.getLogger(__name__)
PAUSE_S = 0.4
LOOP_HEARTBEAT = "clerk"  # stored, and a key of LACUNA_DEADMAN_URLS


@dataclass(frozen=True)
class Job:
    """One unit of work. `run` is safe to repeat."""

    name: str
    run: Callable[[], object]
    heartbeat: str = LOOP_HEARTBEAT  # which heartbeat its success counts for
    pause_s: float = PAUSE_S  # between two runs, where it has a thread of its own


@dataclass(frozen=True)
class ControlLoop:
    """Runs `jobs` in order, and each of `background` in a thread of its own.

    `report` is called at the end of each round with the names of the heartbeats of what went well.
    """

    jobs: Sequence[Job]
    report: Callable[[Sequence[str]], None]
    background: Sequence[Job] = ()

    def run_until(self, stopped: threading.Event) -> None:
        """Run until `stopped` is set. The threads are daemons: they are killed without harm."""
        for job in self.background:
            threading.Thread(target=_repeat, args=(job, stopped), name=job.name, daemon=True).start()
        while not stopped.is_set():
            self.run_once()
            stopped.wait(PAUSE_S)

    def run_once(self) -> None:
        """One round. A job that fails is tried again in the next round, and the jobs after it run all the same.

        A database that is older than what was signed (StaleRestore) ends the round: nothing may be done with it.
        """
        succeeded = {LOOP_HEARTBEAT}
        for job in self.jobs:
            try:
                if run_job(job):
                    succeeded.add(job.heartbeat)
            except StaleRestore as exc:
                logger.error("%s", exc.detail)
                return
        run_job(Job("heartbeats and alarms", lambda: self.report(sorted(succeeded))))


def run_job(job: Job) -> bool:
    """Run a job once; whether it went well. Raises StaleRestore; other expected errors are logged."""
    try:
        job.run()
    except StaleRestore:
        raise
    except LacunaError as exc:
        logger.warning("%s: %s", job.name, exc.detail)
        return False
    except OSError as exc:
        logger.warning("%s: a connection failed (%s)", job.name, type(exc).__name__)
        return False
    return True


def _repeat(job: Job, stopped: threading.Event) -> None:
    while not stopped.wait(job.pause_s):
        try:
            run_job(job)
        except StaleRestore as exc:
            logger.error("%s: %s", job.name, exc.detail)
