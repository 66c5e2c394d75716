"""Read and write files; what goes wrong is a sentence (BadInput)."""

import base64
import json
import mimetypes
import os
from pathlib import Path
from typing import Any, Final

from shared.errors import BadInput, TooLarge

MOST_BYTES: Final = 64 * 1024 * 1024  # as much as the services take


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """The content of a file; raises BadInput where it cannot be read, TooLarge for more than `most` bytes."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as exc:
        raise BadInput(f"{path} cannot be read: {exc.strerror}.") from exc
    if len(content) > most:
        raise TooLarge(f"{path} has more than {most // 1024 // 1024} MB.")
    return content


def read_text(path: Path) -> str:
    """The text of a file, with U+FFFD for bytes that are not UTF-8; raises BadInput where it cannot be read."""
    return read_bytes(path).decode(errors="replace")


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; raises BadInput where it cannot be read or holds something else."""
    try:
        value = json.loads(read_bytes(path))
    except ValueError as exc:
        raise BadInput(f"{path} is not JSON: {exc}.") from exc
    if not isinstance(value, dict):
        raise BadInput(f"{path} holds JSON, but not an object.")
    return value


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, in place of one that is there; raises BadInput where it cannot be written."""
    try:
        path.write_bytes(content)
    except OSError as exc:
        raise BadInput(f"{path} cannot be written: {exc.strerror}.") from exc


def write_new_private_file(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read; raises BadInput where there is one already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as exc:
        raise BadInput(f"{path} cannot be written: {exc.strerror}.") from exc


def format_of(path: Path, formats: tuple[str, ...]) -> str:
    """The format that the ending of `path` names; raises BadInput where it is none of `formats`."""
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in formats:
        endings = [f".{name}" for name in formats]
        raise BadInput(f"The name {path.name} must end in {', '.join(endings[:-1])} or {endings[-1]}.")
    return suffix


def read_as_data_url(path: Path) -> str:
    """A picture as a data URL, of the media type that its name suggests; raises BadInput where it cannot be read."""
    return data_url(read_bytes(path), mimetypes.guess_type(path.name)[0] or "image/png")


def media_type(picture: bytes) -> str:
    """The media type by the first bytes of an encoded picture; `image/png` for bytes that are none."""
    beginnings = {b"\xff\xd8": "image/jpeg", b"RIFF": "image/webp"}
    return next((name for beginning, name in beginnings.items() if picture.startswith(beginning)), "image/png")


def data_url(content: bytes, media_type: str) -> str:
    """The content as a data URL (RFC 2397)."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
