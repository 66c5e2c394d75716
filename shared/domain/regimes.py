"""The laws' periods as data: one table. Knows no dates; `deadline.py` counts.

Sources: GDPR Art. 12(3), (6) with Regulation 1182/71 and EDPB Guidelines 01/2022 (time limits); UK GDPR Art. 12 with
the ICO's guidance; CCPA, Cal. Civ. Code 1798.130(a)(2) with 11 CCR 7021 (calendar days, verified or not) and 7101.
"""

from dataclasses import dataclass
from typing import Final, Literal

from shared.errors import BadInput

RegimeName = Literal["gdpr", "uk_gdpr", "ccpa"]


@dataclass(frozen=True)
class Regime:
    """Periods run from receipt. An extension is counted from receipt too: `months + more_months`."""

    name: RegimeName
    law: str
    months: int = 0
    days: int = 0
    more_months: int = 0
    more_days: int = 0
    pausable: bool = False  # identity doubts stop the clock
    rolls: bool = False  # a last day that is no working day becomes the next working day
    acknowledge_business_days: int | None = None
    keep_months: int = 0  # how long the record of the request has to be kept
    target_share: float = 0.6  # of the period: ours, no law's


REGIMES: Final[dict[str, Regime]] = {
    one.name: one
    for one in (
        Regime("gdpr", "GDPR, Articles 12 and 17", months=1, more_months=2, pausable=True, rolls=True),
        Regime("uk_gdpr", "UK GDPR, Articles 12 and 17", months=1, more_months=2, pausable=True, rolls=True),
        Regime(
            "ccpa", "CCPA, section 1798.105", days=45, more_days=45, acknowledge_business_days=10, keep_months=24
        ),
    )
}  # fmt: skip


def regime(name: str) -> Regime:
    """The regime; raises BadInput, naming those there are."""
    try:
        return REGIMES[name]
    except KeyError as exc:
        raise BadInput(f"There is no regime {name}; there are {', '.join(REGIMES)}.") from exc
