"""CSV with cells that no spreadsheet runs as a formula (OWASP, CSV injection).

One rule says what a formula is. Cells that we write are escaped by it; an import refuses cells that match it, since it
cannot know whether the file will be opened in a spreadsheet.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet might run the cell: it begins with a character that starts a formula."""
    return cell.startswith(FORMULA_STARTS)


def escape_cell(value: Any) -> str:
    """The value as the text of a cell, with an apostrophe in front if it might be run as a formula."""
    text = "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if is_formula(text) else text


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A CSV file with a header and escaped cells."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([escape_cell(value) for value in row] for row in rows)
    return text.getvalue()
