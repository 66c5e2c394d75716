"""Read and write files with errors in a sentence."""

from pathlib import Path

from shared.errors import BadInput


def _kind(out: Path, endings: tuple[str, ...]) -> str:
    if out.suffix.lower() not in endings:
        raise BadInput(f"{out.name} has to end with {', '.join(endings[:-1])} or {endings[-1]}.")
    return out.suffix.lower()[1:]


def _text(path: Path) -> str:
    return _bytes(path).decode(errors="replace")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise BadInput(f"{path} cannot be read: {exc.strerror}.") from exc


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as exc:
        raise BadInput(f"{path} cannot be written: {exc.strerror}.") from exc
