"""Reads what DROP gives to download, and writes what it takes: names of files, headers, rows.

A download is a ZIP archive with a CSV file for each list that the data broker has chosen (`ID,Hash`), and one for the
requests that people took back (`ID,Hash,ListType`). Source: CalPrivacy, DROP Data Broker API 1.2.0.
"""

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from shared.domain.drop_identifiers import ListType
from shared.errors import BadInput, TooLarge

MOST_FILES: Final = 50  # of an archive
MOST_BYTES: Final = 512 * 1024 * 1024  # of all its files, unpacked
MOST_ROWS: Final = 5_000_000
REMOVED: Final = "Removed"
FILE_NAME: Final = re.compile(
    r"(?P<stem>(?P<day>\d{8})_\d{4}_(?P<kind>NDZ|Email|Phone|MAID|NameVIN|CTVID|Removed))(?:_[A-Za-z0-9]{1,10})?\.csv",
    re.ASCII,
)
NAMES: Final = (
    "A list of DROP has a name such as 20260312_4821_Email.csv, its archive one such as 20260312_4821_DROP.zip."
)
SUFFIX: Final = re.compile(r"[A-Za-z0-9]{1,10}", re.ASCII)
_ARCHIVE: Final = b"PK"
_LINE: Final = re.compile(r"\S[^\n]*")  # one that is not blank, found without a copy of the text
_ROW: Final = re.compile(r'"?([A-Za-z0-9]{12})"?,"?([A-Za-z0-9+/]{43}=)"?(?:,"?(\w+)"?)?', re.ASCII)
_HEADERS: Final = {False: "id,hash", True: "id,hash,listtype"}


@dataclass(frozen=True)
class WorkItem:
    """One row: the id by which the platform is answered, and the hash."""

    id: str
    hash: str


@dataclass(frozen=True)
class DeletionList:
    """One file of a download. `stem` is its name without suffix and ending; `kind` is None for requests taken back."""

    stem: str
    kind: ListType | None
    day: str
    text: str

    def items(self) -> Iterator[WorkItem]:
        """Its rows; raises BadInput, naming file and line, where one is not as the platform writes it."""
        removed = self.kind is None
        lines = _LINE.finditer(self.text)
        header = next(lines, None)
        if header is None or header[0].strip().replace('"', "").lower() != _HEADERS[removed]:
            raise BadInput(f"{self.stem}.csv: the header is not {'ID,Hash,ListType' if removed else 'ID,Hash'}.")
        for line in lines:
            match = _ROW.fullmatch(line[0].rstrip())
            if match is None or (match.group(3) is not None) != removed:
                number = self.text.count("\n", 0, line.start()) + 1
                raise BadInput(f"{self.stem}.csv, line {number}: it is not an id of 12 and a hash of 44 characters.")
            yield WorkItem(match.group(1), match.group(2))


@dataclass(frozen=True)
class Download:
    """All files of one download; `rows` counts the work items, those that were taken back not included."""

    lists: tuple[DeletionList, ...]
    rows: int

    @property
    def sha256(self) -> str:
        """By which it is known again, however it is packed (hex)."""
        files = sorted(f"{each.stem} {hashlib.sha256(each.text.encode()).hexdigest()}" for each in self.lists)
        return hashlib.sha256("\n".join(files).encode()).hexdigest()

    @property
    def day(self) -> datetime | None:
        """The day in the names of the files, without a zone; None where they have none that can be read."""
        try:
            return min(datetime.strptime(each.day, "%Y%m%d") for each in self.lists)
        except ValueError:
            return None


def read_download(raw: bytes, name: str) -> Download:
    """The lists in an archive, or the one in a CSV file of that name, with every row checked.

    Raises BadInput for what DROP does not write, TooLarge for too many files, bytes or rows.
    """
    files = list(_unpacked(raw)) if raw.startswith(_ARCHIVE) else [(name, raw)]
    lists = [_list(*file) for file in files]
    if not lists:
        raise BadInput("The archive has no list.")
    if len({each.stem for each in lists}) < len(lists):
        raise BadInput("The archive has a list twice.")
    rows, counted = 0, 0
    for each in lists:
        for _ in each.items():
            counted += 1
            rows += each.kind is not None
            if counted > MOST_ROWS:
                raise TooLarge(f"A download may have {MOST_ROWS} rows; this one has more.")
    return Download(tuple(lists), rows)


def response_name(stem: str, suffix: str = "") -> str:
    """The name of the file that answers the list `stem`."""
    return f"{stem}_{suffix}.csv" if suffix else f"{stem}.csv"


def response_file(statuses: Iterable[tuple[str, int]]) -> str:
    """The text of a file that answers work items, each with its status."""
    return "Id,Status\n" + "".join(f"{item},{status}\n" for item, status in statuses)


def check_suffix(suffix: str) -> str:
    """The suffix itself; raises BadInput for one that the platform does not take."""
    if suffix and not SUFFIX.fullmatch(suffix):
        raise BadInput("suffix: it has up to ten letters and digits.")
    return suffix


def archive(files: Sequence[tuple[str, str]]) -> bytes:
    """A ZIP archive of the texts by name, as the platform packs one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files:
            packed.writestr(name, text)
    return buffer.getvalue()


def _unpacked(raw: bytes) -> Iterator[tuple[str, bytes]]:
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            members = [member for member in packed.infolist() if not member.is_dir()]
            if len(members) > MOST_FILES:
                raise TooLarge(f"An archive may have {MOST_FILES} files; this one has more.")
            for member in members:
                with packed.open(member) as file:
                    content = file.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise TooLarge(f"The lists may have {MOST_BYTES // 1024 // 1024} MB; these have more.")
                yield member.filename, content
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as exc:
        raise BadInput("The archive cannot be read: it is not a ZIP file, damaged or encrypted.") from exc


def _list(name: str, content: bytes) -> DeletionList:
    match = FILE_NAME.fullmatch(name)
    if match is None:
        raise BadInput(NAMES)
    kind = None if match["kind"] == REMOVED else cast(ListType, match["kind"])
    try:
        return DeletionList(match["stem"], kind, match["day"], content.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        raise BadInput(f"{match['stem']}.csv is not UTF-8.") from exc
