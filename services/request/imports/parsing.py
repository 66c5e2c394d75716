"""A file of tickets, row by row: CSV or NDJSON. Reads and checks; knows no database and no HTTP.

CSV columns: `names` (several with |), `fact.<attribute>`, `photo` (a data URL), `urgent`, `source`, `external_ref`.
A row that is wrong has a problem and the others go on; a problem never repeats what stood in the row.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import ValidationError

from services.request.tickets.schemas import TicketCreate
from shared.core.validation import summarize_validation_errors
from shared.errors import BadInput, TooLarge

Format = Literal["csv", "ndjson"]
MOST_ROWS: Final = 100_000
MOST_CELL: Final = 16 * 1024 * 1024  # a photograph as a data URL
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run (OWASP, CSV injection)
TRUE, FALSE = ("1", "true", "yes"), ("", "0", "false", "no")
PLAIN: Final = ("names", "photo", "urgent", "source", "external_ref")


@dataclass(frozen=True)
class Row:
    """The `number` counts from 1, the header not included."""

    number: int
    body: TicketCreate | None
    problem: str | None = None


def decoded(raw: bytes) -> str:
    """The text; raises BadInput for another encoding than UTF-8. A byte order mark is dropped."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise BadInput(f"The file is not UTF-8 (byte {exc.start + 1}): save it as UTF-8.") from exc
    if "\0" in text:
        raise BadInput("The file holds a zero character: it is no text, or UTF-16.")
    return text


def count_rows(text: str, kind: Format) -> int:
    """How many rows there are; raises BadInput for a header that is wrong, TooLarge for too many rows."""
    number = sum(1 for _ in (_cells(text) if kind == "csv" else _lines(text)))
    if number > MOST_ROWS:
        raise TooLarge(f"A file may have {MOST_ROWS} rows; this one has {number}.")
    if number == 0:
        raise BadInput("The file has no row.")
    return number


def rows(text: str, kind: Format) -> Iterator[Row]:
    """Each row, checked."""
    if kind == "csv":
        for number, cells in enumerate(_cells(text), 1):
            yield _checked(number, cells)
    else:
        for number, line in enumerate(_lines(text), 1):
            try:
                yield Row(number, TicketCreate.model_validate_json(line))
            except ValidationError as exc:
                yield Row(number, None, _told(exc))
            except (RecursionError, ValueError):
                yield Row(number, None, "The line is not JSON that can be read.")


def _lines(text: str) -> Iterator[str]:
    return (line for line in io.StringIO(text, newline="\n") if line.strip())


def _cells(text: str) -> Iterator[dict[str, str] | None]:
    """Each row by column; None for one whose number of cells is wrong."""
    csv.field_size_limit(MOST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        unknown = [name for name in header if name not in PLAIN and not name.startswith("fact.")]
        if unknown or "names" not in header or len(set(header)) < len(header):
            raise BadInput(f"The columns are {', '.join(PLAIN)} and fact.<attribute>, each once; names is needed.")
        for cells in reader:
            if cells:
                yield dict(zip(header, cells, strict=True)) if len(cells) == len(header) else None
    except csv.Error as exc:
        raise BadInput(f"Line {reader.line_num} is not CSV: {exc}.") from exc


def _checked(number: int, cells: dict[str, str] | None) -> Row:
    if cells is None:
        return Row(number, None, "The row has another number of cells than the header.")
    if formula := [name for name, value in cells.items() if value.startswith(FORMULA)]:
        return Row(number, None, f"{formula[0]}: begins with a character that a spreadsheet would run as a formula.")
    urgent = cells.get("urgent", "").strip().casefold()
    if urgent not in TRUE + FALSE:
        return Row(number, None, "urgent: is yes or no.")
    facts = [
        {"attribute": name.removeprefix("fact."), "value": value}
        for name, value in cells.items()
        if name.startswith("fact.") and value.strip()
    ]
    given: dict[str, Any] = {
        "names": [name for name in cells["names"].split("|") if name.strip()],
        "facts": facts,
        "photos": [cells["photo"]] if cells.get("photo", "").strip() else [],
        "urgent": urgent in TRUE,
        "source": cells.get("source", "").strip() or "import",
        "external_ref": cells.get("external_ref", "").strip() or None,
    }
    try:
        return Row(number, TicketCreate.model_validate(given))
    except ValidationError as exc:
        return Row(number, None, _told(exc))


def _told(error: ValidationError) -> str:
    return summarize_validation_errors(error.errors(include_url=False, include_context=False, include_input=False))
