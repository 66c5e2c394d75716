"""A public holiday that a release brings moves the deadlines that end on it, and the history says so."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from services.request.tickets.calendars import CalendarJob
from shared.domain import deadlines
from shared.errors import BadInput
from tests.services.request.tickets.test_case_work import filed
from tests.support.api import People


@pytest.fixture
def new_holiday(monkeypatch: pytest.MonkeyPatch) -> Callable[[date], None]:
    """A function that makes a day a holiday everywhere."""
    known = deadlines._holidays

    def add(day: date) -> None:
        monkeypatch.setattr(deadlines, "_holidays", lambda code, year: known(code, year) | {day})

    return add


def shown(people: People, ticket: str) -> Any:
    return people["olivia"].get(f"/v1/tickets/{ticket}").json()


def test_deadline_on_a_new_holiday_moves(
    people: People, ticket_body: dict[str, Any], new_holiday: Callable[[date], None]
) -> None:
    ticket = filed(people, ticket_body, calendar="DE-BE")
    over = filed(people, ticket_body, calendar="DE-BE", names=["Ida Borg"])
    people["olivia"].post(f"/v1/tickets/{over}/reject", {"code": "no_match", "note": "-"})
    CalendarJob(people.context).run()
    before = shown(people, ticket)
    assert before["events"][-1]["kind"] == "state"
    closed = shown(people, over)
    new_holiday(date.fromisoformat(before["due"]["due"]))
    job = CalendarJob(people.context)
    job.run()
    job.run()
    after = shown(people, ticket)
    assert job.moved == 1
    assert after["due"]["due"] > before["due"]["due"]
    [event] = [event for event in after["events"] if event["kind"] == "clock.recounted"]
    assert before["due"]["due"] in event["note"]
    assert after["due"]["due"] in event["note"]
    assert shown(people, over)["version"] == closed["version"]


def test_calendar_that_is_gone_stops_nobody_elses(
    people: People, ticket_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A release may rename a region: its deadlines stay as they were counted, and the others are looked at."""
    ticket = filed(people, ticket_body, calendar="DE-BE")
    before = shown(people, ticket)

    def gone(code: str, year: int) -> frozenset[date]:
        raise BadInput(f"There is no calendar of public holidays for {code}.")

    monkeypatch.setattr(deadlines, "_holidays", gone)
    CalendarJob(people.context).run()
    assert "cannot be counted again" in caplog.text
    monkeypatch.undo()
    assert shown(people, ticket) == before
