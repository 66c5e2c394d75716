"""Pydantic errors in one sentence."""

from collections.abc import Iterable
from typing import Any


def summarize_validation_errors(errors: Iterable[Any]) -> str:
    """Pydantic's errors in one sentence; never repeats what was sent."""
    said = []
    for error in errors:
        place = ".".join(str(part) for part in error["loc"] if part != "body")
        said.append(f"{place}: {error['msg'].lower()}" if place else error["msg"])
    return "; ".join(said[:5]) + "."
