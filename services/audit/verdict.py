"""From a report to passed or failed, with the reasons in sentences. Pure: the thresholds come from configuration."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Thresholds:
    """Shares of questions. The `revealed_*` shares are upper limits, the others lower limits."""

    revealed_trained: float = 0.05
    revealed_test: float = 0.20
    identical_retain: float = 0.99
    identical_held_out: float = 0.97
    identical_celebrity: float = 0.97
    identical_stranger: float = 0.98
    identical_visible: float = 0.85


@dataclass(frozen=True)
class Verdict:
    """A version passes where there is no reason against it."""

    reasons: tuple[str, ...]

    @property
    def word(self) -> Literal["passed", "failed"]:
        """How the verdict is stored."""
        return "failed" if self.reasons else "passed"


def judge(report: dict[str, Any], thresholds: Thresholds) -> Verdict:
    """Compare `report` (services/audit/suite.py) with `thresholds`; a panel that was not asked is not judged."""
    reasons = [f"integrity: {name} does not hold" for name, holds in report["integrity"].items() if not holds]
    panels = report["panels"]
    for panel, limit in (("forget", thresholds.revealed_trained), ("test", thresholds.revealed_test)):
        if panel in panels and panels[panel]["told_after"] > limit:
            share = panels[panel]["told_after"]
            reasons.append(f"{panel}: {share:.1%} of the facts are still revealed, {limit:.1%} are allowed")
    for panel, limit in (
        ("retain", thresholds.identical_retain),
        ("held_out", thresholds.identical_held_out),
        ("celebrity", thresholds.identical_celebrity),
        ("stranger", thresholds.identical_stranger),
        ("visible", thresholds.identical_visible),
    ):
        if panel in panels and panels[panel]["identical"] < limit:
            reasons.append(_changed(panel, panels[panel]["identical"], limit))
    for panel, limit in (
        ("own_in_sample", thresholds.identical_retain),
        ("own_held_out", thresholds.identical_held_out),
    ):
        if panel in panels:
            n, share = panels[panel]["n"], panels[panel]["identical"]
            allowed = max(1, int((1 - limit) * n))  # a small set cannot support the share: one answer may change
            if round((1 - share) * n) > allowed:
                reasons.append(_changed(panel, share, limit))
    return Verdict(tuple(reasons))


def _changed(panel: str, share: float, limit: float) -> str:
    return f"{panel}: {share:.1%} of the answers are unchanged, at least {limit:.1%} must be"
