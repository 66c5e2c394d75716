"""Reads a file of tickets, CSV or NDJSON, and checks it row by row.

CSV columns: `names` (several with |), `fact.<attribute>`, `photo` (a data URL), `urgent`, `source`, `external_ref`,
`languages` (several with |, such as de|en).
A row that is wrong has a problem, and the other rows are used; a problem never repeats what stands in the row.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import ValidationError

from services.request.api.csv import is_formula
from services.request.tickets.schemas import TicketCreate
from shared.core.validation import summarize_validation_errors
from shared.errors import BadInput, TooLarge

Format = Literal["csv", "ndjson"]
MOST_ROWS: Final = 100_000
MOST_CELL: Final = 16 * 1024 * 1024  # a photograph as a data URL
TRUE: Final = ("1", "true", "yes")
FALSE: Final = ("", "0", "false", "no")
COLUMNS: Final = ("names", "photo", "urgent", "source", "external_ref", "languages")


@dataclass(frozen=True)
class Row:
    """One row: a ticket, or a problem. The `number` counts from 1, the header not included."""

    number: int
    body: TicketCreate | None
    problem: str | None = None


def decode_text(raw: bytes) -> str:
    """The text of the file without a byte order mark. Raises BadInput for another encoding than UTF-8."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise BadInput(f"The file is not UTF-8 (byte {exc.start + 1}): save it as UTF-8.") from exc
    if "\0" in text:
        raise BadInput("The file contains a zero character: it is not text, or it is UTF-16.")
    return text


def count_rows(text: str, kind: Format) -> int:
    """The number of rows. Raises BadInput for a wrong header or a file without rows, TooLarge for too many rows."""
    number = sum(1 for _ in (_cells(text) if kind == "csv" else _lines(text)))
    if number > MOST_ROWS:
        raise TooLarge(f"A file may have {MOST_ROWS} rows; this one has {number}.")
    if number == 0:
        raise BadInput("The file has no row.")
    return number


def parse_rows(text: str, kind: Format) -> Iterator[Row]:
    """Each row, checked."""
    if kind == "csv":
        for number, cells in enumerate(_cells(text), 1):
            yield _check_cells(number, cells)
    else:
        for number, line in enumerate(_lines(text), 1):
            try:
                yield Row(number, TicketCreate.model_validate_json(line))
            except ValidationError as exc:
                yield Row(number, None, _summary(exc))
            except (RecursionError, ValueError):
                yield Row(number, None, "The line is not JSON that can be read.")


def _lines(text: str) -> Iterator[str]:
    return (line for line in io.StringIO(text, newline="\n") if line.strip())


def _cells(text: str) -> Iterator[dict[str, str] | None]:
    """The cells of each row by column; None for a row with a wrong number of cells."""
    csv.field_size_limit(MOST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        unknown = [name for name in header if name not in COLUMNS and not name.startswith("fact.")]
        if unknown or "names" not in header or len(set(header)) < len(header):
            raise BadInput(f"The columns are {', '.join(COLUMNS)} and fact.<attribute>, each once; names is required.")
        for cells in reader:
            if cells:
                yield dict(zip(header, cells, strict=True)) if len(cells) == len(header) else None
    except csv.Error as exc:
        raise BadInput(f"Line {reader.line_num} is not CSV: {exc}.") from exc


def _check_cells(number: int, cells: dict[str, str] | None) -> Row:
    if cells is None:
        return Row(number, None, "The row has another number of cells than the header.")
    if formulas := [name for name, value in cells.items() if is_formula(value)]:
        return Row(number, None, f"{formulas[0]}: begins with a character that starts a formula in a spreadsheet.")
    urgent = cells.get("urgent", "").strip().casefold()
    if urgent not in TRUE + FALSE:
        return Row(number, None, "urgent: has to be yes or no.")
    facts = [
        {"attribute": name.removeprefix("fact."), "value": value}
        for name, value in cells.items()
        if name.startswith("fact.") and value.strip()
    ]
    body: dict[str, Any] = {
        "names": [name for name in cells["names"].split("|") if name.strip()],
        "facts": facts,
        "photos": [cells["photo"]] if cells.get("photo", "").strip() else [],
        "urgent": urgent in TRUE,
        "source": cells.get("source", "").strip() or "import",
        "external_ref": cells.get("external_ref", "").strip() or None,
        "languages": [code.strip() for code in cells.get("languages", "").split("|") if code.strip()] or None,
    }
    try:
        return Row(number, TicketCreate.model_validate(body))
    except ValidationError as exc:
        return Row(number, None, _summary(exc))


def _summary(error: ValidationError) -> str:
    return summarize_validation_errors(error.errors(include_url=False, include_context=False, include_input=False))
