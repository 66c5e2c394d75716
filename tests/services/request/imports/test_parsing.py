"""Files as other tools and spreadsheets write them: every row is read, or its problem is named."""

from datetime import UTC, datetime

import pytest

from services.request.imports.parsing import Row, count_rows, decode_text, parse_rows
from services.request.tickets.schemas import TicketCreate
from shared.errors import BadInput

GERMAN = (
    "Names;Fact.Employer;URGENT;Received_At;Language;;\r\nJürgen Groß;Müller & Söhne;WAHR;01.10.2026 09:30;de|en;;\r\n"
)


def rows_of(text: str, zone: str = "UTC") -> list[Row]:
    rows = list(parse_rows(text, "csv", zone))
    assert len(rows) == count_rows(text, "csv")
    return rows


def only(text: str, zone: str = "UTC") -> TicketCreate:
    (row,) = rows_of(text, zone)
    assert row.body is not None, row.problem
    return row.body


def test_backlog_keeps_its_deadlines() -> None:
    text = (
        "names,fact.city,received_at,regime,calendar,zone,language,external_ref\n"
        "Mara Lindqvist,Ulm,2026-10-01T09:30:00+02:00,UK_GDPR,gb-eng,Europe/London,en,case-1\n"
    )
    body = only(text)
    assert body.received_at == datetime(2026, 10, 1, 7, 30, tzinfo=UTC)
    assert (body.regime, body.calendar, body.zone, body.languages) == ("uk_gdpr", "GB-ENG", "Europe/London", ["en"])


@pytest.mark.parametrize(
    ("written", "zone", "moment"),
    [
        ("2026-10-01", "UTC", datetime(2026, 10, 1, tzinfo=UTC)),
        ("2026-10-01", "Europe/Berlin", datetime(2026, 9, 30, 22, tzinfo=UTC)),
        ("01.10.2026", "Europe/Berlin", datetime(2026, 9, 30, 22, tzinfo=UTC)),
        ("1.10.2026 09:30", "Europe/Berlin", datetime(2026, 10, 1, 7, 30, tzinfo=UTC)),
        ("2026-10-01 09:30:00", "UTC", datetime(2026, 10, 1, 9, 30, tzinfo=UTC)),
        ("2026-10-01T09:30:00Z", "Europe/Berlin", datetime(2026, 10, 1, 9, 30, tzinfo=UTC)),
    ],
)
def test_receipt_is_read_in_the_zone_of_its_row(written: str, zone: str, moment: datetime) -> None:
    assert only(f"names,fact.a,received_at\nMara,b,{written}\n", zone).received_at == moment
    assert only(f"names,fact.a,received_at,zone\nMara,b,{written},{zone}\n").received_at == moment


@pytest.mark.parametrize("written", ["10/01/2026", "yesterday", "32.10.2026", "2026-13-01", "01.10.26"])
def test_receipt_that_may_be_read_in_two_ways_is_refused_by_name(written: str) -> None:
    (row,) = rows_of(f"names,fact.a,received_at\nMara,b,{written}\n")
    assert row.problem is not None
    assert row.problem.startswith("received_at: has to be")
    assert written not in row.problem


def test_zone_that_is_not_known_is_a_problem_of_its_row() -> None:
    rows = rows_of("names,fact.a,received_at,zone\nMara,b,2026-10-01,Mars/Base\nAda,b,2026-10-01,\n")
    assert [row.problem is None for row in rows] == [False, True]


def test_file_of_a_german_spreadsheet_is_read() -> None:
    """Semicolons, capitals in the header, columns without a name at the end, its words for yes, its dates."""
    body = only(GERMAN, "Europe/Berlin")
    assert (body.names, body.facts[0].attribute, body.facts[0].value) == (["Jürgen Groß"], "Employer", "Müller & Söhne")
    assert (body.urgent, body.languages) == (True, ["de", "en"])
    assert body.received_at == datetime(2026, 10, 1, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_separators_are_recognised(encoding: str, delimiter: str) -> None:
    text = "names,fact.city,urgent\r\nŁukasz Żak,Kraków,yes\r\n".replace(",", delimiter)
    body = only(decode_text(text.encode(encoding)))
    assert (body.names, body.urgent) == (["Łukasz Żak"], True)


def test_separator_line_of_a_spreadsheet_is_taken_at_its_word() -> None:
    assert only("sep=;\r\nnames;fact.a\r\nMara;b,c\r\n").facts[0].value == "b,c"


@pytest.mark.parametrize("value", ["+46 8 123 45 67", "@mara_l", "-3", "=1+1", "'+46 8 123 45 67"])
def test_what_a_spreadsheet_would_run_is_a_fact(value: str) -> None:
    assert only(f'names,fact.contact\nMara,"{value}"\n').facts[0].value == value.removeprefix("'")


def test_one_bad_row_fails_no_file() -> None:
    bad = [
        "Mara\0,b",
        "Mara\x1b[31m,b",
        'Ma"r"a,"b"x',
        "Mara,b,c",
        "Mara",
        "Mara," + "," * 3000,
        "Mara," + "x" * 2000,
        ",",
        "|,b",
    ]
    rows = rows_of("names,fact.a\n" + "".join(f"{line}\nAda Quill,b\n" for line in bad))
    assert len(rows) == 2 * len(bad)
    assert [row.problem is None for row in rows] == [False, True] * len(bad), rows


@pytest.mark.parametrize(
    "line", ['{"names": ["Mara\\u0000"], "facts": []}', '{"names": [' + "[]," * 30_000 + "[]]}", "[", ""]
)
def test_one_bad_line_of_json_fails_no_file(line: str) -> None:
    good = '{"names": ["Ada"], "facts": [{"attribute": "a", "value": "b"}]}'
    rows = list(parse_rows(f"{good}\n{line}\n{good}\n", "ndjson"))
    assert [row.problem is None for row in rows] == ([True, False, True] if line else [True, True])


def test_quotation_mark_that_is_never_closed_refuses_the_file_and_names_its_line() -> None:
    """Nobody can say how many rows it swallows, so that none is filed."""
    with pytest.raises(BadInput, match="line 3 is never closed"):
        count_rows('names,fact.a\nMara,b\n"Ada,b\nTom,b\n', "csv")


def test_empty_cells_at_the_end_of_a_row_are_no_more_cells() -> None:
    assert only("names,fact.a\nMara,b,,,\n").names == ["Mara"]
