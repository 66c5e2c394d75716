"""Nothing that a service says reaches the terminal as markup or as a control character."""

import io
import json
from typing import Any

import pytest

from services.cli.render import tables
from services.cli.render.console import PlainConsole, bold, styled
from services.cli.render.tickets import print_ticket, print_tickets

HOSTILE = "[/x][bold red]a[/] :smile: \x1b]0;title\x07\x1b[31m \x9b31m \u202edesrever"
TICKET = {
    "id": "T-1", "state": "under_review", "review_reason": HOSTILE, "names": 1, "facts": 1, "photos": 1,
    "submitted_by": HOSTILE, "source": HOSTILE, "external_ref": HOSTILE, "languages": ["en"],
    "duplicate_of": HOSTILE, "identity": "assumed", "ground": "objection",
    "assigned_to": HOSTILE, "decided_by": HOSTILE, "decision_code": "no_match", "decision_note": HOSTILE,
    "scope": [HOSTILE], "related": [{"ticket": HOSTILE, "name": "same", "facts": 0, "photos": 0}],
    "leaks": [{"questions": "attacks", "by": HOSTILE, "fact": None, "asked": 2, "told": 1},
              {"questions": "test", "by": "name", "fact": 2, "asked": 9, "told": 3}],
    "hold": {"set_by": HOSTILE, "reason": HOSTILE, "release_asked_by": HOSTILE},
    "due": {"state": "running", "due": "2026-12-01", "law": "GDPR", "calendar": "", "target": "", "latest": "",
            "used_percent": 1.0},
    "events": [{"at": "2026-12-01", "state": "received", "kind": "state", "actor": HOSTILE, "note": HOSTILE}],
}  # fmt: skip
LISTED = TICKET | {"clock": "running", "due_at": None, "escalation": 0, "urgent": False, "submitted_at": HOSTILE}


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is printed to a terminal with colours."""
    file = io.StringIO()
    console = PlainConsole()
    console.file, console._force_terminal, console.width = file, True, 400
    for module in ("tables", "tickets"):
        monkeypatch.setattr(f"services.cli.render.{module}.console", console)
    return file


def check(text: str) -> None:
    assert "[/x][bold red]a[/] :smile:" in text
    assert "\x1b]" not in text
    assert "\x1b[31m" not in text
    assert not {"\x07", "\x9b", "\u202e"} & set(text)
    assert "\\x1b]0;title\\x07" in text


def test_ticket_with_markup_and_control_characters_is_printed_as_text(printed: io.StringIO) -> None:
    print_ticket(TICKET)
    check(printed.getvalue())


def test_list_of_tickets_is_printed_as_text(printed: io.StringIO) -> None:
    print_tickets({"items": [LISTED]})
    check(printed.getvalue())


@pytest.mark.parametrize("render", [str, bold, lambda text: styled(text, "dim"), lambda text: [text]])
def test_every_way_to_print_keeps_text_as_it_is(printed: io.StringIO, render: Any) -> None:
    tables.console.print(render(HOSTILE))
    tables.print_sentence(HOSTILE)
    tables.print_table([HOSTILE], [[render(HOSTILE)]])
    check(printed.getvalue())


def test_json_says_the_same_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_json({"note": HOSTILE})
    text = capsys.readouterr().out
    assert json.loads(text) == {"note": HOSTILE}
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)
