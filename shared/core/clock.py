"""The current time, in one function, so that nobody uses a time without a zone."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current time in UTC, with its zone."""
    return datetime.now(UTC)
