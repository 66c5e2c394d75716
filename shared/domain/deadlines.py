"""The statutory clock of a ticket: a pure function from the events of the clock to what is due.

Regulation 1182/71, Article 3: a month ends on the same date (the last day of the month where there is none), and a last
day that is a weekend or a public holiday moves to the next working day. Days are those of the recorded time zone. A
pause prolongs the period by the calendar days between its two dates, so a pause within one day gives nothing: we count
early rather than late. The time that a reply takes to arrive is not considered.
"""

import calendar as months_of
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

from shared.domain.regimes import Regime
from shared.errors import BadInput

ClockEventKind = Literal["received", "paused", "resumed", "extended", "stopped"]
ClockState = Literal["running", "paused", "stopped", "overdue"]
ESCALATION_PERCENTS: Final = (50, 75, 90, 100)  # per cent of the statutory time at which an escalation is sent


@dataclass(frozen=True)
class ClockEvent:
    """An event of the clock."""

    kind: ClockEventKind
    at: datetime


@dataclass(frozen=True)
class Calendar:
    """Working days of a place.

    `code` is the country of the public holidays, or country and part (`DE`, `DE-BY`, `US-CA`); empty for weekends only.
    """

    code: str = ""
    zone: str = "UTC"

    def date_at(self, at: datetime) -> date:
        """The date at that moment, in the zone of the calendar."""
        return at.astimezone(_zone(self.zone)).date()

    def end_of(self, day: date) -> datetime:
        """The last second of the day in the zone of the calendar, as UTC."""
        return datetime.combine(day, time(23, 59, 59), _zone(self.zone)).astimezone(UTC)

    def is_working_day(self, day: date) -> bool:
        """Whether `day` is a working day."""
        return day.weekday() < 5 and (not self.code or day not in _holidays(self.code, day.year))

    def next_working_day(self, day: date) -> date:
        """`day` itself where it is a working day, or the next one."""
        while not self.is_working_day(day):
            day = _plus_days(day, 1)
        return day


@dataclass(frozen=True)
class Clock:
    """What is due. Dates are days in the zone of the calendar, the last day included; `due_at` is its last second."""

    state: ClockState
    due: date
    due_at: datetime
    target: date
    latest: date  # the last day that the law could still allow, were the extension taken
    acknowledge_by: date | None
    extended: bool
    extendable: bool
    paused_days: int
    used: float  # share of the statutory time, above 1 when overdue
    in_time: bool | None  # None until the clock stops


def compute_clock(regime: Regime, calendar: Calendar, events: Sequence[ClockEvent], now: datetime) -> Clock:
    """The clock at `now`. `events` are in the order in which they were recorded and begin with `received`.

    An event whose time lies before the previous one counts as happening at the time of the previous one. Raises
    BadInput where a date lies beyond the year 9999, or where the first event is another one.
    """
    if not events or events[0].kind != "received":
        raise BadInput("A clock begins with the receipt of the request.")
    start = calendar.date_at(events[0].at)
    seen, paused_since, paused_days = events[0].at, None, 0
    extended, stopped = False, None
    for event in events[1:]:
        seen = max(seen, event.at)
        today = calendar.date_at(seen)
        if event.kind == "paused" and regime.pausable and paused_since is None:
            paused_since = today
        elif event.kind in ("resumed", "stopped") and paused_since is not None:
            paused_days += (today - paused_since).days
            paused_since = None
        if event.kind == "extended":
            first_day = _due(regime, calendar, start, paused_days + _days_since(paused_since, today), extended=False)
            extended = extended or today <= first_day
        if event.kind == "stopped":
            stopped = seen
            break
    now = stopped or max(now, seen)
    today = calendar.date_at(now)
    paused_days += _days_since(paused_since, today)
    first = _due(regime, calendar, start, paused_days, extended=False)
    last = _due(regime, calendar, start, paused_days, extended=True)
    due = last if extended else first
    due_at = calendar.end_of(due)
    extendable = not extended and stopped is None and today <= first
    length = (due_at - events[0].at).total_seconds() - 86400 * paused_days
    spent = (now - events[0].at).total_seconds() - 86400 * paused_days
    return Clock(
        state="stopped" if stopped else "paused" if paused_since else "overdue" if now > due_at else "running",
        due=due,
        due_at=due_at,
        target=_plus_days(start, int(regime.target_share * (due - start).days)),
        latest=last if extended or extendable else due,
        acknowledge_by=_business_days(calendar, start, regime.acknowledge_business_days),
        extended=extended,
        extendable=extendable,
        paused_days=paused_days,
        used=max(0.0, spent / length),
        in_time=now <= due_at if stopped else None,
    )


def escalation_time(clock: Clock, received: datetime, percent: int) -> datetime:
    """When `percent` of the statutory time will be used, if no further pause comes."""
    pause = timedelta(days=clock.paused_days)
    return received + pause + (clock.due_at - received - pause) * (percent / 100)


def plus_months(day: date, months: int) -> date:
    """The same date so many months later, or the last day of that month. Raises BadInput beyond the year 9999."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > date.max.year:
        raise BadInput("That date lies beyond the year 9999.")
    return date(year, month + 1, min(day.day, months_of.monthrange(year, month + 1)[1]))


def check_calendar(calendar: Calendar) -> Calendar:
    """Returns `calendar`. Raises BadInput where its zone or its public holidays are not known."""
    _zone(calendar.zone)
    if calendar.code:
        _holidays(calendar.code, 2026)
    return calendar


def _due(regime: Regime, calendar: Calendar, start: date, paused_days: int, *, extended: bool) -> date:
    end = plus_months(start, regime.months + (regime.extension_months if extended else 0))
    end = _plus_days(end, regime.days + (regime.extension_days if extended else 0) + paused_days)
    return calendar.next_working_day(end) if regime.rolls_to_working_day else end


def _days_since(day: date | None, today: date) -> int:
    return (today - day).days if day else 0


def _business_days(calendar: Calendar, start: date, number: int | None) -> date | None:
    if number is None:
        return None
    for _ in range(number):
        start = calendar.next_working_day(_plus_days(start, 1))
    return start


def _plus_days(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError as exc:
        raise BadInput("That date lies beyond the year 9999.") from exc


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise BadInput(f"There is no time zone {name}.") from exc


@lru_cache(maxsize=256)
def _holidays(code: str, year: int) -> frozenset[date]:
    country, _, part = code.partition("-")
    try:
        return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))
    except NotImplementedError as exc:
        raise BadInput(f"There is no calendar of public holidays for {code}.") from exc
