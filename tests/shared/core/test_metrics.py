"""The metrics: documented, bounded in their labels, and free of anything that names somebody."""

import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from shared.core import metrics

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
# A label may take as many values as there are routes, jobs, tasks or states, and no more.
LABELS = {"method", "route", "status", "outcome", "kind", "channel", "result", "reading", "task", "state",
          "queue", "name", "current"}  # fmt: skip


def test_page_lists_every_metric() -> None:
    assert PAGE.read_text() == metrics.page(), "run python -m shared.core.metrics"


def test_every_metric_has_a_unit_a_help_text_and_known_labels() -> None:
    rows = [row for group in metrics.GROUPS for row in metrics.rows(group)]
    assert len({row.name for row in rows}) == len(rows) > 30
    for row in rows:
        assert re.fullmatch(r"lacuna_[a-z_]+", row.name)
        assert row.name.endswith("_total") == (row.kind == "counter")
        assert row.name.endswith("_seconds") or row.kind != "histogram"
        assert row.meaning.endswith(".")
        assert set(row.labels) <= LABELS, row.name


@pytest.mark.parametrize("channel", ["Mara Lindqvist", None, "", "T-XKJ7WFMA"])
def test_unknown_channel_is_counted_without_being_named(channel: str | None) -> None:
    before = metrics.FIRES.labels("other")._value.get()
    metrics.fired(channel)
    metrics.second_reading(channel)
    assert metrics.FIRES.labels("other")._value.get() == before + 1
    exposed = generate_latest(metrics.INFERENCE.registry).decode()
    assert "Mara" not in exposed
    assert "T-XKJ7WFMA" not in exposed


@pytest.mark.parametrize("channel", ["picture", "mention", "text", "answer"])
def test_known_channel_is_counted_by_itself(channel: str) -> None:
    before = metrics.FIRES.labels(channel)._value.get()
    metrics.fired(channel)
    assert metrics.FIRES.labels(channel)._value.get() == before + 1
