"""An operator's own retain set: people and prompts whose answers must not change, as sealed bytes.

Every identity is in one split: `fit` is read by the refit, `calibration` sets the threshold, `held_out` is asked by
the audit alone. A row about a forgotten person is found by name (in whatever spelling) and by photograph (photo hash).
"""

import base64
import hashlib
import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from numpy import bool_
from numpy.typing import NDArray
from PIL.Image import Image

from shared.artifacts.photo_hashes import PhotoHashes, hash_photo, is_same_photo
from shared.crypto.keyring import KeyRing
from shared.domain.photos import open_photo
from shared.domain.prompts import Prompt
from shared.domain.splits import Split
from shared.domain.subjects import Fact, Subject
from shared.errors import BadInput, IntegrityFailure, TooLarge
from shared.storage.base import ObjectStore
from shared.text.names import mentioned_forms

_SCHEMA: Final = 1
_MAX_NAME_WORDS: Final = 5  # of a name that is looked for in the text of a prompt


@dataclass(frozen=True, eq=False)
class EncodedPhoto:
    """A picture as PNG, with its perceptual hash."""

    png: bytes
    hash: NDArray[bool_]

    @classmethod
    def of(cls, png: bytes) -> "EncodedPhoto":
        """The picture in `png`; it is decoded for its hash alone."""
        return cls(png, hash_photo(open_photo(png)))


@dataclass(frozen=True)
class RetainRow:
    """One row of the file, counted from 1: a person, or a prompt (`text`, perhaps with one picture).

    `encoded`: its pictures as PNG with their hashes, where they are not decoded in `subject`: a thousand of them would
    take gigabytes.
    """

    number: int
    identity: str
    split: Split
    subject: Subject
    text: str | None = None
    visible: Mapping[str, str] = field(default_factory=dict)
    encoded: tuple["EncodedPhoto", ...] = ()

    @property
    def prompt(self) -> Prompt | None:
        """The prompt; None where the row is a person."""
        return None if self.text is None else Prompt.ask(self.text, next(iter(self.subject.photos), None))


@dataclass(frozen=True)
class ExcludedRow:
    """A row about somebody who is forgotten, and how that was noticed."""

    row: int
    ticket: str
    how: Literal["name", "picture"]


class ForgottenTicket(Protocol):
    """The part of a ticket by which a retain set is searched for its person."""

    @property
    def id(self) -> str: ...
    @property
    def person_keys(self) -> Collection[str]: ...


class SealedSet(Protocol):
    """Where the object of a retain set is and what opens it."""

    @property
    def number(self) -> int: ...
    @property
    def object_key(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def wrapped_key(self) -> bytes: ...


def rows_in_split(rows: Iterable[RetainRow], split: Split) -> tuple[RetainRow, ...]:
    """The rows of one split."""
    return tuple(row for row in rows if row.split == split)


def find_excluded_rows(
    rows: Sequence[RetainRow],
    tickets: Sequence[ForgottenTicket],
    keys: KeyRing,
    photo_hashes: Callable[[ForgottenTicket], Sequence[PhotoHashes]],
) -> list[ExcludedRow]:
    """The rows about the person of one of `tickets`, each row at most once for each ticket.

    `photo_hashes` gives the hashes of a ticket's photographs. It is called only where any row has a picture.
    """
    named = {key: ticket.id for ticket in tickets for key in ticket.person_keys}
    reasons = {(row.number, ticket): "name" for row in rows for ticket in _by_name(row, named, keys)}
    row_hashes = {row.number: hashes for row in rows if (hashes := _hashes(row))}
    for ticket in tickets if row_hashes else ():
        known = photo_hashes(ticket)
        for number, hashes in row_hashes.items():
            if (number, ticket.id) not in reasons and _any_same_photo(known, hashes):
                reasons[number, ticket.id] = "picture"
    return [
        ExcludedRow(row, ticket, "name" if reason == "name" else "picture")
        for (row, ticket), reason in sorted(reasons.items())
    ]


def _by_name(row: RetainRow, named: Mapping[str, str], keys: KeyRing) -> set[str]:
    """Ids of the tickets whose name the row contains, as the name of its person or in the text of its prompt."""
    if not named:
        return set()
    mentioned = {keys.name_form_key(form) for form in set(mentioned_forms(row.text or "", _MAX_NAME_WORDS))}
    mentioned |= {keys.blind_index(text) for text in _as_written(row.text or "")}
    return {named[key] for key in mentioned.union(keys.person_keys(row.subject.names)) if key in named}


def _as_written(text: str) -> set[str]:
    """The runs of words of a text that may be a name as somebody wrote it: for tickets that have no other keys."""
    words = [word.strip(".,;:!?\"'()[]") for word in text.split()]
    words = [word.removesuffix("'s").removesuffix("’s") for word in words]
    return {" ".join(words[at : at + n]) for n in range(1, _MAX_NAME_WORDS + 1) for at in range(len(words) - n + 1)}


def _hashes(row: RetainRow) -> list[NDArray[bool_]]:
    return [photo.hash for photo in row.encoded] + [hash_photo(photo) for photo in row.subject.photos]


def _any_same_photo(known: Sequence[PhotoHashes], hashes: Sequence[NDArray[bool_]]) -> bool:
    return any(is_same_photo(photo, other) for photo in known for other in hashes)


def open_retain_set(store: ObjectStore, keys: KeyRing, sealed: SealedSet) -> tuple[RetainRow, ...]:
    """The rows of the set. Raises IntegrityFailure where any byte was altered."""
    blob = store.get(sealed.object_key)
    if hashlib.sha256(blob).hexdigest() != sealed.sha256:
        raise IntegrityFailure(f"The object of retain set {sealed.number} was altered: its sha256 differs.")
    return unpack(keys.open(blob, sealed.wrapped_key, sealed.object_key))


def pack(rows: Sequence[RetainRow], seed: int) -> bytes:
    """The set as bytes: one JSON document, the same for the same rows."""
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
                    "photos": [
                        *(base64.b64encode(photo.png).decode() for photo in row.encoded),
                        *(_png(photo) for photo in row.subject.photos),
                    ],
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
    """The rows, back from bytes. Raises IntegrityFailure where `pack` did not write them."""
    try:
        values = json.loads(blob)
        if values["schema"] != _SCHEMA:
            raise IntegrityFailure(f"Schema version {values['schema']} of a retain set is not known here.")
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
