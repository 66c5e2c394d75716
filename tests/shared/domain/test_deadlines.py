"""The deadline clock: examples from the regulation, and properties that hold for every date (hypothesis)."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from shared.domain.deadlines import (
    ESCALATION_PERCENTS,
    Calendar,
    Clock,
    ClockEvent,
    ClockEventKind,
    compute_clock,
    escalation_time,
    plus_months,
)
from shared.domain.regimes import REGIMES, regime
from shared.errors import BadInput

GDPR, CCPA = REGIMES["gdpr"], REGIMES["ccpa"]
GERMANY = Calendar("DE", "Europe/Berlin")
CALENDARS = some.sampled_from(
    [Calendar(), GERMANY, Calendar("GB-ENG", "Europe/London"), Calendar("US-CA", "America/Los_Angeles")]
)
MOMENTS = some.datetimes(datetime(2015, 1, 1), datetime(2060, 1, 1), timezones=some.just(UTC))
REGIME = some.sampled_from(list(REGIMES.values()))
PACE = settings(max_examples=100, deadline=None)


def at(year: int, month: int, day: int, hour: int = 9) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def clock(*events: tuple[ClockEventKind, datetime], calendar: Calendar = GERMANY, now: datetime | None = None) -> Clock:
    clock_events = [ClockEvent(kind, moment) for kind, moment in events]
    return compute_clock(GDPR, calendar, clock_events, now or clock_events[-1].at)


@pytest.mark.parametrize(
    ("received", "due", "latest"),
    [
        (at(2026, 3, 5), date(2026, 4, 7), date(2026, 6, 5)),  # 5 April is Easter Sunday, the 6th Easter Monday
        (at(2026, 1, 31), date(2026, 3, 2), date(2026, 4, 30)),  # 28 February is a Saturday
        (at(2028, 1, 31), date(2028, 2, 29), date(2028, 5, 2)),  # a leap year; 30 April Sunday, 1 May a holiday
        (at(2028, 2, 29), date(2028, 3, 29), date(2028, 5, 29)),
        (at(2026, 11, 25), date(2026, 12, 28), date(2027, 2, 25)),  # Christmas is a Friday
        (at(2026, 8, 31), date(2026, 9, 30), date(2026, 11, 30)),
    ],
)
def test_month_ends_on_the_same_date_or_the_next_working_day(received: datetime, due: date, latest: date) -> None:
    result = clock(("received", received))
    assert (result.due, result.latest, result.state) == (due, latest, "running")


def test_late_evening_in_utc_counts_as_the_next_day_in_berlin() -> None:
    """Half past eleven in the evening, UTC, is the next day in Berlin."""
    assert clock(("received", datetime(2026, 6, 9, 23, 30, tzinfo=UTC))).due == date(2026, 7, 10)
    assert clock(("received", at(2026, 6, 9))).due_at == datetime(2026, 7, 9, 21, 59, 59, tzinfo=UTC)


def test_ccpa_acknowledges_in_ten_business_days_and_does_not_pause_or_roll() -> None:
    events = [ClockEvent("received", at(2026, 11, 20, 20)), ClockEvent("paused", at(2026, 11, 21))]
    result = compute_clock(CCPA, Calendar("US-CA", "America/Los_Angeles"), events, at(2026, 12, 20))
    # 26 and 27 November are holidays in California.
    assert (result.acknowledge_by, result.due, result.latest) == (
        date(2026, 12, 8),
        date(2027, 1, 4),
        date(2027, 2, 18),
    )
    assert (result.state, result.paused_days) == ("running", 0)


def test_paused_clock_moves_the_due_date_and_stops_the_used_share() -> None:
    paused = clock(("received", at(2026, 6, 1)), ("paused", at(2026, 6, 11)), now=at(2026, 9, 1))
    later = clock(("received", at(2026, 6, 1)), ("paused", at(2026, 6, 11)), now=at(2026, 10, 1))
    assert (paused.state, later.state) == ("paused", "paused")
    assert abs(paused.used - later.used) < 0.05
    resumed = clock(("received", at(2026, 6, 1)), ("paused", at(2026, 6, 11)), ("resumed", at(2026, 6, 21)))
    assert (resumed.due, resumed.paused_days) == (date(2026, 7, 13), 10)  # 11 July is a Saturday


def test_extension_after_the_first_period_is_ignored() -> None:
    inside = clock(("received", at(2026, 6, 1)), ("extended", at(2026, 7, 1)))
    late = clock(("received", at(2026, 6, 1)), ("extended", at(2026, 7, 2)))
    assert (inside.extended, inside.due, inside.extendable) == (True, date(2026, 9, 1), False)
    assert (late.extended, late.due, late.state) == (False, date(2026, 7, 1), "overdue")


def test_stopped_clock_reports_whether_it_was_in_time() -> None:
    assert clock(("received", at(2026, 6, 1)), ("stopped", at(2026, 7, 1, 20)), now=at(2027, 1, 1)).in_time
    assert clock(("received", at(2026, 6, 1)), ("stopped", at(2026, 7, 2)), now=at(2027, 1, 1)).in_time is False


def test_resume_before_the_pause_adds_no_paused_days() -> None:
    result = clock(("received", at(2026, 6, 10)), ("paused", at(2026, 6, 20)), ("resumed", at(2026, 6, 1)))
    assert (result.paused_days, result.due) == (0, date(2026, 7, 10))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: compute_clock(GDPR, Calendar(), [], at(2026, 1, 1)),
        lambda: clock(("received", datetime(9999, 12, 15, tzinfo=UTC))),
        lambda: clock(("received", at(2026, 1, 1)), calendar=Calendar("XX")),
        lambda: clock(("received", at(2026, 1, 1)), calendar=Calendar("", "Mars/Olympus")),
        lambda: regime("hammurabi"),
    ],
)
def test_uncountable_clock_input_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(BadInput):
        wrong()


@PACE
@given(day=some.dates(date(1990, 1, 1), date(2200, 1, 1)), months=some.integers(0, 36))
def test_months_keep_the_date_or_take_the_last(day: date, months: int) -> None:
    later = plus_months(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


@PACE
@given(received=MOMENTS, later=some.integers(0, 400), law=REGIME, calendar=CALENDARS)
def test_later_received_is_never_due_earlier(received: datetime, later: int, law, calendar: Calendar) -> None:  # type: ignore[no-untyped-def]
    second = received + timedelta(days=later)
    clocks = [compute_clock(law, calendar, [ClockEvent("received", start)], start) for start in (received, second)]
    assert clocks[0].due <= clocks[1].due
    for result, start in zip(clocks, (received, second), strict=True):
        assert result.due >= calendar.date_at(start) + timedelta(days=28)
        assert calendar.date_at(start) <= result.target <= result.due <= result.latest
        assert not law.rolls_to_working_day or calendar.is_working_day(result.due)
        assert start < result.due_at


@PACE
@given(received=MOMENTS, before=some.integers(0, 27), length=some.integers(0, 200), law=REGIME, calendar=CALENDARS)
def test_pauses_and_extensions_never_bring_it_forward(  # type: ignore[no-untyped-def]
    received: datetime, before: int, length: int, law, calendar: Calendar
) -> None:
    paused = received + timedelta(days=before)
    resumed = paused + timedelta(days=length)
    plain = [ClockEvent("received", received)]
    stopped = [*plain, ClockEvent("paused", paused), ClockEvent("resumed", resumed)]
    unpaused, delayed = compute_clock(law, calendar, plain, received), compute_clock(law, calendar, stopped, resumed)
    assert delayed.due >= unpaused.due
    days = (calendar.date_at(resumed) - calendar.date_at(paused)).days
    assert delayed.paused_days == (days if law.pausable else 0)
    assert delayed.due <= unpaused.due + timedelta(days=delayed.paused_days + 7)
    longer = compute_clock(law, calendar, [*plain, ClockEvent("extended", paused)], paused)
    assert longer.extended
    assert longer.due == unpaused.latest > unpaused.due


@PACE
@given(received=MOMENTS, law=REGIME, calendar=CALENDARS)
def test_escalations_are_in_order_and_the_last_is_at_the_due_time(received: datetime, law, calendar: Calendar) -> None:  # type: ignore[no-untyped-def]
    events = [ClockEvent("received", received)]
    start = compute_clock(law, calendar, events, received)
    moments = [escalation_time(start, received, percent) for percent in ESCALATION_PERCENTS]
    assert moments == sorted(moments)
    assert moments[-1] == start.due_at
    for percent, moment in zip(ESCALATION_PERCENTS, moments, strict=True):
        assert abs(compute_clock(law, calendar, events, moment).used * 100 - percent) < 1e-3
    assert compute_clock(law, calendar, events, start.due_at + timedelta(seconds=1)).state == "overdue"
