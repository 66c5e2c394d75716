"""The progress of a refit or an audit is written and logged, with the seconds of each stage."""

import logging
from typing import Any

import pytest

from shared.core.progress import Progress


def test_stages_and_counts_are_written_and_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.core.progress.WRITE_EVERY_S", 0.0)
    written: list[Any] = []
    progress = Progress("refit run", lambda current: written.append((current.stage, current.counts)))
    with caplog.at_level(logging.INFO):
        progress.enter("reading")
        progress.count(1, 2, "prompts")
        progress.count(2, 2, "prompts")
    assert written[0] == ("reading", None)
    assert written[-1] == ("reading", {"done": 2, "total": 2, "what": "prompts"})
    assert "reading, 2 of 2 prompts" in caplog.text
    assert set(progress.seconds()) == {"claimed", "reading"}


def test_counter_begins_with_none_and_adds_up() -> None:
    progress = Progress("audit run", lambda _: None)
    more = progress.counter(5, "questions")
    assert progress.counts == {"done": 0, "total": 5, "what": "questions"}
    more(2)
    more(3)
    assert progress.counts == {"done": 5, "total": 5, "what": "questions"}
    progress.enter("next")
    progress.counter(0, "questions")
    assert progress.counts is None
