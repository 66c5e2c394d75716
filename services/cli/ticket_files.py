"""Files of tickets as they are sent: photographs that a row names by a path are read here.

The file may come from outside: only pictures below its own folder are read (shared/domain/photo_files.py).
"""

import csv
import io
import json
from pathlib import Path
from typing import Any, Final

from services.cli.files import data_url, media_type
from shared.domain.photo_files import read_beside
from shared.errors import LacunaError

LONGEST_PATH: Final = 1000  # characters; what is longer is a picture
DELIMITERS: Final = (",", ";", "\t")
PHOTO: Final = ("photo", "photos")


def with_photographs(content: bytes, file: Path, *, is_csv: bool) -> bytes:
    """The content with a data URL in place of each path in its column `photo` (CSV) or its list `photos` (NDJSON).

    `file` is where the content is from. What cannot be read as such a file is left for the service to report. Raises
    BadInput for a photograph that cannot be read.
    """
    try:
        text = content.decode("utf-8-sig")
        return (_csv_with_photographs(text, file) if is_csv else _lines_with_photographs(text, file)) or content
    except (UnicodeDecodeError, csv.Error):
        return content


def _csv_with_photographs(text: str, file: Path) -> bytes | None:
    """None where no cell names a file."""
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))  # of the process: never lowered
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    columns = [place for place, name in enumerate(rows[0]) if name.strip().casefold() in PHOTO] if rows else []
    if not columns or not any(_is_path(row[columns[0]]) for row in rows[1:] if len(row) > columns[0]):
        return None
    for number, row in enumerate(rows[1:], 1):
        if len(row) > columns[0]:
            row[columns[0]] = _photograph(row[columns[0]], file, number)
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter).writerows(rows)
    return written.getvalue().encode()


def _lines_with_photographs(text: str, file: Path) -> bytes | None:
    """None where no line names a file."""
    lines, changed = text.split("\n"), False  # a string of JSON may hold other ends of lines
    for place, line in enumerate(lines):
        try:
            ticket: Any = json.loads(line)
        except ValueError:
            continue
        photos = ticket.get("photos") if isinstance(ticket, dict) else None
        if isinstance(photos, list) and any(isinstance(photo, str) and _is_path(photo) for photo in photos):
            ticket["photos"] = [_photograph(str(photo), file, place + 1) for photo in photos]
            lines[place], changed = json.dumps(ticket, ensure_ascii=False), True
    return "\n".join(lines).encode() if changed else None


def _is_path(text: str) -> bool:
    return 0 < len(text.strip()) <= LONGEST_PATH and not text.strip().casefold().startswith("data:")


def _photograph(text: str, file: Path, number: int) -> str:
    """The cell, or the data URL of the file that it names."""
    if not _is_path(text):
        return text
    try:
        picture = read_beside(file, text.strip())
    except LacunaError as exc:
        raise type(exc)(f"Row {number}: {text.strip()}: {exc.detail}") from exc
    return data_url(picture, media_type(picture))
