"""Reads a body, which shared/core/admission.py bounds as it arrives; large ones are parsed off the event loop."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from services.inference.protocol.errors import ClientLeft, invalid_body
from services.inference.protocol.workers import Workers
from shared.errors import BadInput, TooLarge, UnsupportedMedia

JSON_TYPES: Final = ("", "application/json", "text/json")
PARSED_AT_ONCE: Final = 64 * 1024  # bytes; a larger body would hold up the event loop for a millisecond and more

Body = TypeVar("Body", bound=BaseModel)


class Members(BaseModel):
    """Members of a body. Null means "not given", as OpenAI's clients send it; unknown members are ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            return {name: value for name, value in given.items() if value is not None}
        return given


async def read_body(request: Request, kind: type[Body], workers: Workers) -> Body:
    """The body as `kind`.

    Raises BadInput for what is not JSON or does not fit, UnsupportedMedia for another media type, TooLarge for more
    than the stated length.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in JSON_TYPES and not media.endswith("+json"):
        raise UnsupportedMedia("The body has to be JSON: Content-Type: application/json.")
    data = await _received(request)
    if len(data) <= PARSED_AT_ONCE:
        return parse(kind, data)
    return await workers.run(parse, kind, data)


def parse(kind: type[Body], data: bytes) -> Body:
    """The JSON in `data` as `kind`; raises BadInput."""
    try:
        return kind.model_validate_json(data)
    except ValidationError as exc:
        raise invalid_body(exc) from exc
    except (ValueError, RecursionError) as exc:  # an integer of thousands of digits
        raise BadInput("The body cannot be read: it is not JSON in UTF-8.", reason="invalid_json") from exc


async def _received(request: Request) -> bytes:
    length = int(request.headers.get("content-length", "0"))
    data = bytearray()
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise ClientLeft("The client closed the connection before its request was complete.")
        data += message.get("body", b"")
        if len(data) > length:
            raise TooLarge("The body is longer than its Content-Length.")
        if not message.get("more_body", False):
            return bytes(data)
