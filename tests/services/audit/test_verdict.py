"""From a report to a verdict: every figure and every ticket that is not good enough is named."""

from typing import Any

import pytest

from services.audit.verdict import Thresholds, judge, set_aside, settled

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


def whole_report(changed: dict[str, int], told: dict[str, float]) -> dict[str, Any]:
    """A report in which tickets change answers of the retain set (of 200), and reveal a share of their own facts."""
    figures = {ticket: {"forget": {"n": 30, "told_after": share, "identical": 0.0}} for ticket, share in told.items()}
    return {
        "integrity": {"finite": True},
        "panels": {
            "forget": {"n": 30 * len(told), "told_after": sum(told.values()) / len(told), "identical": 0.0},
            "retain": {"n": 200, "told_after": 1.0, "identical": 1 - sum(changed.values()) / 200},
        },
        "tickets": figures,
        "ticket_verdicts": {ticket: {"attacks": {"net": 0.0}} for ticket in told},
        "changed_by": {"retain": {ticket: count for ticket, count in changed.items() if ticket != "nobody"}},
    }


def test_ticket_that_changes_others_is_set_aside_alone() -> None:
    """Its name is an ordinary word; two others change one answer each, which is allowed."""
    report = settled(whole_report({"word": 30, "a": 1, "b": 1}, {"word": 0.0, "a": 0.0, "b": 0.0}), Thresholds())
    assert judge(report, Thresholds()).word == "failed"
    assert set_aside(report, Thresholds()) == ["word"]
    assert report["ticket_verdicts"]["word"]["reason"] == ("30 of 200 answers of the retain set change because of it")
    assert report["ticket_verdicts"]["a"]["passed"]


def test_ticket_that_still_reveals_is_set_aside_alone() -> None:
    report = whole_report({}, {"weak": 0.9, "a": 0.0, "b": 0.0})
    assert judge(report, Thresholds()).word == "failed"
    assert set_aside(report, Thresholds()) == ["weak"]


@pytest.mark.parametrize(
    "report",
    [
        whole_report({"nobody": 30, "word": 30}, {"word": 0.0, "a": 0.0}),  # half of the changes are of no ticket
        whole_report({"word": 30}, {"word": 0.0, "a": 0.0}) | {"integrity": {"finite": False}},
        whole_report({"nobody": 30}, {"a": 0.0}),
        whole_report({}, {"a": 0.0}),  # passes
    ],
)
def test_no_ticket_is_set_aside_for_what_is_not_its_fault(report: dict[str, Any]) -> None:
    assert set_aside(report, Thresholds()) == []
