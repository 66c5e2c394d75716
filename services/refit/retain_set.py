"""Whom a refit keeps as they are: the reference people and the operator's own retain set, without the forgotten.

The ticket wins: a row or a reference person that a ticket in force speaks of is left out of this fit, and the run says
so. Reference people are compared by name only: their portraits are drawn by one hand and look alike.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.artifacts.photo_hashes import PhotoHashes, hash_with_crops
from shared.artifacts.retain_sets import ExcludedRow, RetainRow, find_excluded_rows, rows_in_split
from shared.artifacts.subject_material import open_material
from shared.crypto.keyring import KeyRing
from shared.db.models.retain_sets import RetainSet
from shared.db.models.tickets import Ticket
from shared.errors import BadInput, NotFound
from shared.evaluation.reference import Reference
from shared.storage.base import ObjectStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RetainSide:
    """What statistics are made of. `manifest` is what a version says of it; nobody is named there."""

    reference: Reference
    rows: tuple[RetainRow, ...] = ()
    number: int | None = None
    digest: str | None = None
    left_out: tuple[ExcludedRow, ...] = ()
    absent: tuple[str, ...] = ()  # reference people, by id

    @property
    def key(self) -> str:
        """What the digest of the statistics has to add to the reference folder; empty where nothing."""
        said = [self.digest or "", *(str(one.row) for one in self.left_out), *self.absent]
        return "/".join(said).strip("/")

    @property
    def manifest(self) -> dict[str, Any] | None:
        """Number and digest of the set, and what was left out."""
        if self.number is None and not self.absent:
            return None
        out = [{"row": one.row, "ticket": one.ticket, "by": one.how} for one in self.left_out]
        return {"number": self.number, "digest": self.digest, "left_out": out, "absent": list(self.absent)}

    @property
    def notes(self) -> list[str]:
        """For the run: a sentence for each thing left out."""
        said = [
            f"Row {one.row} of retain set {self.number} is the person of {one.ticket} by {one.how}: left out."
            for one in self.left_out
        ]
        return said + [f"Reference person {one} is forgotten: left out of this fit." for one in self.absent]

    def check(self) -> None:
        """Raise BadInput where nobody, or one identity only, is left to be kept as they are."""
        people = (*self.reference.of("retain_fit"), *self.reference.of("celebrity_fit"))
        who = {person.id for person in people} | {row.identity for row in rows_in_split(self.rows, "fit")}
        if len(who) < 2:
            raise BadInput(
                f"The retain set has {len(who)} {'identity' if len(who) == 1 else 'identities'} for the fit, and needs "
                "two at least: add one with `lacuna retain add`, or reference people."
            )


class PhotoHashCache:
    """How the pictures of tickets look, remembered by ticket: a payload is opened once."""

    def __init__(self, store: ObjectStore, keys: KeyRing) -> None:
        self._store, self._keys = store, keys
        self._known: dict[str, tuple[PhotoHashes, ...]] = {}

    def __call__(self, ticket: Any) -> Sequence[PhotoHashes]:
        """The looks of `ticket`; none where its material was shredded."""
        if ticket.id not in self._known:
            try:
                photos = open_material(self._store, self._keys, ticket).photos
            except NotFound as exc:
                logger.warning("not held against the retain set by picture: %s", exc.detail)
                return ()
            self._known[ticket.id] = tuple(hash_with_crops(photo) for photo in photos)
        return self._known[ticket.id]


def select_retain_side(
    reference: Reference,
    found: RetainSet | None,
    rows: Sequence[RetainRow],
    tickets: Sequence[Ticket],
    keys: KeyRing,
    looks: PhotoHashCache,
) -> RetainSide:
    """Reference and set without whoever `tickets` speak of."""
    indices = {index for ticket in tickets for index in ticket.subject_index}
    absent = {
        person.id
        for person in reference.people
        if person.split not in ("forgettable", "stranger_fit", "stranger_eval")
        and indices
        and any(keys.blind_index(name) in indices for name in person.subject.names)
    }
    kept = replace(reference, people=tuple(person for person in reference.people if person.id not in absent))
    if found is None:
        return RetainSide(kept, absent=tuple(sorted(absent)))
    left_out = tuple(find_excluded_rows(rows, tickets, keys, looks))
    out = {one.row for one in left_out}
    return RetainSide(
        reference=kept,
        rows=tuple(row for row in rows if row.number not in out),
        number=found.number,
        digest=found.digest,
        left_out=left_out,
        absent=tuple(sorted(absent)),
    )
