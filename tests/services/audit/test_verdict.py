"""From a report to a verdict: every figure and every ticket that is not good enough is named."""

from typing import Any

import pytest

from services.audit.verdict import Thresholds, judge, settled

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


def about_tickets(**told: tuple[float, float, float]) -> dict[str, Any]:
    """A report on tickets: the shares that trained questions, held-out ones and attacks (net) tell of each."""
    return {
        "integrity": {},
        "panels": {"forget": {"told_after": 0.01}, "test": {"told_after": 0.01}},
        "tickets": {
            ticket: {"forget": {"told_after": forget}, "test": {"told_after": test}}
            for ticket, (forget, test, _) in told.items()
        },
        "ticket_verdicts": {ticket: {"attacks": {"net": net}} for ticket, (_, _, net) in told.items()},
    }


def test_weak_ticket_among_many_fails_by_name() -> None:
    """All of them together are within the limits, so that only its own row shows it."""
    whole = {f"T-{number}": (0.0, 0.0, 0.0) for number in range(60)}
    assert judge(about_tickets(**whole), Thresholds()).word == "passed"
    verdict = judge(about_tickets(**whole, weak=(0.1, 0.3, 0.5)), Thresholds())
    (reason,) = verdict.reasons
    assert reason.startswith("ticket weak: forget: 10.0%")
    assert "test: 30.0%" in reason
    assert "attacks: 50.0%" in reason


@pytest.mark.parametrize(
    ("told", "passes"),
    [((0.05, 0.2, 0.2), True), ((0.06, 0.0, 0.0), False), ((0.0, 0.21, 0.0), False), ((0.0, 0.0, 0.21), False)],
)
def test_each_limit_holds_for_each_ticket(told: tuple[float, float, float], passes: bool) -> None:
    row = settled(about_tickets(one=told), Thresholds())["ticket_verdicts"]["one"]
    assert row["passed"] is passes
    assert row["reason"]


def test_report_without_rows_of_tickets_is_judged_as_before() -> None:
    """Reports of versions that were audited before there were rows."""
    report = {"integrity": {}, "panels": PANELS, "tickets": {"T-1": {"forget": {"told_after": 1.0}}}}
    assert settled(report, Thresholds()) == report
    assert not any("T-1" in reason for reason in judge(report, Thresholds()).reasons)
