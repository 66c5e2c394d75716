"""ETag and If-Match (RFC 9110): a change says what it is based on."""

from typing import Annotated

from fastapi import Header

from shared.errors import PreconditionFailed, PreconditionRequired

IfMatch = Annotated[str | None, Header(description="The ETag that the change is based on.")]


def etag(value: object) -> str:
    """A strong entity tag: `value` in quotes."""
    return f'"{value}"'


def require_match(if_match: str | None, current: str) -> None:
    """Check the If-Match header of a request against the `current` ETag.

    Raises PreconditionRequired if there is no header, PreconditionFailed if it does not name `current`.
    """
    if if_match is None:
        raise PreconditionRequired("Send If-Match with the ETag of what you looked at.")
    if current not in (part.strip() for part in if_match.split(",")):
        raise PreconditionFailed("It was changed in the meantime: look at it again.")
