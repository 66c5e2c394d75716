"""The control loop: the order of its jobs, and what the failure of one does to the others."""

import logging
import threading
from collections.abc import Callable

import pytest

from services.request.worker.loop import ControlLoop, Job
from shared.errors import StaleRestore, Unavailable


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


def _until(stopped: threading.Event, times: int, then: Callable[[], None]) -> Callable[[], None]:
    """A job that calls `then` the first time, and stops the loop after so many runs."""
    count = 0

    def run() -> None:
        nonlocal count
        count += 1
        if count >= times:
            stopped.set()
        if count == 1:
            then()

    return run


def test_job_in_the_background_runs_again_after_it_failed() -> None:
    def fail() -> None:
        raise Unavailable("The receiver cannot be reached.")

    stopped = threading.Event()
    slow = Job("slow", _until(stopped, 2, fail), pause_s=0.01)
    ControlLoop([], lambda _: None, [slow]).run_until(stopped)
    assert stopped.is_set()
