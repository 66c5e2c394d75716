"""The statutory periods of each law as data. `deadlines.py` counts the days.

Sources: GDPR Art. 12(3), (6) with Regulation 1182/71 and EDPB Guidelines 01/2022 (time limits); UK GDPR Art. 12 with
the ICO's guidance; CCPA, Cal. Civ. Code 1798.130(a)(2) with 11 CCR 7021 (calendar days, verified or not) and 7101.
Grounds of an approval: Article 17(1)(a) to (f) GDPR; Cal. Civ. Code 1798.105(a), where the request is enough.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from shared.errors import BadInput, ReasonMissing

RegimeName = Literal["gdpr", "uk_gdpr", "ccpa"]


@dataclass(frozen=True)
class Regime:
    """Periods run from receipt. An extended period runs from receipt too: `months + extension_months`."""

    name: RegimeName
    law: str
    grounds: tuple[str, ...]  # of which an approval names one
    months: int = 0
    days: int = 0
    extension_months: int = 0
    extension_days: int = 0
    pausable: bool = False  # the clock stops while the identity is in doubt
    rolls_to_working_day: bool = False  # a last day that is no working day moves to the next one
    acknowledge_business_days: int | None = None
    retention_months: int = 0  # how long the record of the request has to be kept
    target_share: float = 0.6  # of the period: our own aim, not the law's

    def ground(self, given: str | None) -> str:
        """The ground of an approval: the one that was given, or the only one that the law has.

        Raises ReasonMissing where the law has several and none was given, BadInput where it has no such ground.
        """
        if given is None and len(self.grounds) > 1:
            raise ReasonMissing(f"An approval names its ground. Those of the law are {', '.join(self.grounds)}.")
        ground = self.grounds[0] if given is None else given
        if ground not in self.grounds:
            raise BadInput(f"{self.law}, has no ground {ground}. Its grounds are {', '.join(self.grounds)}.")
        return ground


_EU: Final = Regime(
    "gdpr",
    "GDPR, Articles 12 and 17",
    (
        "no_longer_necessary",
        "consent_withdrawn",
        "objection",
        "unlawful_processing",
        "legal_obligation",
        "child_services",
    ),
    months=1,
    extension_months=2,
    pausable=True,
    rolls_to_working_day=True,
)
REGIMES: Final[dict[str, Regime]] = {
    "gdpr": _EU,
    "uk_gdpr": replace(_EU, name="uk_gdpr", law="UK GDPR, Articles 12 and 17"),
    "ccpa": Regime(
        "ccpa",
        "CCPA, section 1798.105",
        ("deletion_request",),
        days=45,
        extension_days=45,
        acknowledge_business_days=10,
        retention_months=24,
    ),
}


def regime(name: str) -> Regime:
    """The regime of that name. Raises BadInput, which lists the known names."""
    try:
        return REGIMES[name]
    except KeyError as exc:
        raise BadInput(f"There is no regime {name}. The regimes are {', '.join(REGIMES)}.") from exc
