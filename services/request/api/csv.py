"""CSV that every spreadsheet opens as it is, and with cells that none of them runs as a formula (OWASP, CSV injection).

A file begins with a byte order mark, without which Excel does not take it for UTF-8. Every cell is in quotes. A cell
that might be run has an apostrophe in front, which an import takes away again.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # wide ones too
ESCAPE: Final = "'"
BOM: Final = "\ufeff"


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet might run the cell: it begins with a character that starts a formula."""
    return cell.startswith(FORMULA_STARTS)


def escape_cell(value: Any) -> str:
    """The value as the text of a cell, with an apostrophe in front if it might be run as a formula."""
    text = "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
    return f"{ESCAPE}{text}" if is_formula(text) else text


def unescape_cell(cell: str) -> str:
    """The text of a cell that `escape_cell` wrote; other cells are as they are."""
    return cell[1:] if cell.startswith(ESCAPE) and is_formula(cell[1:]) else cell


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A CSV file with a header, quoted and escaped cells, and a byte order mark."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow([escape_cell(column) for column in columns])
    writer.writerows([escape_cell(value) for value in row] for row in rows)
    return BOM + text.getvalue()
