"""The control loop: the order of its jobs, and what the failure of one does to the others."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from services.request.worker.loop import ControlLoop, Job, Outcome
from shared.errors import StaleRestore, Unavailable

WAIT_S: Final = 30.0  # longer than anything takes that happens at all
NEVER_S: Final = 3600.0


class Recorder:
    """Jobs that note that they ran, and the heartbeats that were reported."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.reported: list[list[str]] = []

    def job(self, name: str, heartbeat: str = "clerk", error: Exception | None = None) -> Job:
        def run() -> None:
            self.ran.append(name)
            if error is not None:
                raise error

        return Job(name, run, heartbeat)

    def loop(self, *jobs: Job) -> ControlLoop:
        return ControlLoop(jobs, lambda heartbeats: self.reported.append(list(heartbeats)))


@pytest.mark.parametrize("error", [Unavailable("The database cannot be reached."), ConnectionResetError()])
def test_job_that_fails_holds_up_no_other_and_loses_its_heartbeat(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    recorder.loop(
        recorder.job("first"), recorder.job("second", "relay", error), recorder.job("third", "sequencer")
    ).run_once()
    assert recorder.ran == ["first", "second", "third"]
    assert recorder.reported == [["clerk", "sequencer"]]
    assert any(record.message.startswith("second: ") for record in caplog.records)


def test_stale_restore_ends_the_round_without_a_heartbeat(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    stale = StaleRestore("The database is older than its mark.")
    recorder.loop(recorder.job("mark", error=stale), recorder.job("promotion")).run_once()
    assert recorder.ran == ["mark"]
    assert recorder.reported == []
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_report_that_fails_ends_no_round(caplog: pytest.LogCaptureFixture) -> None:
    def report(_: object) -> None:
        raise Unavailable("The database cannot be reached.")

    ControlLoop([], report).run_once()
    assert "The database cannot be reached." in caplog.text


def test_round_is_due_when_the_most_impatient_job_says() -> None:
    jobs = [Job("first", lambda: None), Job("second", lambda: 3.0), Job("third", lambda: 7.0)]
    assert ControlLoop(jobs, lambda _: None).run_once() == Outcome(succeeded=True, next_s=3.0)


class Running:
    """A control loop in a thread, and how often its job ran."""

    def __init__(self, loop: ControlLoop, ran: threading.Semaphore) -> None:
        self.loop, self._ran = loop, ran
        self._thread = threading.Thread(target=loop.run)
        self._thread.start()

    def ran_again(self, within_s: float = WAIT_S) -> bool:
        """Whether the job runs once more; does not wait where it has."""
        return self._ran.acquire(timeout=within_s)

    def stop(self) -> None:
        """End the loop."""
        self.loop.stop()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()


StartLoop = Callable[..., Running]


@pytest.fixture(params=["round", "background"])
def start_loop(request: pytest.FixtureRequest) -> Iterator[StartLoop]:
    """Start a loop with one job, in the round or in a thread of its own. `run` is what the job does."""
    loops: list[Running] = []

    def start(run: Callable[[], float | None] = lambda: None, longest_pause_s: float = NEVER_S) -> Running:
        ran = threading.Semaphore(0)

        def run_and_count() -> float | None:
            ran.release()
            return run()

        job = Job("the job", run_and_count)
        inside, beside = ([job], []) if request.param == "round" else ([], [job])
        loops.append(Running(ControlLoop(inside, lambda _: None, beside, longest_pause_s), ran))
        return loops[-1]

    yield start
    for loop in loops:
        loop.stop()


def test_job_runs_at_once_when_the_loop_is_woken(start_loop: StartLoop) -> None:
    running = start_loop()
    assert running.ran_again()
    running.loop.wake()
    assert running.ran_again()


def test_job_runs_after_the_longest_pause_although_nothing_wakes_the_loop(start_loop: StartLoop) -> None:
    running = start_loop(longest_pause_s=0.05)
    assert all(running.ran_again() for _ in range(3))


def test_job_runs_when_it_asked_to_although_nothing_wakes_the_loop(start_loop: StartLoop) -> None:
    running = start_loop(lambda: 0.05)
    assert all(running.ran_again() for _ in range(3))


def test_job_that_failed_runs_again_although_nothing_wakes_the_loop(start_loop: StartLoop) -> None:
    def fail() -> None:
        raise Unavailable("The receiver cannot be reached.")

    running = start_loop(fail)
    assert all(running.ran_again() for _ in range(3))


def test_job_does_not_run_while_nothing_happens(start_loop: StartLoop) -> None:
    running = start_loop()
    assert running.ran_again()
    assert not running.ran_again(within_s=0.5)
