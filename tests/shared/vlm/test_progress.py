"""The measure behind readiness is how long the engine has had work without finishing a step."""

import pytest

from shared.vlm.progress import Progress


class Clock:
    """A clock that the test moves, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    return Progress(clock)


def test_engine_without_work_is_never_stalled(progress: Progress, clock: Clock) -> None:
    clock.now = 1000.0
    assert progress.stalled_s() == 0.0


def test_work_after_a_rest_is_counted_from_its_begin(progress: Progress, clock: Clock) -> None:
    clock.now = 1000.0
    with progress.working():
        assert progress.stalled_s() == 0.0
        clock.now = 1007.0
        assert progress.stalled_s() == 7.0
    assert progress.stalled_s() == 0.0


def test_finished_step_ends_the_stall_while_more_work_waits(progress: Progress, clock: Clock) -> None:
    progress.begin()
    clock.now = 5.0
    progress.begin()
    assert progress.stalled_s() == 5.0  # a second call does not reset the clock of the first
    progress.step()
    assert progress.stalled_s() == 0.0
    progress.end()
    clock.now = 8.0
    assert progress.stalled_s() == 3.0
    progress.end()
    assert progress.stalled_s() == 0.0


def test_work_that_fails_is_no_longer_counted(progress: Progress, clock: Clock) -> None:
    with pytest.raises(RuntimeError), progress.working():
        raise RuntimeError("out of memory")
    clock.now = 60.0
    assert progress.stalled_s() == 0.0


def test_time_that_a_call_waits_for_something_else_is_not_counted(progress: Progress, clock: Clock) -> None:
    with progress.working():
        with progress.aside():
            clock.now = 1000.0
            assert progress.stalled_s() == 0.0
        assert progress.stalled_s() == 0.0
        clock.now = 1003.0
        assert progress.stalled_s() == 3.0
