"""Errors of pydantic, as a sentence for the caller."""

from collections.abc import Iterable
from typing import Any


def summarize_validation_errors(errors: Iterable[Any]) -> str:
    """The first five errors in one sentence, which does not repeat what was sent."""
    sentences = []
    for error in errors:
        field = ".".join(str(part) for part in error["loc"] if part != "body")
        sentences.append(f"{field}: {error['msg'].lower()}" if field else error["msg"])
    return "; ".join(sentences[:5]) + "."
