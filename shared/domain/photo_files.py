"""Photographs that a file names by their paths. Such a file may come from outside, so that it may name no other place.

Only pictures are read, and only those below the folder of the file: whatever it names may be sent to a service.
"""

from pathlib import Path

from shared.domain.photos import MAX_BYTES, UNREADABLE, is_picture
from shared.errors import BadInput, TooLarge


def read_beside(file: Path, given: str) -> bytes:
    """The encoded picture that `given` names relative to the folder of `file`.

    Raises BadInput for any other place and for a file that is no picture, TooLarge for a large one.
    """
    try:
        path = _path_beside(file, given)
        check_size(path.stat().st_size)
        return checked_picture(path.read_bytes())
    except (OSError, ValueError, RuntimeError) as exc:  # a name that no file can have; a link that leads to itself
        reason = exc.strerror if isinstance(exc, OSError) else "its name is not valid"
        raise BadInput(f"The file cannot be read: {reason}.") from exc


def check_size(size: int) -> None:
    """Raise TooLarge for an encoded picture of more bytes than are taken."""
    if size > MAX_BYTES:
        raise TooLarge(f"A picture may have {MAX_BYTES // 1024 // 1024} MB; this one has {size / 1e6:.1f} MB.")


def checked_picture(data: bytes) -> bytes:
    """The bytes themselves; raises BadInput for those of another file, which must go nowhere."""
    if not is_picture(data):
        raise BadInput(UNREADABLE)
    return data


def _path_beside(file: Path, given: str) -> Path:
    if "://" in given[:16]:
        raise BadInput("A photo is a path or a data URL, not an address: nothing is fetched.")
    if "\0" in given or Path(given).is_absolute():
        raise BadInput("A path must be relative to the file that names it.")
    folder = file.parent.resolve()
    path = (folder / given).resolve()
    if not path.is_relative_to(folder):
        raise BadInput("A path must lead to a file below the folder of the file that names it.")
    if not path.is_file():
        raise BadInput("There is no such file.")
    return path
