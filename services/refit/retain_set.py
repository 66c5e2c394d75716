"""Whom a refit keeps as they are: the reference people and the operator's own retain set, without the forgotten.

A ticket takes precedence: a row or a reference person that a ticket in force is about is excluded from this fit, and
the run says so. Reference people of an operator are compared by name and photograph, all others by name only: their
portraits come from one generator and look alike.
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
FIT_SPLITS = ("retain_fit", "celebrity_fit", "calibration")  # a fit reads nobody else who could be forgotten


@dataclass(frozen=True)
class RetainSide:
    """The people and prompts that the statistics are computed from.

    `number` and `digest` are those of the operator's set, if there is one. `excluded_people` are ids of reference
    people who are forgotten.
    """

    reference: Reference
    rows: tuple[RetainRow, ...] = ()
    number: int | None = None
    digest: str | None = None
    excluded_rows: tuple[ExcludedRow, ...] = ()
    excluded_people: tuple[str, ...] = ()
    excluded_from_fit: tuple[str, ...] = ()  # those of them whom a fit would otherwise read

    @property
    def key(self) -> str:
        """What the digest of the statistics has to add to the reference folder's; empty where nothing differs."""
        parts = [self.digest or "", *(str(excluded.row) for excluded in self.excluded_rows), *self.excluded_from_fit]
        return "/".join(parts).strip("/")

    @property
    def manifest(self) -> dict[str, Any] | None:
        """What a version's manifest says of it: number, digest and exclusions. Nobody is named there."""
        if self.number is None and not self.excluded_people:
            return None
        rows = [{"row": excluded.row, "ticket": excluded.ticket, "by": excluded.how} for excluded in self.excluded_rows]
        return {
            "number": self.number,
            "digest": self.digest,
            "left_out": rows,
            "absent": list(self.excluded_people),
        }

    @property
    def notes(self) -> list[str]:
        """One sentence for each exclusion, for whoever looks at the run."""
        rows = [
            f"Row {excluded.row} of retain set {self.number} is the person of {excluded.ticket} by {excluded.how}: "
            "left out."
            for excluded in self.excluded_rows
        ]
        return rows + [
            f"Reference person {person} is forgotten: left out of this fit." for person in self.excluded_people
        ]

    def check(self) -> None:
        """Raise BadInput where fewer than two identities are left for the fit."""
        people = (*self.reference.of("retain_fit"), *self.reference.of("celebrity_fit"))
        identities = {person.id for person in people} | {row.identity for row in rows_in_split(self.rows, "fit")}
        if len(identities) < 2:
            noun = "identity" if len(identities) == 1 else "identities"
            raise BadInput(
                f"The retain set has {len(identities)} {noun} for the fit, and needs at least two: add one with "
                "`lacuna retain add`, or add reference people."
            )


class PhotoHashCache:
    """Perceptual hashes of the photographs of tickets, kept by ticket, so that a payload is opened once."""

    def __init__(self, store: ObjectStore, keys: KeyRing) -> None:
        self._store, self._keys = store, keys
        self._known: dict[str, tuple[PhotoHashes, ...]] = {}

    def __call__(self, ticket: Any) -> Sequence[PhotoHashes]:
        """The hashes of `ticket`; none where its material was shredded."""
        if ticket.id not in self._known:
            try:
                photos = open_material(self._store, self._keys, ticket).photos
            except NotFound as exc:
                logger.warning("the retain set is not compared with this ticket's pictures: %s", exc.detail)
                return ()
            self._known[ticket.id] = tuple(hash_with_crops(photo) for photo in photos)
        return self._known[ticket.id]


def select_retain_side(
    reference: Reference,
    retain_set: RetainSet | None,
    rows: Sequence[RetainRow],
    tickets: Sequence[Ticket],
    keys: KeyRing,
    photo_hashes: PhotoHashCache,
) -> RetainSide:
    """Reference people and the rows of `retain_set`, without everybody whom `tickets` are about."""
    forgotten_keys = {key for ticket in tickets for key in ticket.person_keys}
    forgotten = {
        person.id
        for person in reference.people
        if person.split not in ("forgettable", "stranger_fit", "stranger_eval")
        and forgotten_keys
        and not forgotten_keys.isdisjoint(keys.person_keys(person.subject.names))
    }
    forgotten |= _by_photograph(reference, tickets, keys, photo_hashes)
    from_fit = tuple(sorted(p.id for p in reference.people if p.id in forgotten and p.split in FIT_SPLITS))
    retained = replace(reference, people=tuple(person for person in reference.people if person.id not in forgotten))
    if retain_set is None:
        return RetainSide(retained, excluded_people=tuple(sorted(forgotten)), excluded_from_fit=from_fit)
    excluded_rows = tuple(find_excluded_rows(rows, tickets, keys, photo_hashes))
    excluded_numbers = {excluded.row for excluded in excluded_rows}
    return RetainSide(
        reference=retained,
        rows=tuple(row for row in rows if row.number not in excluded_numbers),
        number=retain_set.number,
        digest=retain_set.digest,
        excluded_rows=excluded_rows,
        excluded_people=tuple(sorted(forgotten)),
        excluded_from_fit=from_fit,
    )


def _by_photograph(
    reference: Reference, tickets: Sequence[Ticket], keys: KeyRing, photo_hashes: PhotoHashCache
) -> set[str]:
    """Ids of the reference people whose photograph is one of a ticket's."""
    rows = [
        RetainRow(number, person.id, "fit", replace(person.subject, names=()))
        for number, person in enumerate(reference.people)
        if person.id in reference.photographed and person.subject.photos
    ]
    excluded = {excluded.row for excluded in find_excluded_rows(rows, tickets, keys, photo_hashes)}
    return {row.identity for row in rows if row.number in excluded}
