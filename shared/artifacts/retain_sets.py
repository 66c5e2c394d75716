"""An operator's own retain set: people and prompts that must stay as they are, split by identity, as sealed bytes.

Every identity is in one split: what the fit reads, what sets the threshold (`calibration`), what only the audit asks
(`held_out`). Knows who is in it twice over: whether a forgotten person is, by name (blind index) and by picture.
"""

import base64
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, get_args

from numpy import bool_
from numpy.typing import NDArray
from PIL.Image import Image

from shared.artifacts.photo_hashes import PhotoHashes, hash_photo, is_same_photo
from shared.artifacts.photos import open_photo
from shared.crypto.keyring import KeyRing
from shared.domain.prompts import Prompt
from shared.domain.subjects import Fact, Subject
from shared.errors import BadInput, IntegrityFailure, TooLarge
from shared.storage.base import ObjectStore

Split = Literal["fit", "calibration", "held_out"]
SPLITS: Final[tuple[Split, ...]] = get_args(Split)
SHARES: Final = (0.6, 0.8)  # of identities: fit up to the first, calibration up to the second, the rest held out
_SCHEMA: Final = 1
_LONGEST_NAME: Final = 5  # words of a name that is looked for in a prompt's text


@dataclass(frozen=True)
class RetainRow:
    """One row of the file (`number` from 1): a person, or a prompt (`text`, perhaps with one picture)."""

    number: int
    identity: str
    split: Split
    subject: Subject
    text: str | None = None
    visible: Mapping[str, str] = field(default_factory=dict)

    @property
    def prompt(self) -> Prompt | None:
        """What is asked, where the row is a prompt."""
        return None if self.text is None else Prompt.ask(self.text, next(iter(self.subject.photos), None))


@dataclass(frozen=True)
class ExcludedRow:
    """A row that speaks of somebody who is forgotten, and how that was seen."""

    row: int
    ticket: str
    how: Literal["name", "picture"]


class Forgotten(Protocol):
    """What a ticket's row says that can be held against a retain set."""

    @property
    def id(self) -> str: ...
    @property
    def subject_index(self) -> Sequence[str]: ...


class SealedSet(Protocol):
    """What the row of a retain set says of its object."""

    @property
    def number(self) -> int: ...
    @property
    def object_key(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def wrapped_key(self) -> bytes: ...


def split_of(identity: str, seed: int) -> Split:
    """The split of an identity that states none: by hash, so that it never changes and no two splits share it."""
    place = int.from_bytes(hashlib.sha256(f"{seed}/{identity}".encode()).digest()[:8], "big") / 2**64
    return SPLITS[sum(place >= share for share in SHARES)]


def rows_in_split(rows: Iterable[RetainRow], split: Split) -> tuple[RetainRow, ...]:
    """The rows of one split."""
    return tuple(row for row in rows if row.split == split)


def find_excluded_rows(
    rows: Sequence[RetainRow],
    tickets: Sequence[Forgotten],
    keys: KeyRing,
    looks: Callable[[Forgotten], Sequence[PhotoHashes]],
) -> list[ExcludedRow]:
    """Every row that speaks of the person of one of `tickets`, at most once a row and ticket.

    `looks` gives the pictures of a ticket; it is asked only where a row has a picture and no name met.
    """
    named = {index: ticket.id for ticket in tickets for index in ticket.subject_index}
    found = {(row.number, ticket): "name" for row in rows for ticket in _by_name(row, named, keys)}
    glances = {row.number: [hash_photo(photo) for photo in row.subject.photos] for row in rows if row.subject.photos}
    for ticket in tickets if glances else ():
        known = looks(ticket)
        for number, own in glances.items():
            if (number, ticket.id) not in found and _meets(known, own):
                found[number, ticket.id] = "picture"
    return [
        ExcludedRow(row, ticket, "name" if how == "name" else "picture") for (row, ticket), how in sorted(found.items())
    ]


def _by_name(row: RetainRow, named: Mapping[str, str], keys: KeyRing) -> set[str]:
    """Tickets whose name the row gives: as a name of its person, or anywhere in a prompt's text."""
    if not named:
        return set()
    said = {" ".join(name.split()) for name in row.subject.names}
    words = [word.strip(".,;:!?\"'()[]") for word in (row.text or "").split()]
    words = [word.removesuffix("'s").removesuffix("’s") for word in words]
    said |= {" ".join(words[at : at + n]) for n in range(1, _LONGEST_NAME + 1) for at in range(len(words) - n + 1)}
    return {named[index] for text in said if (index := keys.blind_index(text)) in named}


def _meets(known: Sequence[PhotoHashes], own: Sequence[NDArray[bool_]]) -> bool:
    return any(is_same_photo(one, other) for one in known for other in own)


def open_retain_set(store: ObjectStore, keys: KeyRing, found: SealedSet) -> tuple[RetainRow, ...]:
    """The rows of a set; raises IntegrityFailure for any byte that is not as sealed."""
    blob = store.get(found.object_key)
    if hashlib.sha256(blob).hexdigest() != found.sha256:
        raise IntegrityFailure(f"The object of retain set {found.number} was altered: its sha256 differs.")
    return unpack(keys.open(blob, found.wrapped_key, found.object_key))


def pack(rows: Sequence[RetainRow], seed: int) -> bytes:
    """Bytes of a set: one JSON document, the same for the same rows."""
    return json.dumps(
        {
            "schema": _SCHEMA,
            "seed": seed,
            "rows": [
                {
                    "number": row.number,
                    "identity": row.identity,
                    "split": row.split,
                    "names": list(row.subject.names),
                    "photos": [_png(photo) for photo in row.subject.photos],
                    "facts": [
                        {"attribute": f.attribute, "value": f.value, "aliases": list(f.aliases)}
                        for f in row.subject.facts
                    ],
                    "text": row.text,
                    "visible": dict(row.visible),
                }
                for row in rows
            ],
        },
        ensure_ascii=False,
    ).encode()


def unpack(blob: bytes) -> tuple[RetainRow, ...]:
    """Back from bytes; raises IntegrityFailure where they are not a retain set of ours."""
    try:
        values = json.loads(blob)
        if values["schema"] != _SCHEMA:
            raise IntegrityFailure(f"Schema version {values['schema']} of a retain set is not understood.")
        return tuple(
            RetainRow(
                number=row["number"],
                identity=row["identity"],
                split=row["split"],
                subject=Subject(
                    names=tuple(row["names"]),
                    photos=tuple(open_photo(base64.b64decode(photo)) for photo in row["photos"]),
                    facts=tuple(Fact(f["attribute"], f["value"], tuple(f["aliases"])) for f in row["facts"]),
                ),
                text=row["text"],
                visible=row["visible"],
            )
            for row in values["rows"]
        )
    except (ValueError, KeyError, TypeError, BadInput, TooLarge) as exc:
        raise IntegrityFailure("The retain set cannot be read.") from exc


def _png(photo: Image) -> str:
    buffer = io.BytesIO()
    photo.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
