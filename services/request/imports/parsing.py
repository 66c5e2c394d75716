"""Reads a file of tickets, CSV or NDJSON, and checks it row by row.

CSV columns, in any order and in capitals or not: `names` (several with |), `fact.<attribute>`, `photo` (a data URL),
`urgent`, `source`, `external_ref`, `received_at`, `regime`, `calendar`, `zone`, `languages` (or `language`; several
with |, such as de|en).
A row that is wrong has a problem, and the other rows are used; a problem never repeats what stands in the row.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import ValidationError

from services.request.api.csv import unescape_cell
from services.request.imports import dates
from services.request.tickets.schemas import TicketCreate
from shared.core.validation import summarize_validation_errors
from shared.errors import BadInput, TooLarge

Format = Literal["csv", "ndjson"]
MOST_ROWS: Final = 100_000
MOST_CELL: Final = 16 * 1024 * 1024  # characters: a photograph as a data URL
MOST_SEPARATORS: Final = 2000  # in one line of a CSV file; a ticket has a hundred facts at most
MOST_LINES: Final = 10_000  # of one record, whose cells may have line breaks
MOST_MEMBERS: Final = 20_000  # of the JSON in one line
TRUE: Final = ("1", "true", "yes", "y", "x", "wahr", "ja")  # as spreadsheets in English and German write it
FALSE: Final = ("", "0", "false", "no", "n", "falsch", "nein")
COLUMNS: Final = (
    "names", "photo", "urgent", "source", "external_ref", "received_at", "regime", "calendar", "zone", "languages",
)  # fmt: skip
ALIASES: Final = {"name": "names", "photos": "photo", "language": "languages"}
FACT: Final = "fact."
DELIMITERS: Final = (",", ";", "\t")
UTF_16: Final = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
NEVER_CLOSED: Final = "The file is not CSV: a quotation mark in line {} is never closed."
TOO_MANY: Final = "\0too many separators"
_LINE: Final = re.compile(r"[^\r\n]++(?:\r\n|\r|\n)?|\r\n|\r|\n")
_SEPARATOR_LINE: Final = re.compile(r"\s*sep=(.)\s*", re.IGNORECASE)  # Excel's own first line

Cells = dict[str, str]


@dataclass(frozen=True)
class Row:
    """One row: a ticket, or a problem. The `number` counts from 1, the header not included."""

    number: int
    body: TicketCreate | None
    problem: str | None = None


def decode_text(raw: bytes) -> str:
    """The text of the file without a byte order mark, from UTF-8 or UTF-16. Raises BadInput for another encoding."""
    for mark, encoding in UTF_16:
        if raw.startswith(mark):
            return _decode(raw[len(mark) :], encoding)
    beginning = raw[:64]
    for odd, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):  # every other byte of Latin text is zero
        zeros = beginning[odd::2].count(0)
        if len(beginning) > 8 and zeros > 0.8 * len(beginning) / 2 and beginning[1 - odd :: 2].count(0) == 0:
            return _decode(raw, encoding)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise BadInput(
            f"The file is not UTF-8 (byte {exc.start + 1}). It may be in the encoding of one country, as Excel's "
            "format CSV is: save it as CSV UTF-8."
        ) from exc


def _decode(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as exc:
        raise BadInput(f"The file begins as {encoding.upper()} and is not (byte {exc.start + 1}).") from exc


def count_rows(text: str, kind: Format) -> int:
    """The number of rows. Raises BadInput for a wrong header or a file without rows, TooLarge for too many rows."""
    number = 0
    for _ in _records(text) if kind == "csv" else _lines(text):
        number += 1
        if number > MOST_ROWS:
            raise TooLarge(f"A file may have {MOST_ROWS} rows; this one has more.")
    if number == 0:
        raise BadInput("The file has no row.")
    return number


def parse_rows(text: str, kind: Format, zone: str = "UTC") -> Iterator[Row]:
    """Each row, checked. A receipt without a time zone is one in the row's zone, or in `zone`."""
    if kind == "csv":
        for number, cells in enumerate(_records(text), 1):
            yield Row(number, None, cells) if isinstance(cells, str) else _check_cells(number, cells, zone)
    else:
        for number, line in enumerate(_lines(text), 1):
            yield _check_line(number, line)


def _check_line(number: int, line: str) -> Row:
    if line.count(",") + line.count("[") + line.count("{") > MOST_MEMBERS:
        return Row(number, None, f"The line has more than {MOST_MEMBERS} members.")
    try:
        return Row(number, TicketCreate.model_validate_json(line))
    except ValidationError as exc:
        return Row(number, None, _summary(exc))
    except (RecursionError, ValueError):
        return Row(number, None, "The line is not JSON that can be read.")


def _lines(text: str) -> Iterator[str]:
    return (match.group() for match in _LINE.finditer(text) if match.group().strip())


def _records(text: str) -> Iterator[Cells | str]:
    """The cells of each row by column, or what is wrong with the row.

    Raises BadInput for a header that cannot be used, and where a quotation mark is never closed: nobody can say then
    how many rows it swallows.
    """
    csv.field_size_limit(MOST_CELL)
    lines = _PhysicalLines(text)
    reader = csv.reader(lines, strict=True, delimiter=lines.delimiter)
    try:
        header = _header(next(reader, []))
    except csv.Error as exc:
        raise BadInput(f"The header is not CSV: {exc}.") from exc
    while True:
        began = lines.begin_record()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            if lines.ended:
                raise BadInput(NEVER_CLOSED.format(began)) from exc
            yield f"The row is not CSV: {exc}."
            continue
        if cells:
            yield _by_column(header, cells)


class _PhysicalLines:
    """The lines of a text for the reader, each with a bounded number of separators."""

    def __init__(self, text: str) -> None:
        self._lines = (match.group() for match in _LINE.finditer(text))
        header = next(self._lines, "")
        stated = _SEPARATOR_LINE.fullmatch(header)
        if stated:
            header = next(self._lines, "")
        self._first: str | None = header
        self.delimiter = stated.group(1) if stated else max(DELIMITERS, key=header.count)
        self.ended = False
        self._number = 1 if stated else 0  # of the lines that were given
        self._began = self._number

    def begin_record(self) -> int:
        """A record begins with the next line; returns the number of that line."""
        self._began = self._number
        return self._number + 1

    def __iter__(self) -> "_PhysicalLines":
        return self

    def __next__(self) -> str:
        line, self._first = (self._first, None) if self._first is not None else (next(self._lines, None), None)
        if line is None:
            self.ended = True
            raise StopIteration
        self._number += 1
        if self._number - self._began > MOST_LINES:
            raise BadInput(NEVER_CLOSED.format(self._began + 1))
        return line if line.count(self.delimiter) <= MOST_SEPARATORS else f"{TOO_MANY}\n"


def _header(cells: list[str]) -> list[str]:
    """The names of the columns. Columns without a name at the end are left out. Raises BadInput."""
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    columns = []
    for place, cell in enumerate(cells, 1):
        name = cell.strip()
        if name.casefold().startswith(FACT) and name[len(FACT) :].strip():
            columns.append(FACT + name[len(FACT) :].strip())
            continue
        column = ALIASES.get(name.casefold().replace(" ", "_"), name.casefold().replace(" ", "_"))
        if column not in COLUMNS:
            raise BadInput(f"Column {place} is not known. {_KNOWN}")
        columns.append(column)
    repeated = [place for place, column in enumerate(columns, 1) if column.casefold() in _folded(columns[: place - 1])]
    if repeated:
        raise BadInput(f"Column {repeated[0]} is there twice. {_KNOWN}")
    if not {"names", "photo"}.intersection(columns):
        raise BadInput(f"The column names is missing, and so is photo. {_KNOWN}")
    return columns


_KNOWN: Final = f"The columns are {', '.join(COLUMNS)} and fact.<attribute>, each once; names or photo is required."


def _folded(columns: list[str]) -> list[str]:
    return [column.casefold() for column in columns]


def _by_column(header: list[str], cells: list[str]) -> Cells | str:
    if cells[0].startswith(TOO_MANY):
        return f"The row has more than {MOST_SEPARATORS} cells."
    surplus = cells[len(header) :]
    if any(cell.strip() for cell in surplus):
        return "The row has more cells than the header."
    if len(cells) < len(header):
        return "The row has fewer cells than the header."
    return dict(zip(header, map(unescape_cell, cells), strict=False))


def _check_cells(number: int, cells: Cells, zone: str) -> Row:
    def given(column: str) -> str | None:
        return cells.get(column, "").strip() or None

    urgent = (given("urgent") or "").casefold()
    if urgent not in TRUE + FALSE:
        return Row(number, None, "urgent: has to be yes or no.")
    try:
        received_at = dates.read_receipt(given("received_at"), given("zone") or zone)
    except BadInput as exc:
        return Row(number, None, exc.detail)
    facts = [
        {"attribute": name.removeprefix(FACT), "value": value}
        for name, value in cells.items()
        if name.startswith(FACT) and value.strip()
    ]
    regime, calendar = given("regime"), given("calendar")
    body: dict[str, Any] = {
        "names": [name for name in cells.get("names", "").split("|") if name.strip()],
        "facts": facts,
        "photos": [photo] if (photo := given("photo")) else [],
        "urgent": urgent in TRUE,
        "source": given("source") or "import",
        "external_ref": given("external_ref"),
        "received_at": received_at,
        "regime": regime and regime.casefold(),
        "calendar": calendar and calendar.upper(),
        "zone": given("zone"),
        "languages": [code.strip().lower() for code in cells.get("languages", "").split("|") if code.strip()] or None,
    }
    try:
        return Row(number, TicketCreate.model_validate(body))
    except ValidationError as exc:
        return Row(number, None, _summary(exc))


def _summary(error: ValidationError) -> str:
    return summarize_validation_errors(error.errors(include_url=False, include_context=False, include_input=False))
