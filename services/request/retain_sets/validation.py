"""Row by row report."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select

from services.request.context import AppContext
from services.request.retain_sets.schemas import RetainBody, RetainRowBody
from shared.artifacts.photo_hashes import PhotoHashes, hash_with_crops
from shared.artifacts.photos import normalize_photo, open_photo, read_data_url
from shared.artifacts.retain_sets import (
    SPLITS,
    ExcludedRow,
    RetainRow,
    Split,
    find_excluded_rows,
    rows_in_split,
    split_of,
)
from shared.artifacts.subject_material import open_material
from shared.core.validation import summarize_validation_errors
from shared.db.models.tickets import Ticket
from shared.db.session import transaction
from shared.domain.subjects import Fact, Subject
from shared.domain.ticket_lifecycle import IN_FORCE
from shared.errors import BadInput, NotFound, TooLarge


@dataclass
class ValidationReport:
    """What was read: usable rows, problems by row (0 is the set as a whole), and who is forgotten."""

    read: list[RetainRow] = field(default_factory=list)
    problems: dict[int, list[str]] = field(default_factory=dict)
    forgotten: list[ExcludedRow] = field(default_factory=list)
    not_compared: int = 0

    def report(self) -> dict[str, Any]:
        """For whoever sent it; speaks of rows and tickets, never of names."""
        named: dict[int, list[ExcludedRow]] = {}
        for one in self.forgotten:
            named.setdefault(one.row, []).append(one)
        split = {row.number: row for row in self.read}
        numbers = sorted({*split, *self.problems, *named} - {0})
        return {
            "rows": [
                {
                    "row": number,
                    "kind": None if number not in split else "person" if split[number].text is None else "prompt",
                    "split": split[number].split if number in split else None,
                    "problems": self.problems.get(number, []),
                    "forgotten": [{"ticket": one.ticket, "by": one.how} for one in named.get(number, [])],
                }
                for number in numbers
            ],
            "problems": self.problems.get(0, []),
            "counts": counts(self.read),
            "tickets_without_pictures_to_compare": self.not_compared,
        }


def counts(found: Sequence[RetainRow]) -> dict[str, Any]:
    """Identities, rows, people and prompts of each split."""
    return {
        split: {
            "identities": len({row.identity for row in own}),
            "people": sum(row.text is None for row in own),
            "prompts": sum(row.text is not None for row in own),
        }
        for split in SPLITS
        for own in [rows_in_split(found, split)]
    }


def examine(context: AppContext, body: RetainBody) -> ValidationReport:
    """Read every row; hold what can be read against the tickets in force."""
    seen = ValidationReport()
    bodies = {n: one for n, values in enumerate(body.rows, 1) if (one := _row_body(seen, n, values)) is not None}
    splits = _splits(seen, bodies, body.seed)
    pictures: dict[str, tuple[int, str]] = {}
    for number, one in bodies.items():
        try:
            photos = [normalize_photo(read_data_url(text)) for text in one.photos]
        except (BadInput, TooLarge) as exc:
            seen.problems.setdefault(number, []).append(f"photo: {exc.detail}")
            continue
        for photo in photos if one.prompt is None else ():
            first, identity = pictures.setdefault(hashlib.sha256(photo).hexdigest(), (number, one.identity))
            if identity != one.identity:
                seen.problems.setdefault(number, []).append(f"shows the picture of row {first} as somebody else's")
        facts = tuple(Fact(fact.attribute, fact.value, tuple(fact.aliases)) for fact in one.facts)
        subject = Subject(tuple(one.names), tuple(open_photo(photo) for photo in photos), facts)
        seen.read.append(RetainRow(number, one.identity, splits[one.identity], subject, one.prompt, dict(one.visible)))
    seen.read = [row for row in seen.read if row.number not in seen.problems]
    with transaction(context.database) as session:
        tickets = list(
            session.scalars(select(Ticket).where(Ticket.model_id == context.model_id, Ticket.state.in_(IN_FORCE)))
        )

    def looks(ticket: Any) -> list[PhotoHashes]:
        try:
            return [hash_with_crops(photo) for photo in open_material(context.store, context.keys, ticket).photos]
        except NotFound:
            seen.not_compared += 1
            return []

    seen.forgotten = find_excluded_rows(seen.read, tickets, context.keys, looks)
    return seen


def _row_body(seen: ValidationReport, number: int, values: Mapping[str, Any]) -> RetainRowBody | None:
    try:
        return RetainRowBody.model_validate(values)
    except ValidationError as exc:
        seen.problems[number] = [
            summarize_validation_errors(exc.errors()).removesuffix(".").replace("Value error, ", "")
        ]
        return None


def _splits(seen: ValidationReport, bodies: Mapping[int, RetainRowBody], seed: int) -> dict[str, Split]:
    """One split for each identity: the one that a row states, else by hash."""
    stated: dict[str, tuple[int, Split]] = {}
    for number, one in bodies.items():
        if one.split is not None:
            first, split = stated.setdefault(one.identity, (number, one.split))
            if split != one.split:
                said = f"says {one.split}, row {first} says {split} of the same identity"
                seen.problems.setdefault(number, []).append(said)
    return {
        one.identity: stated[one.identity][1] if one.identity in stated else split_of(one.identity, seed)
        for one in bodies.values()
    }


def _check_whole(seen: ValidationReport, sent: int) -> None:
    fit = {row.identity for row in rows_in_split(seen.read, "fit")}
    if sent == 0 or not seen.read:
        seen.problems.setdefault(0, []).append("it is empty: no row can be used")
    elif not fit:
        seen.problems.setdefault(0, []).append("nobody is in the fit split")
    elif len(fit) == 1:
        seen.problems.setdefault(0, []).append("its fit split has one identity: nothing tells what people share")


def _faults(seen: ValidationReport, leave_out: bool) -> str:
    """What speaks against the set, in a sentence; empty where nothing does."""
    said = []
    if 0 in seen.problems:
        said.append("; ".join(seen.problems[0]))
    bad = sorted(set(seen.problems) - {0})
    if bad:
        first = seen.problems[bad[0]][0]
        said.append(f"{_rows(len(bad))} cannot be read (row {bad[0]}: {first})")
    if seen.forgotten and not leave_out:
        told = ", ".join(f"row {one.row} is the person of {one.ticket} by {one.how}" for one in seen.forgotten[:5])
        more = f" and {len(seen.forgotten) - 5} more" if len(seen.forgotten) > 5 else ""
        said.append(f"it contains people who are forgotten ({told}{more})")
    return "; ".join(said) + "." if said else ""


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
