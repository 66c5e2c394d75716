"""When a request was received, as other tools and spreadsheets write it."""

import re
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.errors import BadInput

WANTED: Final = (
    "received_at: has to be a day or a time such as 2026-10-01, 2026-10-01T09:30:00+02:00 or 01.10.2026 09:30; days "
    "with slashes may be read in two ways."
)
_DOTTED: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:,?\s+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")


def read_receipt(text: str | None, zone: str) -> datetime | None:
    """The moment; a day begins at midnight, and a time without an offset is one in `zone`.

    Raises BadInput, which does not repeat the text, for what is no day and no time, and for a zone that is not known.
    """
    if text is None:
        return None
    moment = _read(text)
    if moment.tzinfo is not None:
        return moment
    try:
        return moment.replace(tzinfo=ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise BadInput("zone: is not known; it has to be one such as Europe/Berlin.") from exc


def _read(text: str) -> datetime:
    try:
        if dotted := _DOTTED.fullmatch(text):
            day, month, year, hour, minute, second = (int(part or 0) for part in dotted.groups())
            return datetime(year, month, day, hour, minute, second)
        return datetime.fromisoformat(text)
    except ValueError as exc:
        raise BadInput(WANTED) from exc
