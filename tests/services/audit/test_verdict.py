"""From a report to a verdict: every figure that is not good enough is named."""

import pytest

from services.audit.verdict import Thresholds, judge

PANELS = {
    "forget": {"told_after": 0.06, "identical": 0.0},
    "test": {"told_after": 0.19, "identical": 0.0},
    "retain": {"told_after": 1.0, "identical": 0.98},
    "stranger": {"told_after": 0.0, "identical": 0.98},
}


def test_verdict_names_every_figure_beyond_its_threshold() -> None:
    verdict = judge({"integrity": {"finite": True, "batch_equals_single": False}, "panels": PANELS}, Thresholds())
    assert verdict.word == "failed"
    assert [reason.partition(":")[0] for reason in verdict.reasons] == ["integrity", "forget", "retain"]


def test_report_within_all_thresholds_passes() -> None:
    report = {"integrity": {"finite": True}, "panels": {"test": PANELS["test"]}}
    assert judge(report, Thresholds()).word == "passed"


@pytest.mark.parametrize(("changed", "word"), [(1, "passed"), (2, "failed")])
def test_small_operator_set_may_lose_one_answer(changed: int, word: str) -> None:
    panel = {"n": 20, "identical": 1 - changed / 20}
    assert judge({"integrity": {}, "panels": {"own_held_out": panel}}, Thresholds()).word == word
