"""Errors as OpenAI's clients read them: the member `error` beside those of RFC 9457, and 400 for a bad request."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError

from shared.core.validation import summarize_validation_errors
from shared.errors import BadInput, LacunaError, Unauthorized

STATUSES: Final = {422: 400}  # what the officer's API calls unprocessable, OpenAI calls a bad request
INVALID: Final = "invalid_request_error"
TYPES: Final = {429: "rate_limit_error"}
CODES: Final = {"unauthorized": "invalid_api_key", "too-many-requests": "rate_limit_exceeded"}
PART_TAGS: Final = ("text", "image_url", "input_text", "output_text", "input_image", "refusal")


class ClientLeft(LacunaError):
    """The client closed the connection before its answer was ready; nobody reads this."""

    status, code, title = 499, "client-left", "The client closed the connection"


def error_member(error: LacunaError) -> dict[str, Any]:
    """The member `error` that OpenAI's clients read. `code` is OpenAI's word where there is one."""
    status = STATUSES.get(error.status, error.status)
    kind = TYPES.get(status, INVALID if status < 500 else "server_error")
    code = error.extra.get("reason") or CODES.get(error.code, error.code)
    return {"error": {"message": error.detail, "type": kind, "code": code, "param": error.extra.get("param")}}


def problem_with_error(error: LacunaError) -> dict[str, Any]:
    """The whole document of an error, as it is sent in the middle of a stream."""
    return error.problem() | {"status": STATUSES.get(error.status, error.status)} | error_member(error)


def invalid_key(detail: str) -> Unauthorized:
    """The refusal of a request without a valid key."""
    return Unauthorized(detail)


def unsupported(param: str, detail: str) -> BadInput:
    """The refusal of a member that cannot be honoured here."""
    return BadInput(detail, param=param, reason="unsupported_parameter")


def invalid_body(exc: ValidationError) -> BadInput:
    """What is wrong with a body; `param` names the first member. What was sent is not repeated."""
    errors = exc.errors(include_url=False, include_context=False, include_input=False)
    first = errors[0]
    if first["type"] == "json_invalid":
        if "recursion limit" in first["msg"]:
            return BadInput("The body is nested too deeply.", reason="invalid_json")
        return BadInput("The body cannot be read: it is not JSON in UTF-8.", reason="invalid_json")
    located = [{**error, "loc": _without_tags(error["loc"])} for error in errors]
    return BadInput(summarize_validation_errors(located), param=member_path(_without_tags(first["loc"])) or None)


def member_path(location: Sequence[int | str]) -> str:
    """`messages[0].content` for ("messages", 0, "content")."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _without_tags(location: Sequence[int | str]) -> tuple[int | str, ...]:
    """The location without the name of the kind of part, which pydantic puts after the part's index."""
    return tuple(
        part
        for at, part in enumerate(location)
        if not (part in PART_TAGS and at > 0 and isinstance(location[at - 1], int))
    )
